"""Check whether this release put values into a place, because equal values may have been there before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ops.core.sql_names import identifier
from ops.verdict.comparison import Sides
from ops.verdict.row_hash import Link, Pair, Source

# The least share of a column's values that must be new in an existing table.
PART = 0.25


@dataclass(frozen=True)
class _Step:
    """Hold a column of a new table on the path to a value."""

    table: str
    column: str


def arrived(sides: Sides, before: Source, after: Source, filled: int, missing: int) -> bool:
    """Return True if the migrations put values of an old column into an existing place.

    Equal values that were there before are chance, or the copy of an earlier release, which a person must declare. A
    new row in that table does not change this.

    Args:
        before: the values with their rows on the old side.
        after: the place on the new side.
        filled: the number of values.
        missing: the number of values that are not in the place now.
    """
    was = _as_it_was(sides, after)
    if was is None:
        return True
    there = sides.look.absent("before", before, was)
    if there is None:
        return any(_rewritten(sides, step) for step in _steps(after))
    if missing >= there:
        return False
    return there >= filled * (1 - PART) or any(_rewritten(sides, step) for step in _steps(after))


def _rewritten(sides: Sides, step: _Step) -> bool:
    """Return True if old rows have other values in a column now, or are missing."""
    table, column = sides.origin(step.table), sides.origin(step.table, step.column)
    if not table or not column:
        return True
    old, new = sides.before.tables[table], sides.after.tables[step.table]
    keys = [(Pair(name, "text"), Pair(sides.columns.get((table, name), name), "text")) for name in old.key]
    if any(two.name not in new.names for _, two in keys):
        keys = []
    one, two = zip(*keys, (Pair(column, "text"), Pair(step.column, "text")), strict=True)
    found = sides.compare([Source(table, one)], [Source(step.table, two)])
    return found is None or bool(found.missing)


def _steps(after: Source) -> Iterator[_Step]:
    table, pair = after.table, after.pairs[-1]
    yield _Step(table, pair.name)
    while pair.link is not None and pair.link.scalar:
        table, pair = pair.link.table, pair.link.content[0]
        yield _Step(table, pair.name)


def _as_it_was(sides: Sides, after: Source) -> Source | None:
    """Return the same place before the migrations, or None if the table, a column or a link did not exist."""
    table = sides.origin(after.table)
    pairs = [_pair(sides, after.table, pair) for pair in after.pairs]
    whole = tuple(pair for pair in pairs if pair is not None)
    return Source(table, whole, after.filled) if table and len(whole) == len(pairs) else None


def _pair(sides: Sides, table: str, pair: Pair) -> Pair | None:
    name = sides.origin(table, pair.name)
    link = _link(sides, pair.link) if pair.link else None
    if not name or (pair.link and link is None):
        return None
    return replace(pair, name=name, link=link, sql=pair.sql.replace(identifier(pair.name), identifier(name)))


def _link(sides: Sides, link: Link) -> Link | None:
    table, key = sides.origin(link.table), sides.origin(link.table, link.key)
    content = [_pair(sides, link.table, pair) for pair in link.content]
    whole = tuple(pair for pair in content if pair is not None)
    if not table or not key or len(whole) < len(content):
        return None
    return replace(link, table=table, key=key, content=whole)
