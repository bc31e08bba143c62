"""Insert the lost rows: decide again under a lock, insert, and prove, all in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ops.core.errors import StepFailed
from ops.core.sql_names import identifier, literal
from ops.recovery.salvage.live_catalog import LiveTable
from ops.recovery.salvage.related_tables import Closure, Edge, Part, into_others
from ops.recovery.salvage.staging import COMES, Connection, hashed, matching, one, relinks, run
from ops.verdict.row_hash import told_key


@dataclass(frozen=True)
class Brought:
    """The rows inserted into one table; ``keys`` maps old keys to new ones."""

    rows: int
    keys: dict[str, str]


def lock(connection: Connection, tables: Iterable[str]) -> None:
    """Block writes to tables until the transaction ends; reads continue.

    The lock waits for present writers, so that numbers which they took from a sequence are in the table."""
    names = ", ".join(sorted(set(tables)))
    run(connection, f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")


def written(found: Closure) -> list[str]:
    """Return the live tables that may be written to."""
    edges = {edge.child.live.name for edge in found.edges if relinks(edge)}
    return sorted({part.live.name for part in found.inserting} | edges)


def bring(connection: Connection, found: Closure) -> tuple[dict[str, Brought], dict[int, int]]:
    """Insert the rows whose fate is to come back, and set the links. The tables are locked and the fates decided.

    Returns:
        the inserted rows by live table, and the number of links by edge.

    Raises:
        StepFailed: a stored row differs from the intended one; the transaction is rolled back.
    """
    run(connection, "SET CONSTRAINTS ALL DEFERRED")
    for part in found.inserting:
        _advance(connection, part)
    for part in found.parts:
        _new_keys(connection, part)
    touched = [part.live for part in found.parts if part.live.name in written(found)]
    for table in touched:
        switch(connection, table, on=False)
    brought = {part.live.name: _insert(connection, part, found) for part in found.inserting}
    links = {edge.number: _link(connection, edge, found) for edge in found.edges}
    run(connection, "SET CONSTRAINTS ALL IMMEDIATE")
    for table in touched:
        switch(connection, table, on=True)
    return brought, links


def switch(connection: Connection, table: LiveTable, *, on: bool) -> None:
    """Disable a table's own triggers and rules, or restore their former state.

    They acted when the rows were first written. The server's internal triggers, which check foreign keys, stay
    enabled."""
    words = {"O": "ENABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA"}
    for kind, ones in (("TRIGGER", table.triggers), ("RULE", table.rules)):
        for name, enabled in ones:
            run(connection, f"ALTER TABLE {table.rows} {words[enabled] if on else 'DISABLE'} {kind} {identifier(name)}")


def _advance(connection: Connection, part: Part) -> None:
    """Advance each sequence at least to the highest key, including inserted rows; never set it back."""
    for column, sequence in part.live.sequences:
        if column not in part.cells:
            continue
        name = identifier(column)
        values = (
            f"SELECT x.{name}::numeric AS v FROM {part.live.rows} x "
            f"UNION ALL SELECT {part.cells[column]}::numeric FROM {part.staged} WHERE fate = 'insert'"
        )
        run(
            connection,
            f"SELECT setval({literal(sequence)}::regclass, "
            "CASE WHEN q.seqincrement > 0 THEN v.most ELSE v.least END::bigint) "
            f"FROM (SELECT max(v) AS most, min(v) AS least FROM ({values}) every_value) v, {sequence} s, pg_sequence q "
            f"WHERE q.seqrelid = {literal(sequence)}::regclass AND NOT q.seqcycle "
            "AND CASE WHEN q.seqincrement > 0 THEN v.most >= s.last_value + s.is_called::int AND v.most <= q.seqmax "
            "ELSE v.least <= s.last_value - s.is_called::int AND v.least >= q.seqmin END",
        )


def _new_keys(connection: Connection, part: Part) -> None:
    run(connection, f"CREATE TEMP TABLE r{part.number} (old bigint PRIMARY KEY, new bigint) ON COMMIT DROP")
    if key := part.renumbered:
        given = f"SELECT {part.cells[key]}, nextval({literal(part.live.sequence(key))}::regclass)"
        run(
            connection,
            f"INSERT INTO pg_temp.r{part.number} {given} FROM {part.staged} WHERE fate = 'rekey' ORDER BY row_id",
        )
        run(connection, f"ANALYZE pg_temp.r{part.number}")


def _value(part: Part, name: str, found: Closure) -> str:
    """Return the SQL of a value to write: new keys, and links to rows with new keys, are replaced."""
    cell = f"s.{part.cells[name]}"
    if name == part.renumbered:
        new = f"(SELECT r.new FROM pg_temp.r{part.number} r WHERE r.old = {cell})"
        return f"CASE s.fate WHEN 'rekey' THEN {new} ELSE {cell} END"
    for link, edge in into_others(part, found.edges):
        if edge and link.columns == (name,) and link.to_columns == (edge.parent.renumbered,):
            renewed = f"(SELECT r.new FROM pg_temp.r{edge.parent.number} r WHERE r.old = {cell})"
            return f"coalesce({renewed}, {cell})"
    return cell


def _insert(connection: Connection, part: Part, found: Closure) -> Brought:
    cells = ", ".join(f"{_value(part, name, found)} AS {cell}" for name, cell in part.cells.items())
    given = "".join(f", {literal(value)}::{part.live.column(name).type} AS g{n}" for n, (name, value) in _given(part))
    run(
        connection,
        f"CREATE TEMP TABLE e{part.number} ON COMMIT DROP AS SELECT {cells}{given}, row_id FROM {part.staged} s "
        f"WHERE fate IN {COMES}",
    )
    names = [*part.cells, *part.values]
    sources = [*part.cells.values(), *(f"g{n}" for n, _ in _given(part))]
    key = ", ".join(told_key(f"x.{identifier(name)}") for name in part.live.key)
    every = [column.name for column in part.live.columns]
    run(connection, f"CREATE TEMP TABLE n{part.number} (key text[], hash bigint, meant bigint) ON COMMIT DROP")
    rows = run(
        connection,
        f"WITH new AS (INSERT INTO {part.live.name} AS x ({', '.join(map(identifier, names))}) OVERRIDING SYSTEM VALUE "
        f"SELECT {', '.join(sources)} FROM pg_temp.e{part.number} ORDER BY row_id "
        f"RETURNING ARRAY[{key}]::text[] AS key, {hashed(every, 'x')} AS hash, {hashed(names, 'x')} AS meant) "
        f"INSERT INTO pg_temp.n{part.number} SELECT * FROM new",
    )
    wanted = f"SELECT {hashed(sources, 'x')} FROM pg_temp.e{part.number} x"
    stored = f"SELECT meant FROM pg_temp.n{part.number}"
    wrong = one(connection, f"SELECT count(*) FROM ({wanted} EXCEPT ALL {stored}) missing")
    if wrong or rows != one(connection, f"SELECT count(*) FROM pg_temp.e{part.number}"):
        raise StepFailed(
            f"{part.live.name}: {max(wrong, 1):,} stored rows differ from the backup; the transaction was rolled back"
        )
    keys = connection.execute(
        f"SELECT old::text, new::text FROM pg_temp.r{part.number} ORDER BY old".encode()
    ).fetchall()
    return Brought(rows, dict(keys))


def _given(part: Part) -> Iterator[tuple[int, tuple[str, str]]]:
    yield from enumerate(part.values.items())


def _link(connection: Connection, edge: Edge, found: Closure) -> int:
    """Set the links of one edge, and record the row's key and the written value."""
    child, name = edge.child, f"k{edge.number}"
    run(connection, f"CREATE TEMP TABLE {name} (key text[], value text[]) ON COMMIT DROP")
    columns = edge.link.columns
    sets = ", ".join(f"{identifier(c)} = {_value(child, c, found)}" for c in columns)
    if not one(connection, f"SELECT count(*) FROM pg_temp.l{edge.number}"):
        return 0
    key = ", ".join(told_key(f"x.{identifier(c)}") for c in child.live.key)
    values = ", ".join(told_key(f"x.{identifier(c)}") for c in columns)
    empty = " AND ".join(f"x.{identifier(c)} IS NULL" for c in columns)
    return run(
        connection,
        f"WITH done AS (UPDATE {child.live.rows} AS x SET {sets} FROM {child.staged} s, pg_temp.l{edge.number} l "
        f"WHERE l.row_id = s.row_id AND {matching(child, child.live.key)} AND {empty} "
        f"RETURNING ARRAY[{key}]::text[], ARRAY[{values}]::text[]) INSERT INTO pg_temp.{name} SELECT * FROM done",
    )
