"""Tools of the salvage: count, insert, check, take back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from ops import fingerprint
from ops.errors import Refused, StepFailed
from ops.files import write_whole
from ops.look import settings
from ops.probes import target_folder
from ops.salvage import back, insert, mapping, stage, tell
from ops.salvage.catalog import read_catalog
from ops.salvage.closure import LINKED, MAIN, RELATED, Closure, closure
from ops.salvage.names import read_pairs
from ops.salvage.stage import Session
from ops.salvage.tell import LEFT, REPORT, Report
from ops.salvage.wanted import verdicts
from ops.tools.registry import tool
from ops.world import World, application


@tool
def same_tables(world: World, *, before: str, after: str, tables: str) -> str:
    """Compare some tables of two fingerprints; all of them where none is named."""
    one, two = (fingerprint.read(world.inventory.path(name)) for name in (before, after))
    names = [name for name, _ in read_pairs(tables)] if tables else list(one.tables)
    for name in names:
        if name not in one.tables or not fingerprint.equal(one.tables[name], two.tables.get(name)):
            raise StepFailed(f"{after}: {name} is not what was dumped", "inv resume")
    return f"{len(names)} tables are equal"


@tool
def salvage_count(
    world: World,
    *,
    target: str,
    backup_id: str,
    run: str,
    aside: str,
    tables: str,
    related: str,
    linked: str,
    new_keys: str,
    values: str,
    report: str,
) -> str:
    """Lay the backup's rows beside the live ones and count what would come back; the server lets it change nothing."""
    with _sessions(world, target, run, aside) as (live, backup):
        found = _closure(world, live, target, backup_id, tables, related, linked, values)
        with live.transaction():
            stage.prepare(live, found)
            live.execute("SET TRANSACTION READ ONLY")
            _decide(live, backup, found, new_keys)
            counted = tell.count(live, found, backup_id)
    write_whole(world.inventory.path(report) / REPORT, counted.model_dump_json(indent=1))
    rows, links = counted.totals
    return "\n".join([f"{rows:,} rows and {links:,} links come back", *tell.lines(counted)])


@tool
def salvage_insert(
    world: World,
    *,
    target: str,
    backup_id: str,
    run: str,
    aside: str,
    tables: str,
    related: str,
    linked: str,
    new_keys: str,
    values: str,
    report: str,
    lock_timeout: str,
) -> str:
    """Bring back what was counted, in one transaction that holds writers of these tables off; never more than that."""
    folder = world.inventory.path(report)
    counted = Report.model_validate_json((folder / REPORT).read_bytes())
    with _sessions(world, target, run, aside) as (live, backup):
        noted = back.read_note(folder)
        if noted and back.ended(live, noted):
            write_whole(folder / REPORT, noted.report.model_dump_json(indent=1))
            return f"{noted.rows:,} rows and {noted.linked:,} links came back before the interruption"
        found = _closure(world, live, target, backup_id, tables, related, linked, values)
        with live.transaction():
            stage.prepare(live, found)
            stage.fill(live, backup, found)
            live.execute(f"SET LOCAL lock_timeout = {float(lock_timeout) * 1000:.0f}".encode())
            insert.lock(live, insert.written(found))
            stage.decide(live, found, new_keys == "yes")
            done = tell.count(live, found, backup_id)
            _no_more(target, counted, done)
            brought, links = insert.bring(live, found)
            for table in done.tables:
                table.keys = brought[table.into].keys
            done.done = True
            back.write_left(folder / LEFT, tell.left_rows(live, found))
            back.note(live, found, folder, links, done)
    write_whole(folder / REPORT, done.model_dump_json(indent=1))
    rows, many = done.totals
    return "\n".join([f"{rows:,} rows and {many:,} links came back", *tell.lines(done)])


@tool
def salvage_check(
    world: World,
    *,
    target: str,
    backup_id: str,
    run: str,
    aside: str,
    tables: str,
    related: str,
    linked: str,
    new_keys: str,
    values: str,
    report: str,
) -> str:
    """Prove, from what is live: every row that was noted is there, and every row of the backup is there or listed."""
    folder = world.inventory.path(report)
    noted = back.read_note(folder)
    if noted is None:
        raise StepFailed(f"{target}: nothing was inserted yet", "inv resume")
    told = Report.model_validate_json((folder / REPORT).read_bytes())
    listed = _listed(folder / LEFT)
    with _sessions(world, target, run, aside) as (live, backup):
        if not back.ended(live, noted):
            raise StepFailed(
                f"{target}: the rows were not inserted: the transaction did not come to its end", "inv resume"
            )
        found = _closure(world, live, target, backup_id, tables, related, linked, values)
        with live.transaction():
            back.load(live, noted, folder)
            stage.prepare(live, found)
            live.execute("SET TRANSACTION READ ONLY")
            _decide(live, backup, found, "no")
            away, changed = back.gone(live, noted)
            missing = [row for row in tell.missing_rows(live, found) if row not in listed]
    if away or missing:
        what = f"{away:,} of the inserted rows are not there" if away else f"{missing[0][0]} {missing[0][1]} is missing"
        raise StepFailed(f"{target}: {what}", "inv undo")
    if told.done and told.totals[0] != noted.rows:
        raise StepFailed(f"{target}: {noted.rows:,} rows were inserted, {told.totals[0]:,} were told", "inv undo")
    since = f"; {changed:,} were changed since" if changed else ""
    return f"{noted.rows:,} rows and {noted.linked:,} links are there, {len(listed):,} rows are listed{since}"


