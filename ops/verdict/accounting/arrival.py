"""Whether values came to a place in this release, or always stood there: equal values alone are no move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ops.core.sql_names import identifier
from ops.verdict.comparison import Sides
from ops.verdict.row_hash import Link, Pair, Source

# Rows of a table that was there count as written for a column only where they hold at least this part of its values.
PART = 0.25


@dataclass(frozen=True)
class _Step:
    """A column on the way to a value, of a new table."""

    table: str
    column: str


def arrived(sides: Sides, before: Source, after: Source, filled: int, missing: int) -> bool:
    """Return True if the migrations put values of an old column into a place that was there before.

    Equal values that always stood there are chance, or the copy of an earlier release: that is for a person to say. A
    row more in that table changes nothing of it.

    Args:
        before: the values, each with its row, on the old side.
        after: the place, on the new side.
        filled: how many values there are.
        missing: how many of them are not in that place now.
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
    """Whether rows that were there before hold other values of a column now, or are gone."""
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
    """The same place before the migrations; None where there was no such table, column or link."""
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
