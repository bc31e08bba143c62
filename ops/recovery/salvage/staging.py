"""Compare the backup's rows with the live ones in session tables, and decide the fate of each.

Every staged row gets one fate:

    there     the row is live, with the same content
    same      the row is live, and differs only in links to salvaged tables
    linked    as ``same``, and its link is restored
    moved     as ``same``, but its link refers to another row now
    taken     another content has its key
    missing   the row is not live, and was not requested
    insert    the row is inserted
    rekey     the row is inserted with a new key, because its key is in use
    left      the row cannot be inserted; ``why`` has the reason"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from ops.core.sql_names import identifier, literal
from ops.recovery.salvage.live_catalog import Unique
from ops.recovery.salvage.related_tables import LINKED, MAIN, RELATED, Closure, Edge, Part, into_others
from ops.verdict.row_hash import Pair, row_hash

COMES = "('insert', 'rekey')"
Connection = psycopg.Connection[Any]


def run(connection: Connection, text: str) -> int:
    """Execute a statement; return the number of affected rows."""
    return connection.execute(text.encode()).rowcount


def one(connection: Connection, text: str) -> int:
    """Return the single number that a query returns."""
    row = connection.execute(text.encode()).fetchone()
    return int(row[0] or 0) if row else 0


def matching(part: Part, columns: Iterable[str], live: str = "x") -> str:
    """Return the condition that a live and a staged row have equal values in these live columns."""
    return " AND ".join(f"{live}.{identifier(name)} = s.{part.cells[name]}" for name in columns)


def following(edge: Edge, child: str = "s", parent: str = "p") -> str:
    """Return the condition that a staged row refers to another staged row."""
    pairs = zip(edge.link.columns, edge.link.to_columns, strict=True)
    return " AND ".join(f"{child}.{edge.child.cells[a]} = {parent}.{edge.parent.cells[b]}" for a, b in pairs)


def hashed(names: Iterable[str], row: str) -> str:
    """Return the SQL of a row's hash over its values as text, as read from the backup."""
    return row_hash([Pair(name, "text") for name in names], row)


def link_columns(part: Part, edges: Iterable[Edge]) -> set[str]:
    """Return the live columns of a part that refer to rows which may be inserted."""
    return {name for edge in edges if edge.child is part and edge.parent.role != LINKED for name in edge.link.columns}


def restable(part: Part, edges: Iterable[Edge]) -> list[str]:
    """Return the columns that identify a row apart from its links; key columns are always included."""
    links = link_columns(part, edges) - set(part.live.key)
    return [name for name in part.cells if name not in links]


def prepare(connection: Connection, found: Closure) -> None:
    """Create the session's empty tables. Afterwards the transaction may become read-only."""
    for part in found.parts:
        cells = ", ".join(f"x.{identifier(name)} AS {cell}" for name, cell in part.cells.items())
        run(
            connection,
            f"CREATE TEMP TABLE s{part.number} ON COMMIT DROP AS SELECT {cells} FROM {part.live.name} x WITH NO DATA",
        )
        run(
            connection,
            f"ALTER TABLE {part.staged} ADD row_id bigint GENERATED ALWAYS AS IDENTITY, ADD hash bigint, "
            "ADD rest bigint, ADD fate text, ADD why text",
        )
    for edge in found.edges:
        run(connection, f"CREATE TEMP TABLE l{edge.number} (row_id bigint) ON COMMIT DROP")


def fill(connection: Connection, aside: Connection, found: Closure) -> None:
    """Stream the backup's rows into the session's tables as text, so that each value is parsed as its new type."""
    for part in found.parts:
        old = ", ".join(identifier(name) for name in part.pairing.columns)
        cells = ", ".join(part.cells.values())
        read = f"COPY (SELECT {old} FROM ONLY {part.pairing.source}) TO STDOUT"
        with (
            aside.cursor() as source,
            connection.cursor() as sink,
            source.copy(read.encode()) as rows,
            sink.copy(f"COPY {part.staged} ({cells}) FROM STDIN".encode()) as into,
        ):
            for block in rows:
                into.write(block)
        names = [part.cells[name] for name in part.cells]
        rest = [part.cells[name] for name in restable(part, found.edges)]
        run(connection, f"UPDATE {part.staged} x SET hash = {hashed(names, 'x')}, rest = {hashed(rest or names, 'x')}")
        run(connection, f"ANALYZE {part.staged}")


