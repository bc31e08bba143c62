"""What is looked up of a target: its store, its server, its application. Read-only."""

from __future__ import annotations

import contextlib
import hashlib
import os
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


def identity(session: Session, target: str) -> dict[str, Any]:
    """What ``identity.sql`` says of a target: system, server, database, size, databases.

    Raises:
        Unreachable: the server can't be reached.
    """
    return in_english(session, target, ask(session, Query("identity.sql", target)))


def app_inputs(session: Session, target: str) -> AppInputs | None:
    """How the target's application is called."""
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
    """Inputs that hold no more than how the target's application is called: for looks outside any run."""
    host = session.host(target)
    app = app_inputs(session, target)
    words = host.words if host else ()
    return RunInputs(run="", target=target, database="", store="", backup="", app=app, ssh=words)


def probe(session: Session, target: str, database_of: str, *, rehearses: bool = False) -> dict[str, Any]:
    """Ask the application of ``target``, from inside, about the database of ``database_of``; read-only. With
    ``rehearses`` it is told of a rehearsal although that database is production's.

    A large application takes seconds to start. The report is retained for the run and used again while the state of
    code and database (see ``_state``) is the state that it was made of.

    Raises:
        OpsError: it does not start, or says nothing.
    """
    state = _state(session, target, database_of)
    place = (target, database_of + " as in a rehearsal" * (rehearses and target == database_of))
    known = session.reports.get(place)
    if state and known and known[0] == state:
        return known[1]
    c = app_only(session, target)
    words = ("shell", "-c", django.PROBE)
    shell = django.manage(c, database_of, *words, options=django.PROBE_OPTIONS, rehearses=rehearses)
    done = session.run(shell)
    found = django.read_probe(done.out)
    if found is None:
        raise silent(session, target, done)
    session.reports[place] = (state, found)
    return found


def silent(session: Session, target: str, done: Completed) -> OpsError:
    """Why the application said nothing: it does not start, or its migrations do not fit together."""
    said = said_error(done.err or done.out) or f"exit code {done.exit}"
    entry = session.inventory.target(target)
    if entry.app and not session.host(target) and not session.inventory.path(entry.app.dir).is_dir():
        at = where(session.inventory, entry)
        return UsageError(f"{at}: {said}", "app: {dir: FOLDER}   the one in which manage.py runs")
    if django.of_migrations(done.err):
        hint = check_words(session, target, "showmigrations")
        return OpsError(f"{target}: its migrations do not fit together: {said}", hint)
    if "session is read-only" in said:
        why = "its settings require a writable session (target_session_attrs), and it is asked in a read-only one"
        hint = 'remove "target_session_attrs" from OPTIONS of DATABASES, or set it to "any"; then   inv doctor'
        return OpsError(f"{target}: the application does not connect: {why}", hint)
    if "connection to server" in said:
        how, hint, code = unreached(done.err)
        return Unreachable(f"{target}: the application's database {how}", hint, code=code)
    return OpsError(f"{target}: the application does not start: {said}", check_words(session, target))


def unfit(found: Mapping[str, Any], manage: str) -> tuple[str, str] | None:
    """Why nothing can be migrated to this release, and what to do; None where it can.

    Args:
        found: what the application said (``probe``).
        manage: the words that call its ``manage.py``.
    """
    if found["conflicts"]:
        apps = ", ".join(f"{app} ({', '.join(names)})" for app, names in found["conflicts"].items())
        return f"conflicting migrations in {apps}", f"{manage} makemigrations --merge"
    if found["unknown"]:
        words = f"production has migrations unknown to this release: {', '.join(found['unknown'][:3])}"
        return words, "check out a release that is at least as new as production's"
    for name, missing in found["skipped"].items():
        return (
            f"{name} was never applied, and Django passes over it: production has a part of what it replaces, but not "
            f"{', '.join(missing[:3])}, and the files of these are gone",
            "put the replaced migrations' files back beside it, release, and remove them after that",
        )
    if found["inconsistent"]:
        words = f"the applied migrations do not fit together: {found['inconsistent'].split(': ', 1)[-1]}"
        return words, f"{manage} showmigrations   shows them; record what the database has: {manage} migrate --fake …"
    return None


def _state(session: Session, target: str, database_of: str) -> str:
    """A digest of what a report depends on: the database and the migrations that it has, the commit, and the files.

    The gates of one step share it. Empty where a part can't be read: then nothing is retained.
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
    """Checksum, size and name of every file of code and settings in the application's folder; empty where unknown."""
    app = session.inventory.target(target).app
    if app is None:
        return ""
    done = session.run(Shell((*LIST_FILES, "-exec", "cksum", "{}", "+"), "", folder=app.dir, host=session.host(target)))
    return "\n".join(sorted(done.out.splitlines())) if done.exit == 0 else ""


def check_words(session: Session, target: str, command: str = "check") -> str:
    """What a person types to see whether the target's application starts, or what else it says of itself."""
    app, host = session.inventory.target(target).app, session.host(target)
    words = f"cd {app.dir} && {' '.join(app.manage)} {command}" if app else ""
    return f"{' '.join(host.words)} '{words}'" if host else words


def commit_of(session: Session, target: str) -> str:
    """The application's commit, with ``-dirty`` where its folder has changes; empty where there is no git."""
    app = session.inventory.target(target).app
    if app is None:
        return ""
    words = ("git", "describe", "--always", "--abbrev=40", "--match=", "--dirty")
    done = session.run(Shell(words, "", folder=app.dir, host=session.host(target)))
    return done.out.strip() if done.exit == 0 else ""


def changes_of(session: Session, target: str) -> str:
    """A digest of the code in the application's folder that is not committed; empty where all of it is, or no git."""
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
    """The migrations that a database says it has, in the order in which they were applied; read from its own table."""
    with session.connect(target, database) as connection:
        found = connection.execute(
            "SELECT format('SELECT app || ''.'' || name FROM %I.django_migrations ORDER BY id', n.nspname) "
            "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relname = 'django_migrations' AND c.relkind = 'r' AND n.nspname !~ '^pg_'"
        ).fetchall()
        return tuple(dict.fromkeys(str(row[0]) for (query,) in found for row in connection.execute(query)))


def declarations(session: Session, target: str) -> Expectations:
    """What the application's repository declares.

    Raises:
        InventoryError: its file is wrong.
    """
    entry = session.inventory.target(target)
    if entry.app is None:
        return Expectations()
    if host := session.host(target):
        return _fetched(session, host, entry.app)
    path = find(session.inventory.path(entry.app.dir), entry.app.manage)
    return load(path, os.path.relpath(path, session.inventory.folder) if path else "")


def _fetched(session: Session, host: Host, app: App) -> Expectations:
    """The declarations that lie beside an application on a host behind SSH."""
    for name in names(app.manage):
        # No file, and one that can't be read, are told apart.
        if session.run(Shell(("test", "!", "-e", name), "", folder=app.dir, host=host)).exit == 0:
            continue
        copy = session.secrets.private / f"{host.target}.expect.yaml"
        done = session.run(Shell(("cat", name), "", folder=app.dir, host=host))
        shown = f"{host.words[-1]}:{app.dir}/{name}"
        if done.exit:
            raise OpsError(f"{host.target}: {shown}: {said_error(done.err)}", "a readable file, or none")
        write_whole(copy, done.out)
        return load(copy, shown)
    return Expectations()


def pending(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The pending migrations that a probe found: name and sha256 of the file, in the order in which they would run."""
    return [(migration["name"], migration["sha256"]) for migration in found["pending"]]
