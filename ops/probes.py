"""What is looked up of a target: its store, its server, its application. Read-only."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ops import django
from ops.command import Query, Shell
from ops.errors import OpsError, Unreachable
from ops.expectations import Expectations, find, load
from ops.inputs import AppInputs, Inputs
from ops.postgres import json_lines, said_error
from ops.rights import grant
from ops.world import World

# What of an application's folder is code that a migration may run.
CODE = ("*.py", "*.sql")


def target_folder(world: World, target: str) -> Path:
    """A target's folder in the store."""
    return world.inventory.path(world.inventory.target(target).store) / target


def identity(world: World, target: str) -> dict[str, Any]:
    """What ``identity.sql`` says of a target: system, server, database, size, databases, schema.

    Raises:
        Unreachable: the server can't be reached.
    """
    done = world.run(Query("identity.sql", target))
    if done.exit:
        raise Unreachable(
            f"{target}: the database does not answer: {said_error(done.err)}",
            grant(world, target, done.err) or "check its address and that it runs",
        )
    found, schema = json_lines(done.out)[:2]
    return {**found, **schema}


def app_inputs(world: World, target: str) -> AppInputs | None:
    """How the target's application is called."""
    app = world.inventory.target(target).app
    if app is None:
        return None
    return AppInputs(folder=app.dir, manage=app.manage, database_env=app.database_env, env=tuple(app.env.items()))


def probe(world: World, target: str, database_of: str) -> dict[str, Any]:
    """Ask the application of ``target``, from inside, about the database of ``database_of``; read-only.

    Raises:
        OpsError: it does not start, or says nothing.
    """
    if (target, database_of) in world.memo:
        return world.memo[target, database_of]
    c = Inputs(run="", target=target, database="", store="", backup="", app=app_inputs(world, target))
    shell = django.manage(c, database_of, "shell", "-c", django.PROBE, options="-c default_transaction_read_only=on")
    done = world.run(shell)
    found = django.read_probe(done.out)
    if found is None:
        said = said_error(done.err or done.out) or f"exit code {done.exit}"
        folder, words = (c.app.folder, " ".join(c.app.manage)) if c.app else ("", "")
        raise OpsError(f"{target}: the application does not start: {said}", f"cd {folder} && {words} check")
    world.memo[target, database_of] = found
    return found


def commit_of(world: World, target: str) -> str:
    """The application's commit, with ``-dirty`` where its folder has changes; empty where there is no git."""
    app = world.inventory.target(target).app
    if app is None:
        return ""
    words = ("git", "describe", "--always", "--abbrev=40", "--match=", "--dirty")
    done = world.run(Shell(words, "", folder=app.dir))
    return done.out.strip() if done.exit == 0 else ""


def changes_of(world: World, target: str) -> str:
    """A digest of the code in the application's folder that is not committed; empty where all of it is, or no git."""
    app = world.inventory.target(target).app
    if app is None:
        return ""

    def git(*words: str) -> str:
        done = world.run(Shell(("git", *words), "", folder=app.dir))
        return done.out if done.exit == 0 else ""

    found = git("diff", "HEAD", "--no-ext-diff", "--no-color", "--", *CODE)
    new = [name for name in git("ls-files", "-z", "--others", "--exclude-standard", "--", *CODE).split("\0") if name]
    if new:
        found += "\n".join([*new, git("hash-object", "--", *new)])
    return hashlib.sha256(found.encode()).hexdigest() if found else ""


def applied(world: World, target: str, database: str = "") -> tuple[str, ...]:
    """The migrations that a database says it has, sorted; read from its own table."""
    with world.connect(target, database) as connection:
        found = connection.execute(
            "SELECT format('SELECT app || ''.'' || name FROM %I.django_migrations', n.nspname) FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relname = 'django_migrations' AND c.relkind = 'r' AND n.nspname !~ '^pg_'"
        ).fetchall()
        return tuple(sorted({str(row[0]) for (query,) in found for row in connection.execute(query)}))


def declarations(world: World, target: str) -> Expectations:
    """What the application's repository declares.

    Raises:
        InventoryError: its file is wrong.
    """
    entry = world.inventory.target(target)
    if entry.app is None:
        return Expectations()
    path = find(world.inventory.path(entry.app.dir), entry.app.manage)
    return load(path, os.path.relpath(path, world.inventory.folder) if path else "")


def pending_digest(found: dict[str, Any]) -> str:
    """One digest over the pending migrations' names and files, in the order in which they would run."""
    return hashlib.sha256(json.dumps(pending(found)).encode()).hexdigest()


def pending(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The pending migrations that a probe found: name and sha256 of the file, in the order in which they would run."""
    return [(migration["name"], migration["sha256"]) for migration in found["pending"]]