def decide(connection: Connection, found: Closure, new_keys: bool) -> None:
    """Decide the fate of every staged row from the live rows."""
    for part in found.parts:
        _compare(connection, part, found)
        run(connection, f"ANALYZE {part.staged}")
    for part in found.parts:
        if part.role == MAIN:
            run(connection, f"UPDATE {part.staged} SET fate = 'insert' WHERE fate = 'missing'")
            if new_keys and part.renumbered:
                run(connection, f"UPDATE {part.staged} SET fate = 'rekey' WHERE fate = 'taken'")
    while sum(_spread(connection, edge, new_keys) for edge in found.edges):
        pass
    for part in found.inserting:
        _nulls(connection, part)
        for unique in part.live.uniques:
            _taken_values(connection, part, unique, found)
    while sum(_orphans(connection, part, found) for part in found.inserting):
        pass
    for edge in found.edges:
        _relink(connection, edge)


def _compare(connection: Connection, part: Part, found: Closure) -> None:
    live = hashed(part.cells, "x")
    if part.keyed:
        rest = hashed(restable(part, found.edges), "x")
        links = sorted(link_columns(part, found.edges) - set(part.live.key))
        emptied = " AND ".join(f"(x.{identifier(n)} IS NULL OR x.{identifier(n)} = s.{part.cells[n]})" for n in links)
        same = f"WHEN {rest} = s.rest AND {emptied} THEN 'same' " if links else ""
        if links and not part.pairing.renamed:
            # In a new table, another row may have this key.
            same += f"WHEN {rest} = s.rest THEN 'moved' "
        run(
            connection,
            f"UPDATE {part.staged} s SET fate = CASE WHEN {live} = s.hash THEN 'there' {same}ELSE 'taken' END "
            f"FROM {part.live.rows} x WHERE {matching(part, part.live.key)}",
        )
        run(connection, f"UPDATE {part.staged} SET fate = 'missing' WHERE fate IS NULL")
        return
    run(
        connection,
        f"WITH live AS (SELECT {live} AS hash, count(*) AS many FROM {part.live.rows} x GROUP BY 1), "
        "each AS (SELECT row_id, hash, row_number() OVER (PARTITION BY hash ORDER BY row_id) AS place "
        f"FROM {part.staged}) UPDATE {part.staged} s "
        "SET fate = CASE WHEN each.place <= coalesce(live.many, 0) THEN 'there' ELSE 'missing' END "
        "FROM each LEFT JOIN live ON live.hash = each.hash WHERE each.row_id = s.row_id",
    )


def _spread(connection: Connection, edge: Edge, new_keys: bool) -> int:
    """Include rows that refer to an inserted row, and rows that an inserted row requires."""
    child, parent, more = edge.child, edge.parent, 0
    if child.role == RELATED:
        own = child.renumbered and child.pairing.renamed and new_keys
        fates = "('missing', 'taken')" if own else "('missing')"
        more += run(
            connection,
            f"UPDATE {child.staged} s SET fate = CASE s.fate WHEN 'missing' THEN 'insert' ELSE 'rekey' END "
            f"FROM {parent.staged} p WHERE {following(edge)} AND p.fate IN {COMES} AND s.fate IN {fates}",
        )
    if parent.role == RELATED:
        more += run(
            connection,
            f"UPDATE {parent.staged} p SET fate = 'insert' FROM {child.staged} s "
            f"WHERE {following(edge)} AND s.fate IN {COMES} AND p.fate = 'missing'",
        )
    return more


def _leave(part: Part, why: str, condition: str) -> str:
    return f"UPDATE {part.staged} s SET fate = 'left', why = {literal(why)} WHERE s.fate IN {COMES} AND {condition}"


def _nulls(connection: Connection, part: Part) -> None:
    for column in part.live.columns:
        if column.not_null and column.name in part.cells:
            why = f"{column.name} is empty, but {part.live.name} requires a value"
            run(connection, _leave(part, why, f"s.{part.cells[column.name]} IS NULL"))


