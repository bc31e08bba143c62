"""Query a target's server and application; read-only."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Mapping
from typing import Any

from ops.application import manage as django
from ops.core.errors import OpsError, Unreachable, UsageError
from ops.core.files import write_whole
from ops.engine.command import Completed, Host, Query, Shell
from ops.engine.inputs import AppInputs, RunInputs
from ops.infra.postgres.client import said_error, unreached
from ops.infra.session.server import ask, in_english
from ops.infra.session.session import Session
from ops.inventory.locate import where
from ops.inventory.targets import App
from ops.verdict.expect.expectations import Expectations, find, load, names

# Files with code that a migration may run.
CODE = ("*.py", "*.sql")
# Other files that the application may read when it starts.
SETTINGS = (".env*", "*.env", "*.toml", "*.ini", "*.cfg", "*.json", "*.yaml", "*.yml")
# POSIX find, for hosts behind SSH.
LIST_FILES = (
    *("find", "-L", ".", "(", "-name", ".git", "-o", "-name", "__pycache__", "-o", "-name", "node_modules", ")"),
    *("-prune", "-o", "-type", "f", "("),
    *(word for name in (*CODE, *SETTINGS) for word in ("-name", name, "-o")),
    *("-name", "manage.py", ")"),
)


def identity(session: Session, target: str) -> dict[str, Any]:
    """Return the result of ``identity.sql``: system identifier, server version, database, size, databases.

    Raises:
        Unreachable: the server cannot be reached.
    """
    known = session.looked_up(target, "identity")
    if not known:
        known |= in_english(session, target, ask(session, Query("identity.sql", target)))
    return known


def app_inputs(session: Session, target: str) -> AppInputs | None:
    """Return how the target's application is called; None if the target has no ``app``."""
    app = session.inventory.target(target).app
    if app is None:
        return None
    return AppInputs(
        folder=app.dir,
        manage=app.manage,
        database_env=app.database_env,
        env=tuple(app.env.items()),
        rehearsal_env=tuple(app.rehearsal_env.items()),
    )


def app_only(session: Session, target: str) -> RunInputs:
    """Return inputs that contain only how the target's application is called, for queries outside a run."""
    host = session.host(target)
    app = app_inputs(session, target)
    words = host.words if host else ()
    return RunInputs(run="", target=target, database="", store="", backup="", app=app, ssh=words)


def probe(session: Session, target: str, database_of: str, *, rehearses: bool = False) -> dict[str, Any]:
    """Run the probe inside the application of ``target`` on the database of ``database_of``; read-only.

    A large application takes seconds to start, so the report is cached until the state of code and database changes
    (see ``_state``).

    ``start_seconds`` of the report is the time from the call to the program's first line.

    Args:
        rehearses: use the environment of a rehearsal even on production's database.

    Raises:
        OpsError: the application does not start, or the probe reports nothing.
    """
    state = _state(session, target, database_of)
    place = (target, database_of + " as in a rehearsal" * (rehearses and target == database_of))
    known = session.reports.get(place)
    if state and known and known[0] == state:
        return known[1]
    c = app_only(session, target)
    words = ("shell", "-c", django.PROBE)
    shell = django.manage(c, database_of, *words, options=django.PROBE_OPTIONS, rehearses=rehearses)
    begun = time.monotonic()
    done = session.run(shell)
    found = django.read_probe(done.out)
    if found is None:
        raise silent(session, target, done)
    found["start_seconds"] = max(time.monotonic() - begun - found.get("own_seconds", 0), 0)
    session.reports[place] = (state, found)
    return found


def start_seconds(session: Session, target: str) -> float:
    """Return how long the application of a target took to start for its last report; 0 if there is no report."""
    found = [report["start_seconds"] for place, (_, report) in session.reports.items() if place[0] == target]
    return max(found, default=0)


def silent(session: Session, target: str, done: Completed) -> OpsError:
    """Return the error for a probe without a report: no folder, inconsistent migrations, no database, no start."""
    said = said_error(done.err or done.out) or f"exit code {done.exit}"
    entry = session.inventory.target(target)
    if entry.app and not session.host(target) and not session.inventory.path(entry.app.dir).is_dir():
        at = where(session.inventory, entry)
        return UsageError(f"{at}: {said}", "app: {dir: FOLDER}   the folder in which manage.py runs")
    if django.of_migrations(done.err):
        hint = check_words(session, target, "showmigrations")
        return OpsError(f"{target}: its migrations are inconsistent: {said}", hint)
    if "session is read-only" in said:
        why = "its settings require a writable session (target_session_attrs), but the probe's session is read-only"
        hint = 'remove "target_session_attrs" from OPTIONS of DATABASES, or set it to "any"; then   inv doctor'
        return OpsError(f"{target}: the application does not connect: {why}", hint)
    if "connection to server" in said:
        how, hint, code = unreached(done.err)
        return Unreachable(f"{target}: the application's database {how}", hint, code=code)
    return OpsError(f"{target}: the application does not start: {said}", check_words(session, target))


