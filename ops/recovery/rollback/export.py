"""Define the actions of a delta: the rows that a rollback sets aside, as a backup."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg

from ops.backups.actions import sealed
from ops.core.errors import StepFailed
from ops.core.files import write_lines, write_whole
from ops.core.sql_names import identifier
from ops.core.text import counted
from ops.engine.registry import tool
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.recovery.rollback import loss
from ops.recovery.rollback.connections import exists, opened
from ops.recovery.rollback.row_changes import DELETED, Counterpart, counterparts, rows_of
from ops.release.certificate_chain import moves_between
from ops.verdict import fingerprint
from ops.verdict.databases import Databases
from ops.verdict.row_hash import row_hash

# Rows per statement.
AT_ONCE = 50_000

Connection = psycopg.Connection[Any]


@tool
def fill_delta(
    session: Session,
    *,
    target: str,
    database: str,
    source: str,
    before: str,
    after: str,
    shown: str,
    since: str,
    report: str,
) -> str:
    """Copy the rows that were inserted or updated since the backup from the replaced database to an empty one."""
    old, now = (fingerprint.read(session.inventory.path(name)) for name in (before, after))
    pairs = counterparts(old, now, moves_between(target_folder(session, target), old, now))
    first, later = (_files(session.inventory.path(name)) for name in (shown, since))
    copied: dict[str, int] = {}
    session.inventory.path(report).unlink(missing_ok=True)
    with (
        opened(session, target, source),
        session.connect(target, source) as one,
        session.connect(target, database) as two,
    ):
        Databases({"after": one})
        for pair in pairs:
            hashes = _written(first.get(pair.name), later.get(pair.name))
            if pair.after and (found := _fill(one, two, pair, hashes)):
                copied[pair.name] = found
    write_whole(session.inventory.path(report), json.dumps(copied, ensure_ascii=False))
    rows = sum(copied.values())
    return f"{counted(rows, 'row')} of {counted(len(copied), 'table')}"


def _files(report: Path) -> dict[str, Path]:
    """Return the file with every key, by table."""
    return {table.table: report.parent / table.every_key for table in loss.read(report).tables}


def _written(first: Path | None, later: Path | None) -> Iterator[int]:
    """Return the hashes of the keys of the rows to copy, each once."""
    again = {hash_ for what, hash_, _, _ in loss.every_change(later) if what != DELETED} if later else set()
    yield from again
    for what, hash_, _, _ in loss.every_change(first) if first else ():
        if what != DELETED and hash_ not in again:
            yield hash_


def _fill(source: Connection, delta: Connection, pair: Counterpart, hashes: Iterator[int]) -> int:
    """Copy a table's rows, after removing the rows of an interrupted copy."""
    found = 0
    with delta.transaction():
        delta.execute(f"TRUNCATE ONLY {pair.name}".encode())
        while part := list(islice(hashes, AT_ONCE)):
            found += _copy(source, delta, pair, dict.fromkeys(part))
    return found


def _copy(source: Connection, delta: Connection, pair: Counterpart, hashes: Iterable[int]) -> int:
    rows = rows_of(pair, "after")
    if rows is None:
        return 0
    columns = ", ".join(identifier(name) for name in _stored(source, pair.name))
    listed = ", ".join(map(str, hashes))
    wanted = f"{row_hash(rows.key)} IN (SELECT unnest(ARRAY[{listed}]::bigint[]))"
    chosen = f"SELECT {columns} FROM ONLY {pair.name} x WHERE {wanted}"
    with source.cursor() as one, delta.cursor() as two:
        with (
            one.copy(f"COPY ({chosen}) TO STDOUT".encode()) as read,
            two.copy(f"COPY {pair.name} ({columns}) FROM STDIN".encode()) as write,
        ):
            for data in read:
                write.write(data)
        return two.rowcount


def _stored(source: Connection, table: str) -> list[str]:
    """Return the columns that can be written, without generated columns."""
    query = (
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
        "AND attgenerated = '' ORDER BY attnum"
    )
    return [str(name) for (name,) in source.execute(query, [table])]


@tool
def check_delta(session: Session, *, target: str, database: str, report: str) -> str:
    """Check that a delta holds as many rows of each table as were copied."""
    file = session.inventory.path(report)
    copied: dict[str, int] = json.loads(file.read_text()) if file.is_file() else {}
    if not file.is_file() or not exists(session, target, database):
        raise StepFailed(f"{target}: the copy of the delta is incomplete", "inv resume")
    with session.connect(target, database) as delta:
        for name, wanted in copied.items():
            try:
                row = delta.execute(f"SELECT count(*) FROM ONLY {name}".encode()).fetchone()
            except psycopg.errors.UndefinedTable:
                row = None
            if row is None or row[0] != wanted:
                raise StepFailed(f"{target}: {name}: not all of {wanted:,} rows are in the delta", "inv resume")
    return f"the delta holds {sum(copied.values()):,} rows"


@tool
def note_deleted(session: Session, *, shown: str, since: str, output: str) -> str:
    """Write the keys of the rows that were deleted since the backup, one JSON object a line."""
    where = session.inventory.path
    files = [(table, file) for report in (shown, since) for table, file in _files(where(report)).items()]
    write_lines(where(output), _deleted(files))
    return ""


def _deleted(files: Iterable[tuple[str, Path]]) -> Iterator[str]:
    for table, file in files:
        for what, _, _, key in loss.every_change(file):
            if what == DELETED:
                yield json.dumps({"table": table, "key": key}, ensure_ascii=False)


@tool
def seal_delta(session: Session, *, target: str, backup_id: str, run: str, delta_of: str) -> str:
    """Write the manifest of a finished delta, which names the delta's backup."""
    return sealed(session, target, backup_id, run, delta_of)
