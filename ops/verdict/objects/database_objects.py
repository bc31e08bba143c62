"""Read the objects of a database other than rows from the server.

These are sequences, large objects, the dependents of tables (grants, policies, triggers, views, publications,
comments), and the grants on views and sequences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from ops.core.sql_files import SQL_FOLDER
from ops.core.sql_names import identifier, literal

BATCH = 50
_CATALOG = "SELECT loid, pageno, data FROM pg_largeobject"
_ONE_BY_ONE = """SELECT oid, 0, lo_get(oid, 0, 2048) FROM pg_largeobject_metadata
    UNION ALL
    SELECT loid, pageno + 1, lo_get(loid, (pageno + 1) * 2048::bigint, 2048) FROM pages WHERE length(data) = 2048"""


@dataclass(frozen=True)
class Hanging:
    """Hold a dependent of a table: its kind, its name, and its definition."""

    kind: str
    name: str
    definition: str = ""


@dataclass(frozen=True)
class Counter:
    """Hold a sequence.

    ``columns``: the columns that take their values from it, and whether each is unique. ``last``: the last value that
    it returned, or the value before the first one. ``identity``: it belongs to an identity column, so nobody needs a
    grant on it.
    """

    name: str
    oid: int
    step: int = 1
    cycles: bool = False
    columns: tuple[tuple[str, str, bool], ...] = ()
    last: int = 0
    identity: bool = False


@dataclass
class Catalog:
    """Hold the objects of one database.

    ``hanging``, ``oids``: by table, view and sequence. ``tables``: the names that are tables.
    ``defaults``: default grants on new tables by schema; the empty name means all schemas, and the prefix
    ``sequences `` means new sequences.
    ``lagging``: unique columns that already have the next value of their sequence.
    """

    hanging: dict[str, tuple[Hanging, ...]] = field(default_factory=dict)
    oids: dict[str, int] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)
    counters: dict[str, Counter] = field(default_factory=dict)
    defaults: dict[str, frozenset[str]] = field(default_factory=dict)
    lagging: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def read(cls, connection: psycopg.Connection[Any], *, counting: bool = True) -> Catalog:
        """Read the objects of a database, read-only.

        Args:
            counting: read the values of sequences, too, which scans tables.
        """
        found = cls()
        for (line,) in connection.execute((SQL_FOLDER / "attached.sql").read_text().encode()):
            found._add(line)
        for start in range(0, len(found.counters) if counting else 0, BATCH):
            found._count(connection, list(found.counters.values())[start : start + BATCH])
        return found

    def _count(self, connection: psycopg.Connection[Any], counters: Sequence[Counter]) -> None:
        """Read the values of some sequences, and whether a unique column has already reached the next value.

        In that case, the next insert fails.
        """
        query = " UNION ALL ".join(_stands(counter) for counter in counters)
        for name, last, behind in connection.execute(query.encode()):
            counter = self.counters[name]
            self.counters[name] = replace(counter, last=int(last))
            unique = [(table, column) for table, column, alone in counter.columns if alone]
            self.lagging |= {one for one, late in zip(unique, behind, strict=True) if late and not counter.cycles}

    def _add(self, line: Mapping[str, Any]) -> None:
        if "relation" in line:
            self.oids[line["relation"]] = line["oid"]
            self.tables |= {line["relation"]} if line["table"] else set()
            self.hanging[line["relation"]] = tuple(Hanging(*one) for one in line["attached"])
        elif "sequence" in line:
            columns = tuple((table, column, bool(unique)) for table, column, unique in line["columns"])
            self.counters[line["sequence"]] = Counter(
                line["sequence"], line["oid"], line["step"], line["cycle"], columns, identity=line["identity"]
            )
        else:
            self.defaults[line["default"]] = frozenset(line["grants"])

    def of(self, table: str, kind: str) -> list[Hanging]:
        """Return the dependents of a table of one kind."""
        return [one for one in self.hanging.get(table, ()) if one.kind == kind]

    def counted(self) -> set[tuple[str, str]]:
        """Return the columns that take their values from a sequence."""
        return {(table, column) for counter in self.counters.values() for table, column, _ in counter.columns}


def _stands(counter: Counter) -> str:
    """Return SQL for a sequence's value, and for each of its unique columns whether it has reached the next value."""
    far, passed = ("max", ">=") if counter.step > 0 else ("min", "<=")
    following = f"q.last_value + CASE WHEN q.is_called THEN {counter.step} ELSE 0 END"
    late = ", ".join(
        f"(SELECT {far}(x.{identifier(column)}) {passed} {following} FROM {table} x)"
        for table, column, unique in counter.columns
        if unique
    )
    last = f"q.last_value::numeric - CASE WHEN q.is_called THEN 0 ELSE {counter.step} END"
    return f"SELECT {literal(counter.name)}, {last}, ARRAY[{late}]::boolean[] FROM {counter.name} q"


def large_objects(connection: psycopg.Connection[Any]) -> Iterator[tuple[int, str, int]]:
    """Yield the number of every large object with a hash of its content and its length, by ascending number."""
    row = connection.execute("SELECT has_table_privilege('pg_catalog.pg_largeobject', 'SELECT')").fetchone()
    pages = _CATALOG if row and row[0] else _ONE_BY_ONE
    text = (SQL_FOLDER / "large_objects_each.sql").read_text().replace("    PAGES\n", f"    {pages}\n")
    with connection.transaction(), connection.cursor("large_objects") as cursor:
        cursor.execute(text.encode())
        for number, hashed, length in cursor:
            yield int(number), str(hashed), int(length)


def lost_objects(before: Iterator[tuple[int, str, int]], after: Iterator[tuple[int, str, int]]) -> tuple[int, int, int]:
    """Count all old large objects, the lost and the changed ones, in constant memory."""
    count = lost = changed = 0
    now = next(after, None)
    for one in before:
        count += 1
        while now is not None and now[0] < one[0]:
            now = next(after, None)
        if now is None or now[0] != one[0]:
            lost += 1
        elif now != one:
            changed += 1
    return count, lost, changed