def unfit(found: Mapping[str, Any], manage: str) -> tuple[str, str] | None:
    """Return why this release cannot be migrated, and what to do; None if it can.

    Args:
        found: the probe's report.
        manage: the words that call the application's ``manage.py``.
    """
    if found["conflicts"]:
        apps = ", ".join(f"{app} ({', '.join(names)})" for app, names in found["conflicts"].items())
        return f"conflicting migrations in {apps}", f"{manage} makemigrations --merge"
    if found["unknown"]:
        words = f"production has migrations unknown to this release: {', '.join(found['unknown'][:3])}"
        return words, "check out a release that is at least as new as production"
    for name, missing in found["skipped"].items():
        return (
            f"{name} was never applied, and Django ignores it: production has a part of the migrations that it "
            f"replaces, but not {', '.join(missing[:3])}, and their files are missing",
            "restore the files of the replaced migrations, release, and then remove the files",
        )
    if found["inconsistent"]:
        words = f"the applied migrations are inconsistent: {found['inconsistent'].split(': ', 1)[-1]}"
        return words, f"{manage} showmigrations   lists them; record what the database has: {manage} migrate --fake …"
    return None


def _state(session: Session, target: str, database_of: str) -> str:
    """Return a digest of the state on which a report depends: database, applied migrations, commit, files.

    The gates of one step share the digest. Return "" if a part cannot be read; then the report is not cached.
    """
    import psycopg

    known = session.looked_up(target, database_of)
    if "state" not in known:
        known["state"] = ""
        with contextlib.suppress(OpsError, psycopg.Error):
            parts = [session.url(database_of), *sorted(applied(session, database_of)), commit_of(session, target)]
            if files := _files_of(session, target):
                known["state"] = hashlib.sha256("\0".join([*parts, files]).encode()).hexdigest()
    return str(known["state"])


def _files_of(session: Session, target: str) -> str:
    """Return checksum, size and name of every code and settings file in the application's folder; empty if unknown."""
    app = session.inventory.target(target).app
    if app is None:
        return ""
    done = session.run(Shell((*LIST_FILES, "-exec", "cksum", "{}", "+"), "", folder=app.dir, host=session.host(target)))
    return "\n".join(sorted(done.out.splitlines())) if done.exit == 0 else ""


def check_words(session: Session, target: str, command: str = "check") -> str:
    """Return the command line that runs a management command of the target's application."""
    app, host = session.inventory.target(target).app, session.host(target)
    words = f"cd {app.dir} && {' '.join(app.manage)} {command}" if app else ""
    return f"{' '.join(host.words)} '{words}'" if host else words


def commit_of(session: Session, target: str) -> str:
    """Return the application's commit, with ``-dirty`` if its folder has changes; empty without git."""
    app, known = session.inventory.target(target).app, session.looked_up(target, "commit")
    if app is not None and not known:
        words = ("git", "describe", "--always", "--abbrev=40", "--match=", "--dirty")
        done = session.run(Shell(words, "", folder=app.dir, host=session.host(target)))
        known["commit"] = done.out.strip() if done.exit == 0 else ""
    return str(known.get("commit", ""))


def changes_of(session: Session, target: str) -> str:
    """Return a digest of the uncommitted code in the application's folder; empty if there is none, or without git."""
    app = session.inventory.target(target).app
    if app is None:
        return ""

    def git(*words: str) -> str:
        done = session.run(Shell(("git", *words), "", folder=app.dir, host=session.host(target)))
        return done.out if done.exit == 0 else ""

    found = git("diff", "HEAD", "--no-ext-diff", "--no-color", "--", *CODE)
    new = [name for name in git("ls-files", "-z", "--others", "--exclude-standard", "--", *CODE).split("\0") if name]
    if new:
        found += "\n".join([*new, git("hash-object", "--", *new)])
    return hashlib.sha256(found.encode()).hexdigest() if found else ""


def applied(session: Session, target: str, database: str = "") -> tuple[str, ...]:
    """Return the applied migrations in a database's ``django_migrations``, in the order in which they were applied."""
    known = session.looked_up(target, f"applied in {database}")
    if "applied" not in known:
        known["applied"] = _applied(session, target, database)
    return tuple(known["applied"])


def _applied(session: Session, target: str, database: str) -> tuple[str, ...]:
    with session.connect(target, database) as connection:
        found = connection.execute(
            "SELECT format('SELECT app || ''.'' || name FROM %I.django_migrations ORDER BY id', n.nspname) "
            "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relname = 'django_migrations' AND c.relkind = 'r' AND n.nspname !~ '^pg_'"
        ).fetchall()
        return tuple(dict.fromkeys(str(row[0]) for (query,) in found for row in connection.execute(query)))


def declarations(session: Session, target: str) -> Expectations:
    """Return the declarations in the application's repository.

    Raises:
        InventoryError: the file of declarations is wrong.
    """
    entry = session.inventory.target(target)
    if entry.app is None:
        return Expectations()
    if host := session.host(target):
        return _fetched(session, host, entry.app)
    path = find(session.inventory.path(entry.app.dir), entry.app.manage)
    return load(path, os.path.relpath(path, session.inventory.folder) if path else "")


def _fetched(session: Session, host: Host, app: App) -> Expectations:
    """Return the declarations beside an application on a host behind SSH."""
    for name in names(app.manage):
        # Distinguish a missing file from an unreadable file.
        if session.run(Shell(("test", "!", "-e", name), "", folder=app.dir, host=host)).exit == 0:
            continue
        copy = session.secrets.private / f"{host.target}.expect.yaml"
        done = session.run(Shell(("cat", name), "", folder=app.dir, host=host))
        shown = f"{host.words[-1]}:{app.dir}/{name}"
        if done.exit:
            raise OpsError(f"{host.target}: {shown}: {said_error(done.err)}", "make the file readable, or remove it")
        write_whole(copy, done.out)
        return load(copy, shown)
    return Expectations()


def pending(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the pending migrations of a probe's report in their order: name and sha256 of the file."""
    return [(migration["name"], migration["sha256"]) for migration in found["pending"]]
