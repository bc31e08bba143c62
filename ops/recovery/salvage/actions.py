"""Define the actions of a salvage: count, insert, check, take back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict, Unpack

import psycopg

from ops.core.errors import Refused, StepFailed
from ops.core.files import write_whole
from ops.core.records import dump_records
from ops.core.text import listed
from ops.engine.registry import tool
from ops.infra.postgres.session_settings import PATH, application
from ops.infra.session.server import search_path
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.recovery.salvage import column_mapping, generated_columns, insert, scratch_tables, staging, take_back
from ops.recovery.salvage import report as tell
from ops.recovery.salvage.generated_columns import Computed
from ops.recovery.salvage.live_catalog import read_catalog
from ops.recovery.salvage.names import COLUMNS, read_pairs
from ops.recovery.salvage.related_tables import LINKED, MAIN, RELATED, Closure, closure
from ops.recovery.salvage.report import LEFT, REPORT, Report
from ops.recovery.salvage.resolve import verdicts
from ops.recovery.salvage.staging import Connection
from ops.verdict import fingerprint
from ops.verdict.databases import settings


class SalvageOptions(TypedDict):
    """The options of the actions that count, insert and check, as text. ``tables`` and the like are pairs."""

    target: str
    backup_id: str
    run: str
    aside: str
    tables: str
    related: str
    linked: str
    new_keys: str
    values: str
    report: str


@tool
def same_tables(session: Session, *, before: str, after: str, tables: str, columns: str = "") -> str:
    """Compare some tables of two fingerprints; all tables if none is named.

    ``columns`` is the report of ``compute-columns``: tables with a column that cannot be computed have as many rows."""
    one, two = (fingerprint.read(session.inventory.path(name)) for name in (before, after))
    lacking = {found.table for found in _uncomputed(session, columns)}
    names = _sources(one, tables)
    for name in names:
        old, new = one.tables.get(name), two.tables.get(name)
        same = fingerprint.equal(old, new) or (name in lacking and old and new and old.rows == new.rows)
        if old is None or not same:
            raise StepFailed(f"{after}: {name} differs from the dump", "inv resume")
    counted = sorted(lacking & set(names))
    more = f"; without a generated column, compared by the number of rows: {listed(counted)}" if counted else ""
    return f"{len(names) - len(counted)} tables are equal{more}"


def _uncomputed(session: Session, report: str) -> list[Computed]:
    found = generated_columns.read(session.inventory.path(report)) if report else []
    return [one for one in found if one.why]


def _sources(dumped: fingerprint.Fingerprint, tables: str) -> list[str]:
    return [name for name, _ in read_pairs(tables)] if tables else list(dumped.tables)


@tool
def need_tables(
    session: Session, *, server: str, database: str, before: str, said: str, tables: str, columns: str
) -> str:
    """Create the tables that pg_restore could not create, with columns only; name what is left out.

    Generated columns that call functions become ordinary columns, listed in ``columns`` for ``compute-columns``."""
    dumped = fingerprint.read(session.inventory.path(before))
    names = _sources(dumped, tables)
    needed = [dumped.tables[name] for name in names if name in dumped.tables]
    printed = session.inventory.path(said).read_text(encoding="utf-8", errors="replace")
    with session.connect(server, database) as connection:
        told = scratch_tables.complete(connection, server, needed, printed)
        found = [*generated_columns.loosen(connection), *generated_columns.of_failed(printed, names)]
    write_whole(session.inventory.path(columns), dump_records(found))
    return told


@tool
def compute_columns(session: Session, *, server: str, database: str, before: str, tables: str, columns: str) -> str:
    """Compute the generated columns of the restored rows, and name those whose values are not the backup's."""
    dumped, path = fingerprint.read(session.inventory.path(before)), session.inventory.path(columns)
    wanted = {name: dumped.tables[name] for name in _sources(dumped, tables) if name in dumped.tables}
    found = [one for one in generated_columns.read(path) if one.table in wanted]
    if found:
        with session.connect(server, database) as connection:
            found = generated_columns.compute(connection, found, wanted, search_path(session, server))
        write_whole(path, dump_records(found))
    return "\n".join(
        f"WARNING: {one.table} is restored without its generated column {one.column}: {one.why}; production computes "
        "the column of each row that comes back"
        for one in found
        if one.why
    )


