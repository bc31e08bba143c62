"""Record the rows that a salvage inserted, so that they can be proved and deleted again.

``salvaged.json`` in the run's folder describes the record. Beside it there is one file for each table with key and
hash of each inserted row, and one for each link with key and value. The files are written before the transaction
commits; its id tells afterwards whether it was committed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel

from ops.core.errors import OpsError, Refused, StepFailed
from ops.core.files import write_lines, write_whole
from ops.core.sql_names import identifier
from ops.recovery.salvage.insert import lock, switch
from ops.recovery.salvage.live_catalog import Catalog, LiveTable, read_catalog
from ops.recovery.salvage.related_tables import Closure
from ops.recovery.salvage.report import Report
from ops.recovery.salvage.staging import Connection, hashed, one, run
from ops.verdict.row_hash import told_key

NOTE = "salvaged.json"


class NotedRows(BaseModel):
    """Inserted rows: the table, its key, the hashed columns, and the file."""

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    rows: int
    file: str


class NotedLinks(NotedRows):
    """Restored links: the columns are the link's, and the file has their values instead of hashes."""


class Noted(BaseModel):
    """The record of one salvage.

    ``transaction`` and ``system`` tell whether it was committed. ``report`` is its report."""

    transaction: int
    system: str
    report: Report
    tables: list[NotedRows] = []
    links: list[NotedLinks] = []

    @property
    def rows(self) -> int:
        """Return the number of inserted rows."""
        return sum(table.rows for table in self.tables)

    @property
    def linked(self) -> int:
        """Return the number of restored links."""
        return sum(link.rows for link in self.links)


def note(connection: Connection, found: Closure, folder: Path, links: dict[int, int], report: Report) -> Noted:
    """Write the record of this transaction before it commits."""
    row = connection.execute(
        "SELECT txid_current(), (SELECT system_identifier::text FROM pg_control_system())"
    ).fetchone()
    assert row is not None
    noted = Noted(transaction=int(row[0]), system=str(row[1]), report=report)
    for part in found.inserting:
        file, columns = f"salvaged-{part.number}.txt", tuple(column.name for column in part.live.columns)
        write_lines(folder / file, _copied(connection, f"SELECT key, hash FROM pg_temp.n{part.number}"))
        count = one(connection, f"SELECT count(*) FROM pg_temp.n{part.number}")
        noted.tables.append(NotedRows(table=part.live.name, key=part.live.key, columns=columns, rows=count, file=file))
    for edge in found.edges:
        if links.get(edge.number):
            file, child = f"linked-{edge.number}.txt", edge.child.live
            write_lines(folder / file, _copied(connection, f"SELECT key, value FROM pg_temp.k{edge.number}"))
            noted.links.append(
                NotedLinks(
                    table=child.name, key=child.key, columns=edge.link.columns, rows=links[edge.number], file=file
                )
            )
    write_whole(folder / NOTE, noted.model_dump_json())
    return noted


def _copied(connection: Connection, query: str) -> Iterator[str]:
    with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT".encode()) as rows:
        left = b""
        for block in rows:
            *lines, left = (left + bytes(block)).split(b"\n")
            yield from (line.decode() for line in lines)


def read_note(folder: Path) -> Noted | None:
    """Read the record; None if there is none.

    Raises:
        OpsError: the file is damaged.
    """
    path = folder / NOTE
    try:
        return Noted.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        raise OpsError(f"{path}: the record of the salvaged rows is damaged", "inv runs") from None


def ended(connection: Connection, noted: Noted) -> bool:
    """Return True if the recorded transaction was committed on this server.

    Raises:
        StepFailed: the transaction is still running.
        Refused: this is another server.
    """
    row = connection.execute(
        "SELECT system_identifier::text, CASE WHEN %s <= txid_snapshot_xmax(txid_current_snapshot()) "
        "THEN txid_status(%s) END FROM pg_control_system()",
        [noted.transaction, noted.transaction],
    ).fetchone()
    if row is None or str(row[0]) != noted.system:
        raise Refused("this is not the server into which the rows were salvaged", "inv status")
    if row[1] == "in progress":
        raise StepFailed("the salvage's transaction is still running", "inv status   then repeat the command")
    # The server forgets very old transactions; their recorded rows identify them.
    return str(row[1]) == "committed" or (row[1] is None and bool(noted.rows or noted.linked))