def _taken_values(connection: Connection, part: Part, unique: Unique, found: Closure) -> None:
    """Exclude rows whose unique value a live row or an earlier staged row has."""
    parts = ", ".join(f"({sql}) AS u{place}" for place, sql in enumerate(unique.parts))
    compare = "IS NOT DISTINCT FROM" if unique.nulls_equal else "="
    equal = " AND ".join(f"one.u{place} {compare} two.u{place}" for place in range(len(unique.parts)))
    columns = [
        f"{part.cells.get(column.name, f'NULL::{column.type}')} AS {identifier(column.name)}"
        for column in part.live.columns
    ]
    # An index's expressions use the table's column names, so the staged columns get these names.
    named = f'(SELECT {", ".join(columns)}, row_id AS "\ue000" FROM {part.staged} WHERE fate IN {COMES}) y'
    staged = f'SELECT {parts}, "\ue000" AS row_id FROM {named} WHERE {unique.condition}'
    live = f"SELECT {parts} FROM {part.live.rows} WHERE {unique.condition}"
    why = f"another row has the same value ({unique.name.split('.')[-1]})"
    taken = f"SELECT one.row_id FROM ({staged}) one JOIN ({live}) two ON {equal}"
    twice = f"SELECT one.row_id FROM ({staged}) one JOIN ({staged}) two ON {equal} AND two.row_id < one.row_id"
    run(connection, _leave(part, why, f"s.row_id IN ({taken})"))
    run(connection, _leave(part, why, f"s.row_id IN ({twice})"))


def _orphans(connection: Connection, part: Part, found: Closure) -> int:
    """Exclude rows that refer to a row which is neither live nor inserted."""
    more = 0
    for link, edge in into_others(part, found.edges):
        filled = " AND ".join(f"s.{part.cells[name]} IS NOT NULL" for name in link.columns)
        pairs = zip(link.to_columns, link.columns, strict=True)
        equal = " AND ".join(f"x.{identifier(a)} = s.{part.cells[b]}" for a, b in pairs)
        there = f"EXISTS (SELECT FROM {link.to} x WHERE {equal})"
        if edge:
            leads = f"SELECT FROM {edge.parent.staged} p WHERE {following(edge)} AND p.fate"
            if edge.parent.pairing.renamed:
                # In a new table, another row with this key is not the intended row.
                there = f"({there} AND NOT EXISTS ({leads} = 'taken'))"
            there = f"({there} OR EXISTS ({leads} IN {COMES}))"
        why = f"{', '.join(link.columns)} refers to a row of {link.to} that does not exist"
        more += run(connection, _leave(part, why, f"{filled} AND NOT {there}"))
    return more


def relinks(edge: Edge) -> bool:
    """Return True if links along this edge can be restored, because the rows that hold them have a key."""
    return edge.child.keyed and edge.parent.role != LINKED and not set(edge.link.columns) & set(edge.child.live.key)


def emptied(edge: Edge, fates: str, parent_fates: str) -> str:
    """Return the SQL of staged rows whose live link is NULL and whose backed up link refers to a row of these fates."""
    child = edge.child
    empty = " AND ".join(f"x.{identifier(name)} IS NULL" for name in edge.link.columns)
    return (
        f"FROM {child.staged} s JOIN {child.live.rows} x ON {matching(child, child.live.key)} "
        f"JOIN {edge.parent.staged} p ON {following(edge)} "
        f"WHERE s.fate IN {fates} AND {empty} AND p.fate IN {parent_fates}"
    )


def _relink(connection: Connection, edge: Edge) -> None:
    """Record the links that were set to NULL when their row was deleted.

    In a renamed column nobody can have cleared a link on purpose, so its links to live rows are restored, too."""
    if not relinks(edge):
        return
    parents = "('insert', 'rekey', 'there', 'same', 'linked')" if edge.renamed else COMES
    only = {identifier(name) for name in edge.link.columns}
    free = ""
    if any(set(unique.parts) == only for unique in edge.child.live.uniques):
        same = matching(edge.child, edge.link.columns, "y")
        free = f" AND NOT EXISTS (SELECT FROM {edge.child.live.name} y WHERE {same})"
    found = emptied(edge, "('same', 'linked')", parents)
    run(connection, f"INSERT INTO pg_temp.l{edge.number} SELECT s.row_id {found}{free}")
    run(
        connection,
        f"UPDATE {edge.child.staged} s SET fate = 'linked' FROM pg_temp.l{edge.number} l WHERE l.row_id = s.row_id",
    )
