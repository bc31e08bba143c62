"""Define the actions of restores: choose an archive's entries, defer checks, judge a trial beside production."""

from __future__ import annotations

import json

import psycopg

from ops.backups import archive_entries, deferred_checks, foreign_keys, restore_trial, schema_rights, unchanged_tables
from ops.backups.restored_objects import not_dumped
from ops.backups.schema_comparison import difference
from ops.core.errors import Code, Refused, StepFailed
from ops.core.files import write_whole
from ops.core.records import dump_records
from ops.core.sql_files import SQL_FOLDER
from ops.core.text import counted
from ops.core.text import listed as few
from ops.engine.command import Shell, conninfo
from ops.engine.registry import tool
from ops.infra.postgres.client import said_error
from ops.infra.session.server import search_path
from ops.infra.session.session import Session
from ops.infra.stores.base_tables import FOLDER as BASE
from ops.infra.stores.base_tables import tables_in_base
from ops.verdict import fingerprint

_VIEWS = (
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
    "ON n.oid = c.relnamespace WHERE c.relkind = 'm'"
)


@tool
def judge_trial(
    session: Session, *, target: str, before: str, after: str, said: str, fragile: str, empty: str, report: str
) -> str:
    """Report what could not be restored beside production, with statements for an administrator; refuse then."""
    paths = [session.inventory.path(name) for name in (before, after, said, fragile, empty)]
    found = restore_trial.judge(session, target, *paths)
    write_whole(session.inventory.path(report), json.dumps(found.data(), indent=1, ensure_ascii=False))
    if found.troubles:
        then = f"{found.hint}, then repeat the command"
        raise Refused(f"{target}: a rollback would fail: {found.told}", then)
    return found.sentence


@tool
def open_schemas(session: Session, *, server: str, database: str, before: str, report: str) -> str:
    """Create a backup's schemas in an empty database, and let every owner create in them until ``close_schemas``."""
    with session.connect(server, database) as connection:
        opened = schema_rights.open_schemas(connection, fingerprint.read(session.inventory.path(before)).objects)
    write_whole(session.inventory.path(report), json.dumps(opened, ensure_ascii=False))
    return ""


@tool
def close_schemas(session: Session, *, server: str, database: str, before: str, report: str) -> str:
    """Revoke the rights that ``open_schemas`` granted, except rights that the backup grants."""
    opened = json.loads(session.inventory.path(report).read_text(encoding="utf-8"))
    if opened:
        with session.connect(server, database) as connection:
            dumped = fingerprint.read(session.inventory.path(before))
            schema_rights.close_schemas(connection, dumped.objects, opened)
    return ""


@tool
def choose_entries(
    session: Session,
    *,
    server: str,
    database: str,
    before: str,
    listed: str,
    rest: str,
    first: str = "",
    keys: str = "",
    last: str = "",
    base: str = "",
    form: str = "",
) -> str:
    """Divide an archive's list into the parts of a restore, and report the entries that are left out.

    The parts are the entries before the rows (``first``), foreign keys (``keys``), event triggers (``last``) and the
    ``rest``. Without the other parts, ``rest`` gets all entries. ``base`` is the list of ``choose-base``: if it has
    entries, tables are restored first. ``form`` is empty for a complete restore, or
    ``bare`` for one without owners and grants."""
    dumped = fingerprint.read(session.inventory.path(before))
    lines = session.inventory.path(listed).read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    with session.connect(server, database) as connection:
        place = _place(connection)
    views = deferred_checks.views(dumped.objects)
    based = bool(base) and session.inventory.path(base).stat().st_size > 0
    apart = bool(first) and (based or deferred_checks.checks(dumped.objects))
    found = archive_entries.chosen(lines, place, views, owned=form == "", apart=apart, keyed=bool(keys))
    for name, kept in ((first, found.first), (rest, found.rest), (keys, found.keys), (last, found.last)):
        if name:
            text = "".join(f"{line}\n" for line in kept)
            write_whole(session.inventory.path(name), text.encode("utf-8", "surrogateescape"))
    return "left out: " + "; ".join(found.said) if found.said else ""


@tool
def choose_base(session: Session, *, folder: str, listed: str, entries: str) -> str:
    """Choose the entries whose rows a backup takes from another one, from the list of that dump (``listed``)."""
    path = session.inventory.path
    tables = tables_in_base(path(folder))
    lines = path(listed).read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    found = unchanged_tables.entries(lines, tables)
    if lost := [table.name for table in tables if table.name not in found]:
        said = f"{folder}: the rows of {few(lost)} are missing in {BASE}"
        raise StepFailed(said, "inv backups", code=Code.BAD_BACKUP)
    text = "".join(f"{line}\n" for line in found.values())
    write_whole(path(entries), text.encode("utf-8", "surrogateescape"))
    return f"the rows of {counted(len(found), 'table')} come from {BASE}" if found else ""


