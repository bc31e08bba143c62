"""Compute how far a restored database's sequences must be advanced, so that no number is issued twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection

# If users write until the swap, a used sequence skips AHEAD numbers, but at most 1/PART of its remaining range.
AHEAD, PART = 1000, 100

_QUERY = """
SELECT format('%I.%I', n.nspname, c.relname), s.seqincrement,
       CASE WHEN s.seqincrement > 0 THEN s.seqmax ELSE s.seqmin END, pg_catalog.pg_sequence_last_value(c.oid),
       CASE WHEN t.oid IS NOT NULL THEN format('%I.%I', tn.nspname, t.relname) END, a.attname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i')
LEFT JOIN pg_catalog.pg_class t ON t.oid = d.refobjid LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE NOT s.seqcycle AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""


@dataclass(frozen=True)
class Sequence:
    """A sequence: its step, the last possible and the last issued number, and the column that it fills."""

    name: str
    step: int
    end: int
    last: int | None
    table: str = ""
    column: str = ""


@dataclass(frozen=True)
class Behind:
    """A restored sequence that is behind the live one; ``to`` is its new value."""

    name: str
    was: int | None
    live: int
    to: int

    @property
    def sentence(self) -> str:
        """Return the change in words."""
        return (
            f"{self.name} {self.was if self.was is not None else 'unused'} → {self.to} (the live one is at {self.live})"
        )


def read(connection: Connection[tuple[object, ...]]) -> list[Sequence]:
    """Read every sequence of a database that does not cycle."""
    found = []
    for name, step, end, last, table, column in connection.execute(_QUERY.encode()):
        number = None if last is None else int(str(last))
        found.append(Sequence(str(name), int(str(step)), int(str(end)), number, str(table or ""), str(column or "")))
    return found


def behind(live: list[Sequence], restored: list[Sequence], renamed: Mapping[str, str], *, ahead: int) -> list[Behind]:
    """Find the restored sequences that would issue numbers again.

    Args:
        renamed: maps live tables to the table of the backup with their rows.
        ahead: how many numbers to skip beyond the live one, if it issued any since the backup.
    """
    by_column = {(one.table, one.column): one for one in restored if one.table}
    by_name = {one.name: one for one in restored}
    found = []
    for one in live:
        own = by_column.get((renamed.get(one.table, one.table), one.column)) if one.table else None
        there = own or by_name.get(one.name)
        if one.last is None or there is None or (one.step > 0) != (there.step > 0):
            continue
        way = 1 if one.step > 0 else -1
        if there.last is not None and (there.last - one.last) * way >= 0:
            continue
        room = max((there.end - one.last) * way, 0)
        to = one.last + way * min(ahead * abs(there.step), room // PART)
        found.append(Behind(there.name, there.last, one.last, to if (there.end - to) * way >= 0 else there.end))
    return sorted(found, key=lambda one: one.name)


def noted(file: Path) -> dict[str, int]:
    """Read the values that the tool set, by sequence name; empty if there is no readable record."""
    try:
        return dict(json.loads(file.read_bytes()))
    except (OSError, ValueError):
        return {}


def advance(connection: Connection[tuple[object, ...]], found: list[Behind]) -> None:
    """Set each sequence so that its next number is beyond the live one's."""
    for one in found:
        connection.execute("SELECT pg_catalog.setval(%s::pg_catalog.regclass, %s, true)", [one.name, one.to])