def load(connection: Connection, noted: Noted, folder: Path) -> None:
    """Read the recorded rows and links into session tables: ``n0``…, ``k0``…."""
    for number, table in enumerate(noted.tables):
        run(connection, f"CREATE TEMP TABLE n{number} (key text[], hash bigint) ON COMMIT DROP")
        _fill(connection, f"n{number}", folder / table.file)
    for number, link in enumerate(noted.links):
        run(connection, f"CREATE TEMP TABLE k{number} (key text[], value text[]) ON COMMIT DROP")
        _fill(connection, f"k{number}", folder / link.file)


def _fill(connection: Connection, name: str, file: Path) -> None:
    copying = f"COPY pg_temp.{name} FROM STDIN".encode()
    with file.open("rb") as lines, connection.cursor() as cursor, cursor.copy(copying) as into:
        while block := lines.read(1 << 20):
            into.write(block)
    run(connection, f"ANALYZE pg_temp.{name}")


def _key(names: Iterable[str], row: str) -> str:
    return f"ARRAY[{', '.join(told_key(f'{row}.{identifier(name)}') for name in names)}]::text[]"


def gone(connection: Connection, noted: Noted) -> tuple[int, int]:
    """Return how many recorded rows are not live any more, and how many have other content."""
    away = changed = 0
    for number, table in enumerate(noted.tables):
        if not table.key:
            away += _away_unkeyed(connection, number, table)
            continue
        live = f"SELECT {_key(table.key, 'x')} AS key, {hashed(table.columns, 'x')} AS hash FROM ONLY {table.table} x"
        row = connection.execute(
            f"SELECT count(*) FILTER (WHERE live.key IS NULL), count(*) FILTER (WHERE live.hash <> n.hash) "
            f"FROM pg_temp.n{number} n LEFT JOIN ({live}) live ON live.key = n.key".encode()
        ).fetchone()
        assert row is not None
        away, changed = away + int(row[0]), changed + int(row[1])
    return away, changed


def _away_unkeyed(connection: Connection, number: int, table: NotedRows) -> int:
    live = f"SELECT {hashed(table.columns, 'x')} AS hash FROM ONLY {table.table} x"
    return one(connection, f"SELECT count(*) FROM (SELECT hash FROM pg_temp.n{number} EXCEPT ALL {live}) away")


def take_back(connection: Connection, noted: Noted, folder: Path, target: str) -> tuple[int, int]:
    """Delete exactly the recorded rows and set the recorded links to NULL, in the present transaction.

    Returns:
        the numbers of rows and links.

    Raises:
        Refused: a row was changed since, or a newer row refers to one; nothing is changed.
    """
    live = read_catalog(connection)
    tables = [table.table for table in noted.tables] + [link.table for link in noted.links]
    if missing := [name for name in tables if name not in live]:
        raise Refused(f"{target}: {missing[0]} does not exist any more, so the salvage cannot be undone", "inv status")
    if tables:
        lock(connection, tables)
    load(connection, noted, folder)
    away, changed = gone(connection, noted)
    if away or changed:
        raise Refused(
            f"{target}: of the salvaged rows {away:,} are missing and {changed:,} were changed since; undoing the "
            "salvage would lose these changes, so nothing was changed",
            f"inv status --target={target}   and leave the rows; the safety backup has the state before the salvage",
        )
    _triggers(connection, live, tables, on=False)
    links = sum(_unlink(connection, number, link) for number, link in enumerate(noted.links))
    _refuse_followers(connection, live, noted, target)
    rows = sum(_delete(connection, n, table) for n, table in reversed(list(enumerate(noted.tables))))
    run(connection, "SET CONSTRAINTS ALL IMMEDIATE")
    _triggers(connection, live, tables, on=True)
    still = sum(one(connection, _there(number, table)) for number, table in enumerate(noted.tables) if table.key)
    if rows != noted.rows or still:
        raise StepFailed(
            f"{target}: only {rows:,} of {noted.rows:,} rows could be deleted, so nothing was changed", "inv status"
        )
    return rows, links