def _place(connection: psycopg.Connection[tuple[object, ...]]) -> archive_entries.Place:
    owner = connection.execute(
        "SELECT coalesce((SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'public'), '')"
    ).fetchone()
    beyond = connection.execute(
        "SELECT r.rolname FROM pg_roles r, pg_roles m WHERE m.rolname = current_user AND r.rolsuper AND NOT m.rolsuper"
    ).fetchall()
    others = connection.execute("SELECT extname FROM pg_extension WHERE NOT pg_has_role(extowner, 'USAGE')").fetchall()
    schemas = connection.execute(
        "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')"
    ).fetchall()
    return archive_entries.Place(
        str(owner[0]) if owner else "",
        *(frozenset(str(name) for (name,) in found) for found in (beyond, others, schemas)),
    )


@tool
def compare_schemas(session: Session, *, target: str, database: str) -> str:
    """Report the differences between the schemas of the live and a restored database, as pg_dump prints them.

    The comparison includes owners, grants, default privileges, row security, comments and security labels."""
    printed = []
    for name in (session.database(target), database):
        words = ("pg_dump", "--schema-only", "--no-subscriptions", "--no-password")
        done = session.run(Shell((*words, f"--dbname=service={target} dbname={conninfo(name)}"), target))
        if done.exit:
            raise StepFailed(f"{target}: pg_dump: {said_error(done.err) or f'exit code {done.exit}'}", "inv resume")
        printed.append(done.out)
    return f"schema: {difference(*printed).sentence}"


@tool
def loosen_checks(
    session: Session, *, server: str, database: str, before: str, report: str, done: str = ""
) -> str:
    """Remove the checks that depend on more than their row, before rows are restored.

    ``done`` is a file that ``tighten-checks`` writes at its end."""
    if done:
        session.inventory.path(done).unlink(missing_ok=True)
    aside: list[deferred_checks.Check] = []
    if deferred_checks.checks(fingerprint.read(session.inventory.path(before)).objects):
        with session.connect(server, database) as connection:
            aside = deferred_checks.loosen(connection)
    write_whole(session.inventory.path(report), dump_records(aside))
    return f"{len(aside)} checks are validated at the end" if aside else ""


@tool
def add_keys(session: Session, *, server: str, database: str, script: str, report: str) -> str:
    """Add the foreign keys that pg_restore could not add, NOT VALID if rows break them; report those keys."""
    text = session.inventory.path(script).read_text(encoding="utf-8", errors="surrogateescape")
    broken: list[foreign_keys.BrokenKey] = []
    if keys := foreign_keys.read_keys(text):
        with session.connect(server, database) as connection:
            broken = foreign_keys.add_missing(connection, keys)
    write_whole(session.inventory.path(report), dump_records(broken))
    return "\n".join(f"WARNING: {one.reported}" for one in broken)


@tool
def check_keys(session: Session, *, target: str, report: str) -> str:
    """Refuse a clone whose partitions have a foreign key instead of their table: its schema is not production's."""
    found = [name for name, parts in foreign_keys.names(session.inventory.path(report)).items() if parts]
    if found:
        raise Refused(
            f"{target}: rows break foreign key {few(found)}, and a server before PostgreSQL 18 restores such a key on "
            "each partition only, so a clone would not have production's schema",
            "correct or delete these rows on production   (or use a test server with PostgreSQL 18 or later), then   "
            "inv undo",
        )
    return ""


@tool
def tighten_checks(
    session: Session,
    *,
    server: str,
    database: str,
    before: str,
    report: str,
    path_of: str = "",
    form: str = "",
    done: str = "",
) -> str:
    """Validate the deferred checks, fill the materialized views that need search_path, and report failures.

    Also report what no dump contains and a restore made differently. ``form`` is empty for a complete restore, or
    ``bare`` for one without owners and grants. At its end it writes the report to the file ``done``."""
    dumped = fingerprint.read(session.inventory.path(before))
    aside, views = deferred_checks.read(session.inventory.path(report)), deferred_checks.views(dumped.objects)
    spread = sorted(name.removeprefix("table ") for kind, name in dumped.objects if kind == "spread")
    moved = f"rows of {few(spread)} may be in another of these partitions, which hash an enum by its oids"
    path = _path(session, path_of) if aside or views else ""
    with session.connect(server, database) as connection:
        there = connection.execute((SQL_FOLDER / "not_dumped.sql").read_bytes()).fetchall()
        other = not_dumped(dumped.objects, {(one["object"], one["name"]): one["is"] for (one,) in there}, form)
        said = deferred_checks.tighten(connection, aside, views.values(), path) if aside or views else ""
    found = "; ".join(filter(None, [*other, moved if spread else "", said]))
    if done:
        write_whole(session.inventory.path(done), found)
    return found


def _path(session: Session, target: str) -> str:
    """Return the search_path of a target's own sessions; the default without a target."""
    return search_path(session, target) if target else '"$user", public'


@tool
def fill_views(session: Session, *, server: str, database: str, before: str, report: str) -> str:
    """Fill the materialized views of a database without rows, and record which stay empty, and why."""
    views = deferred_checks.views(fingerprint.read(session.inventory.path(before)).objects)
    empty: list[str] = []
    if views:
        path = _path(session, server)
        with session.connect(server, database) as connection:
            there = {str(name) for (name,) in connection.execute(_VIEWS).fetchall()}
            connection.execute("SELECT set_config('search_path', %s, false)", [path])
            empty = deferred_checks.fill(connection, [name for name in views.values() if name in there])
    write_whole(session.inventory.path(report), json.dumps(empty, ensure_ascii=False))
    return ""