@tool
def salvage_count(session: Session, **options: Unpack[SalvageOptions]) -> str:
    """Compare the backup's rows with the live ones in a read-only session, and count the rows to insert."""
    with _connections(session, options) as (live, backup):
        found = _closure(session, live, options)
        with live.transaction():
            staging.prepare(live, found)
            live.execute("SET TRANSACTION READ ONLY")
            _decide(live, backup, found, options["new_keys"])
            counted = tell.count(live, found, options["backup_id"])
    write_whole(session.inventory.path(options["report"]) / REPORT, counted.model_dump_json(indent=1))
    rows, links = counted.totals
    return "\n".join([f"{rows:,} rows and {links:,} links come back", *tell.lines(counted)])


@tool
def salvage_insert(session: Session, *, lock_timeout: str, **options: Unpack[SalvageOptions]) -> str:
    """Insert the counted rows in one transaction that locks out other writers; never more than counted."""
    folder = session.inventory.path(options["report"])
    counted = Report.model_validate_json((folder / REPORT).read_bytes())
    with _connections(session, options) as (live, backup):
        noted = take_back.read_note(folder)
        if noted and take_back.ended(live, noted):
            write_whole(folder / REPORT, noted.report.model_dump_json(indent=1))
            return f"{noted.rows:,} rows and {noted.linked:,} links came back before the interruption"
        found = _closure(session, live, options)
        with live.transaction():
            staging.prepare(live, found)
            staging.fill(live, backup, found)
            live.execute(f"SET LOCAL lock_timeout = {float(lock_timeout) * 1000:.0f}".encode())
            insert.lock(live, insert.written(found))
            staging.decide(live, found, options["new_keys"] == "yes")
            done = tell.count(live, found, options["backup_id"])
            _no_more(options["target"], counted, done)
            brought, links = insert.bring(live, found)
            for table in done.tables:
                table.keys = brought[table.into].keys
            done.done = True
            take_back.write_left(folder / LEFT, tell.left_rows(live, found))
            take_back.note(live, found, folder, links, done)
    write_whole(folder / REPORT, done.model_dump_json(indent=1))
    return "\n".join(["{:,} rows and {:,} links came back".format(*done.totals), *tell.lines(done)])


@tool
def salvage_check(session: Session, **options: Unpack[SalvageOptions]) -> str:
    """Prove that every inserted row is live, and that every row of the backup is live or listed."""
    folder, target = session.inventory.path(options["report"]), options["target"]
    noted = take_back.read_note(folder)
    if noted is None:
        raise StepFailed(f"{target}: nothing was inserted yet", "inv resume")
    told = Report.model_validate_json((folder / REPORT).read_bytes())
    listed = _listed(folder / LEFT)
    with _connections(session, options) as (live, backup):
        if not take_back.ended(live, noted):
            unended = "the rows were not inserted: the transaction was not committed"
            raise StepFailed(f"{target}: {unended}", "inv resume")
        found = _closure(session, live, options)
        with live.transaction():
            take_back.load(live, noted, folder)
            staging.prepare(live, found)
            live.execute("SET TRANSACTION READ ONLY")
            _decide(live, backup, found, "no")
            away, changed = take_back.gone(live, noted)
            missing = [row for row in tell.missing_rows(live, found) if row not in listed]
    if away or missing:
        what = f"{away:,} of the inserted rows are not live" if away else f"{missing[0][0]} {missing[0][1]} is missing"
        raise StepFailed(f"{target}: {what}", "inv undo")
    if told.done and told.totals[0] != noted.rows:
        raise StepFailed(f"{target}: {noted.rows:,} rows were inserted, {told.totals[0]:,} were reported", "inv undo")
    since = f"; {changed:,} were changed since" if changed else ""
    return f"{noted.rows:,} rows and {noted.linked:,} links are live, {len(listed):,} rows are listed{since}"