@tool
def salvage_remove(world: World, *, target: str, run: str, report: str, lock_timeout: str) -> str:
    """Delete exactly the rows that a salvage inserted, where nobody has changed them or led to them since."""
    folder = world.inventory.path(report)
    noted = back.read_note(folder)
    if noted is None:
        return "nothing was inserted"
    with _session(world, target, run) as live:
        if not back.ended(live, noted):
            back.forget(folder)
            return "nothing was inserted: the transaction did not come to its end"
        if back.taken_back(live, noted, folder):
            back.forget(folder)
            return "it was taken back before"
        with live.transaction():
            live.execute(f"SET LOCAL lock_timeout = {float(lock_timeout) * 1000:.0f}".encode())
            rows, links = back.take_back(live, noted, folder, target)
    back.forget(folder)
    return f"{rows:,} rows were deleted and {links:,} links are empty again"


def _listed(file: Path) -> set[tuple[str, str]]:
    with file.open() as lines:
        rows = [json.loads(line) for line in lines]
    return {(row["table"], row["key"]) for row in rows}


def _decide(live: Session, backup: Session, found: Closure, new_keys: str) -> None:
    stage.fill(live, backup, found)
    stage.decide(live, found, new_keys == "yes")


def _no_more(target: str, counted: Report, now: Report) -> None:
    """What comes back must not be more than the operator has seen.

    Raises:
        Refused: it would be.
    """
    shown = {table.into: table.back + table.new_keys for table in counted.tables}
    for table in now.tables:
        many = table.back + table.new_keys
        if many > shown.get(table.into, 0):
            raise Refused(
                f"{target}: {table.into}: {many:,} rows would come back by now, {shown.get(table.into, 0):,} were "
                "shown; somebody deleted rows meanwhile, so nothing was changed",
                "inv undo   and then the salvage again",
            )


def _closure(
    world: World, live: Session, target: str, backup_id: str, tables: str, related: str, linked: str, values: str
) -> Closure:
    folder = target_folder(world, target)
    old = fingerprint.read(folder / "backups" / backup_id / "fingerprint.jsonl")
    catalog = read_catalog(live)
    roles = [(MAIN, tables), (RELATED, related), (LINKED, linked)]
    pairs = [(source, into, role) for role, text in roles if text for source, into in read_pairs(text)]
    for source, into, _ in pairs:
        if source not in old.tables or into not in catalog:
            raise Refused(f"{target}: {source} → {into}: one of them is not there any more", "inv salvage … --plan")
    found = mapping.homes(old, catalog, {source: into for source, into, _ in pairs}, verdicts(folder))
    pairings = [(found.pair(old, catalog, source, into), role) for source, into, role in pairs]
    given = dict(value.partition("=")[::2] for value in json.loads(values or "[]"))
    return closure(catalog, pairings, given)


@contextmanager
def _sessions(world: World, target: str, run: str, aside: str) -> Iterator[tuple[Session, Session]]:
    with _session(world, target, run) as live, _session(world, target, run, aside) as backup:
        backup.execute("SET default_transaction_read_only = on")
        backup.execute("SET search_path = pg_catalog")
        yield live, backup


@contextmanager
def _session(world: World, target: str, run: str, database: str = "") -> Iterator[Session]:
    """A session in which every value has one text, and that may write where production is frozen for others."""
    with world.connect(target, database, application_name=application(run)) as session:
        try:
            session.execute(settings())
            session.execute("SET search_path TO DEFAULT")
            # The session's tables change while they are worked on, and a plan made for one row would take hours.
            session.execute("SET enable_nestloop = off")
            session.execute("SET default_transaction_read_only = off")
            yield session
        except psycopg.Error as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            where = [line for line in lines[1:] if line.startswith(("DETAIL", "CONTEXT"))][:1]
            said = world.redact(" ".join([lines[0], *where]))
            raise StepFailed(f"{target}: {said}; all of it is one transaction, and nothing of it was kept") from None