def _triggers(connection: Connection, live: Catalog, tables: Iterable[str], *, on: bool) -> None:
    for name in sorted(set(tables)):
        switch(connection, live[name], on=on)


def _unlink(connection: Connection, number: int, link: NotedLinks) -> int:
    """Clear the links. A link that refers to another row now was set by somebody else, and stays."""
    sets = ", ".join(f"{identifier(name)} = NULL" for name in link.columns)
    return run(
        connection,
        f"UPDATE ONLY {link.table} x SET {sets} FROM pg_temp.k{number} k "
        f"WHERE {_key(link.key, 'x')} = k.key AND {_key(link.columns, 'x')} = k.value",
    )


def _there(number: int, table: NotedRows) -> str:
    keys = f"SELECT key FROM pg_temp.n{number}"
    return f"SELECT count(*) FROM ONLY {table.table} x WHERE {_key(table.key, 'x')} IN ({keys})"


def _delete(connection: Connection, number: int, table: NotedRows) -> int:
    if table.key:
        where = f"{_key(table.key, 'x')} = n.key"
        return run(connection, f"DELETE FROM ONLY {table.table} x USING pg_temp.n{number} n WHERE {where}")
    ranked = (
        f"SELECT x.ctid AS place, {hashed(table.columns, 'x')} AS hash, row_number() OVER (PARTITION BY "
        f"{hashed(table.columns, 'x')} ORDER BY x.ctid DESC) AS number FROM ONLY {table.table} x"
    )
    noted = f"SELECT hash, count(*) AS many FROM pg_temp.n{number} GROUP BY 1"
    return run(
        connection,
        f"DELETE FROM ONLY {table.table} WHERE ctid IN (SELECT ranked.place FROM ({ranked}) ranked "
        f"JOIN ({noted}) noted ON noted.hash = ranked.hash AND ranked.number <= noted.many)",
    )


def _refuse_followers(connection: Connection, live: Catalog, noted: Noted, target: str) -> None:
    numbers = {table.table: number for number, table in enumerate(noted.tables) if table.key and table.rows}
    said = []
    for child in live.values():
        for link in child.links:
            if link.to in numbers and not child.partitioned:
                count = one(connection, _followers(child, live[link.to], link.columns, link.to_columns, numbers))
                said += [f"{count:,} of {child.name}"] if count else []
    if said:
        raise Refused(
            f"{target}: rows written since refer to salvaged rows ({', '.join(said)}); undoing the salvage would "
            "break these references, so nothing was changed",
            f"inv status --target={target}   and leave the rows",
        )


def _followers(
    child: LiveTable, parent: LiveTable, columns: Iterable[str], to: Iterable[str], numbers: dict[str, int]
) -> str:
    equal = " AND ".join(f"y.{identifier(a)} = x.{identifier(b)}" for a, b in zip(columns, to, strict=True))
    own = ""
    if child.name in numbers:
        own = f" AND {_key(child.key, 'y')} NOT IN (SELECT key FROM pg_temp.n{numbers[child.name]})"
    return (
        f"SELECT count(*) FROM ONLY {child.name} y JOIN {parent.rows} x ON {equal} "
        f"JOIN pg_temp.n{numbers[parent.name]} n ON n.key = {_key(parent.key, 'x')} WHERE true{own}"
    )


def write_left(file: Path, lines: Iterable[dict[str, object]]) -> None:
    """Write the rows that were not inserted, one JSON object a line."""
    write_lines(file, (json.dumps(line, ensure_ascii=False) for line in lines))


def taken_back(connection: Connection, noted: Noted, folder: Path) -> bool:
    """Return True if no recorded row is live: an undo was killed after its transaction."""
    if not noted.rows:
        return False
    with connection.transaction():
        load(connection, noted, folder)
        return gone(connection, noted)[0] == noted.rows


def forget(folder: Path) -> None:
    """Rename the record, because its rows were deleted."""
    (folder / NOTE).rename(folder / f"undone-{NOTE}")