@tool
def salvage_remove(session: Session, *, target: str, run: str, report: str, lock_timeout: str) -> str:
    """Delete exactly the inserted rows, unless somebody has changed them or refers to them."""
    folder = session.inventory.path(report)
    noted = take_back.read_note(folder)
    if noted is None:
        return "nothing was inserted"
    with _connection(session, target, run) as live:
        if not take_back.ended(live, noted):
            take_back.forget(folder)
            return "nothing was inserted: the transaction was not committed"
        if take_back.taken_back(live, noted, folder):
            take_back.forget(folder)
            return "the rows were deleted before"
        with live.transaction():
            live.execute(f"SET LOCAL lock_timeout = {float(lock_timeout) * 1000:.0f}".encode())
            rows, links = take_back.take_back(live, noted, folder, target)
    take_back.forget(folder)
    return f"{rows:,} rows were deleted and {links:,} links were cleared"


def _listed(file: Path) -> set[tuple[str, str]]:
    with file.open() as lines:
        rows = [json.loads(line) for line in lines]
    return {(row["table"], row["key"]) for row in rows}


def _decide(live: Connection, backup: Connection, found: Closure, new_keys: str) -> None:
    staging.fill(live, backup, found)
    staging.decide(live, found, new_keys == "yes")


def _no_more(target: str, counted: Report, now: Report) -> None:
    """Refuse to insert more rows than the operator has seen.

    Raises:
        Refused: more rows would be inserted.
    """
    shown = {table.into: table.back + table.new_keys for table in counted.tables}
    for table in now.tables:
        many = table.back + table.new_keys
        if many > shown.get(table.into, 0):
            raise Refused(
                f"{target}: {table.into}: {many:,} rows would come back now, {shown.get(table.into, 0):,} were "
                "shown; somebody deleted rows in between, so nothing was changed",
                "inv undo   then repeat the salvage",
            )


def _closure(session: Session, live: Connection, options: SalvageOptions) -> Closure:
    target = options["target"]
    folder = target_folder(session, target)
    old = fingerprint.read(folder / "backups" / options["backup_id"] / "fingerprint.jsonl")
    catalog = read_catalog(live)
    roles = [(MAIN, options["tables"]), (RELATED, options["related"]), (LINKED, options["linked"])]
    pairs = [(source, into, role) for role, text in roles if text for source, into in read_pairs(text)]
    for source, into, _ in pairs:
        if source not in old.tables or into not in catalog:
            raise Refused(f"{target}: {source} → {into}: one of the tables does not exist", "inv salvage … --plan")
    found = column_mapping.homes(old, catalog, {source: into for source, into, _ in pairs}, verdicts(folder))
    pairings = [(found.pair(old, catalog, source, into), role) for source, into, role in pairs]
    for one in _uncomputed(session, f"{options['report']}/{COLUMNS}"):
        if any(pairing.source == one.table and one.column in pairing.columns for pairing, _ in pairings):
            said = f"its generated column {one.column} can't be computed, and production does not compute it any more"
            raise Refused(f"{target}: {one.table}: {said}: {one.why}", one.then or f"inv backups --target={target}")
    given = dict(value.partition("=")[::2] for value in json.loads(options["values"] or "[]"))
    return closure(catalog, pairings, given)


@contextmanager
def _connections(session: Session, options: SalvageOptions) -> Iterator[tuple[Connection, Connection]]:
    target, run = options["target"], options["run"]
    with _connection(session, target, run) as live, _connection(session, target, run, options["aside"]) as backup:
        backup.execute("SET default_transaction_read_only = on")
        backup.execute("SET search_path = pg_catalog")
        yield live, backup


@contextmanager
def _connection(session: Session, target: str, run: str, database: str = "") -> Iterator[Connection]:
    """Open a session that renders each value uniquely, and that may write to a frozen production."""
    with session.connect(target, database, own=PATH, application_name=application(run)) as connection:
        try:
            connection.execute(settings())
            connection.execute("SET search_path TO DEFAULT")
            # The session's tables grow while they are used, and a plan made for one row would take hours.
            connection.execute("SET enable_nestloop = off")
            connection.execute("SET default_transaction_read_only = off")
            yield connection
        except psycopg.Error as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            where = [line for line in lines[1:] if line.startswith(("DETAIL", "CONTEXT"))][:1]
            said = session.redact(" ".join([lines[0], *where]))
            raise StepFailed(f"{target}: {said}; the whole transaction was rolled back") from None
