"""What is looked up of a target: its store, its server, its application. Read-only."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ops import django
from ops.command import Host, Query, Shell
from ops.errors import OpsError, Unreachable
from ops.expectations import Expectations, find, load, names
from ops.files import write_whole
from ops.inputs import AppInputs, Inputs
from ops.inventory import App
from ops.postgres import json_lines, said_error
from ops.rights import grant
from ops.world import World

# What of an application's folder is code that a migration may run.
CODE = ("*.py", "*.sql")
# What else the application may read when it starts. POSIX, so that it works behind SSH, too.
SETTINGS = (".env*", "*.env", "*.toml", "*.ini", "*.cfg", "*.json", "*.yaml", "*.yml")
LIST_FILES = (
    *("find", "-L", ".", "(", "-name", ".git", "-o", "-name", "__pycache__", "-o", "-name", "node_modules", ")"),
    *("-prune", "-o", "-type", "f", "("),
    *(word for name in (*CODE, *SETTINGS) for word in ("-name", name, "-o")),
    *("-name", "manage.py", ")"),
)


def target_folder(world: World, target: str) -> Path:
    """A target's folder in the store; a remote store's working copy, as new as the store is."""
    if copy := world.working_copy(target):
        copy.follow()
    return world.inventory.path(world.inventory.target(target).folder) / target


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


def app_only(world: World, target: str) -> Inputs:
    """Inputs that hold no more than how the target's application is called: for looks outside any run."""
    host = world.host(target)
    app = app_inputs(world, target)
    words = host.words if host else ()
    return Inputs(run="", target=target, database="", store="", backup="", app=app, ssh=words)


def probe(world: World, target: str, database_of: str) -> dict[str, Any]:
    """Ask the application of ``target``, from inside, about the database of ``database_of``; read-only.

    A large application takes seconds to start. The report is retained for the run and used again while the state of
    code and database (see ``_state``) is the state that it was made of.

    Raises:
        OpsError: it does not start, or says nothing.
    """
    state = _state(world, target, database_of)
    known = world.reports.get((target, database_of))
    if state and known and known[0] == state:
        return known[1]
    c = app_only(world, target)
    shell = django.manage(c, database_of, "shell", "-c", django.PROBE, options="-c default_transaction_read_only=on")
    done = world.run(shell)
    found = django.read_probe(done.out)
    if found is None:
        said = said_error(done.err or done.out) or f"exit code {done.exit}"
        raise OpsError(f"{target}: the application does not start: {said}", check_words(world, target))
    world.reports[target, database_of] = (state, found)
    return found


def _state(world: World, target: str, database_of: str) -> str:
    """A digest of what a report depends on: the database and the migrations that it has, the commit, and the files.

    The gates of one step share it. Empty where a part can't be read: then nothing is retained.
    """
    import psycopg

    known = world.memo.setdefault((target, database_of), {})
    if "state" not in known:
        known["state"] = ""
        with contextlib.suppress(OpsError, psycopg.Error):
            parts = [world.url(database_of), *applied(world, database_of), commit_of(world, target)]
            if files := _files_of(world, target):
                known["state"] = hashlib.sha256("\0".join([*parts, files]).encode()).hexdigest()
    return str(known["state"])


def _files_of(world: World, target: str) -> str:
    """Checksum, size and name of every file of code and settings in the application's folder; empty where unknown."""
    app = world.inventory.target(target).app
    if app is None:
        return ""
    done = world.run(Shell((*LIST_FILES, "-exec", "cksum", "{}", "+"), "", folder=app.dir, host=world.host(target)))
    return "\n".join(sorted(done.out.splitlines())) if done.exit == 0 else ""


def check_words(world: World, target: str) -> str:
    """What a person types to see whether the target's application starts."""
    app, host = world.inventory.target(target).app, world.host(target)
    words = f"cd {app.dir} && {' '.join(app.manage)} check" if app else ""
    return f"{' '.join(host.words)} '{words}'" if host else words


def commit_of(world: World, target: str) -> str:
    """The application's commit, with ``-dirty`` where its folder has changes; empty where there is no git."""
    app = world.inventory.target(target).app
    if app is None:
        return ""
    words = ("git", "describe", "--always", "--abbrev=40", "--match=", "--dirty")
    done = world.run(Shell(words, "", folder=app.dir, host=world.host(target)))
    return done.out.strip() if done.exit == 0 else ""


def changes_of(world: World, target: str) -> str:
    """A digest of the code in the application's folder that is not committed; empty where all of it is, or no git."""
    app = world.inventory.target(target).app
    if app is None:
        return ""

    def git(*words: str) -> str:
        done = world.run(Shell(("git", *words), "", folder=app.dir, host=world.host(target)))
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
    if host := world.host(target):
        return _fetched(world, host, entry.app)
    path = find(world.inventory.path(entry.app.dir), entry.app.manage)
    return load(path, os.path.relpath(path, world.inventory.folder) if path else "")


def _fetched(world: World, host: Host, app: App) -> Expectations:
    """The declarations that lie beside an application on a host behind SSH."""
    for name in names(app.manage):
        # No file, and one that can't be read, are told apart.
        if world.run(Shell(("test", "!", "-e", name), "", folder=app.dir, host=host)).exit == 0:
            continue
        copy = world.private / f"{host.target}.expect.yaml"
        done = world.run(Shell(("cat", name), "", folder=app.dir, host=host))
        shown = f"{host.words[-1]}:{app.dir}/{name}"
        if done.exit:
            raise OpsError(f"{host.target}: {shown}: {said_error(done.err)}", "a readable file, or none")
        write_whole(copy, done.out)
        return load(copy, shown)
    return Expectations()


def pending_digest(found: dict[str, Any]) -> str:
    """One digest over the pending migrations' names and files, in the order in which they would run."""
    return hashlib.sha256(json.dumps(pending(found)).encode()).hexdigest()


def pending(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The pending migrations that a probe found: name and sha256 of the file, in the order in which they would run."""
    return [(migration["name"], migration["sha256"]) for migration in found["pending"]]
