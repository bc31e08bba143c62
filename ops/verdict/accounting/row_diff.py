"""Count the rows and values that differ between an old table and its home."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from operator import ne
from typing import Any, TypeVar

from ops.verdict.comparison import MANY, Sides, differing, sources
from ops.verdict.fingerprint import Table
from ops.verdict.match import Home
from ops.verdict.model import SAMPLES
from ops.verdict.row_hash import Source
from ops.verdict.type_casts import Both

# With at least so many columns, a row of which most values differ is a different row.
UNLIKE = 4


@dataclass
class Cells:
    """Hold the differences.

    Args:
        rows: the number of lost rows.
        changed_rows: the number of rows with a changed value.
        columns: for each column with differences, the numbers of lost and of changed values.
        filled: for each column, how many of the changed values were NULL before, if counted.
        examples: for each column, the hashes of a few rows with a changed value.
        over: the columns that ``sample`` hashes.
        sample: hashes of a few lost rows, or else of changed rows.
    """

    rows: int = 0
    changed_rows: int = 0
    columns: dict[str, tuple[int, int]] = field(default_factory=dict)
    filled: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[int]] = field(default_factory=dict)
    over: tuple[str, ...] = ()
    sample: list[int] = field(default_factory=list)


def cells(sides: Sides, old: Table, home: Home, only: Sequence[str] | None = None) -> Cells:
    """Compare a table with its home.

    Args:
        only: the columns to compare, or None for all mapped columns.
    """
    itself = [name for name in home.mapping if name not in home.identity]
    names = [name for name in old.names if name in itself and (only is None or name in only)]
    if not home.whole and home.keyed:
        return Cells(over=home.identity)
    found = _keyed(sides, old, home, names) if home.keyed else _by_content(sides, old, home, names)
    found.columns = {name: counts for name, counts in found.columns.items() if any(counts)}
    return found


def _by_content(sides: Sides, old: Table, home: Home, names: Sequence[str]) -> Cells:
    """Compare rows without a key, where a changed row counts as missing. Compare the left out columns, too."""
    found = Cells(home.rows, 0, over=home.identity, sample=list(home.sample))
    if home.new.name == old.name and home.extra and not old.key:
        found.rows, found.changed_rows = max(home.rows - home.extra, 0), min(home.rows, home.extra)
    identity = sides.read(old, home, home.identity)
    for name in names:
        pair = sides.pair(old, name, home.new, home.mapping[name])
        one, two = sources(old, home.new, [*identity, pair])
        values = sides.compare([one], [two])
        other = max((values.missing if values else old.rows) - home.rows, 0)
        lost = min(other, max(filled_in(sides, "before", [one]) - home.rows - filled_in(sides, "after", [two]), 0))
        found.columns[name] = (lost, other - lost)
        found.changed_rows = max(found.changed_rows, found.columns[name][1])
    return found


def filled_in(sides: Sides, side: str, rows: Sequence[Source]) -> int:
    """Return how many of these rows have a value in the last column."""
    found = sides.look.checksum(side, [replace(source, filled=True) for source in rows])
    return found[0] if found else 0


def _keyed(sides: Sides, old: Table, home: Home, names: Sequence[str]) -> Cells:
    key, values = sides.read(old, home, home.identity), sides.read(old, home, names)
    other = unlike(sides, old, [home], names)
    if old.rows == home.new.rows and not home.rows:
        names, values = _differing(sides, old, home, key, names, values)
    parts = _parts(sides, old, home, key, values) if old.rows + home.new.rows > MANY else None
    one, two = sources(old, home.new, [*key, *values])
    return counted(sides, home.identity, names, one, [two], other, parts)


def unlike(sides: Sides, old: Table, homes: Sequence[Home], names: Sequence[str]) -> float:
    """Return the number of changed values above which a row counts as a different row."""
    # In a copy, a row with mostly different values is another row with the same key by chance, unless it is linked.
    other = len(names) / 2 if len(names) >= UNLIKE else max(len(names) - 1, 0)
    sure = any(home.new.name == old.name or sides.leading(home.new, old) for home in homes)
    return len(names) if sure else other


def counted(
    sides: Sides,
    identity: Sequence[str],
    names: Sequence[str],
    old: Source,
    new: Sequence[Source],
    other: float,
    parts: Sequence[int] | None = None,
) -> Cells:
    """Compare rows of the same key value by value.

    Args:
        identity: the columns of the key, the first ones in the sources.
        names: the other columns.
        other: a row with more changed values than this counts as a different row.
    """
    found = Cells(over=tuple(identity))
    counts = [[0, 0, 0] for _ in names]
    gone: list[int] = []
    before = sides.look.aligned("before", [old], len(identity), parts)
    after = sides.look.aligned("after", new, len(identity), parts)
    with closing(before) as one, closing(after) as two:
        for hash_, was, now in merged(one, two):
            if was is None:
                continue
            if now is None or sum(map(ne, was, now)) > other:
                found.rows += 1
                gone.append(hash_)
            elif was != now:
                found.changed_rows += _count(counts, was, now)
                _note(found, names, hash_, was, now)
            else:
                continue
            if len(found.sample) < SAMPLES:
                found.sample.append(hash_)
            del gone[SAMPLES:]
    found.sample = gone or found.sample
    found.columns = {name: (lost, changed) for name, (lost, changed, _) in zip(names, counts, strict=True)}
    found.filled = {name: filled for name, (_, _, filled) in zip(names, counts, strict=True)}
    return found


def _parts(sides: Sides, old: Table, home: Home, key: Sequence[Both], values: Sequence[Both]) -> list[int] | None:
    one, two = sources(old, home.new, [*key, *values])
    return differing(sides.look, [one], [two], ([a for a, _ in key], [b for _, b in key]))


def _count(counts: list[list[int]], was: tuple[int | None, ...], now: tuple[int | None, ...]) -> bool:
    """Count a row's differences. Return True if a value changed."""
    changed = False
    for count, one, two in zip(counts, was, now, strict=True):
        if one != two:
            gone = two is None
            count[0 if gone else 1] += 1
            count[2] += one is None
            changed |= not gone
    return changed


def _note(
    found: Cells, names: Sequence[str], hash_: int, was: tuple[int | None, ...], now: tuple[int | None, ...]
) -> None:
    for name, one, two in zip(names, was, now, strict=True):
        if one != two and two is not None:
            rows = found.examples.setdefault(name, [])
            if len(rows) < SAMPLES:
                rows.append(hash_)


def _differing(
    sides: Sides, old: Table, home: Home, key: list[Both], names: Sequence[str], values: list[Both]
) -> tuple[list[str], list[Both]]:
    """Return only the columns with values that differ for some key."""
    one = sides.look.profile("before", old.name, [a for a, _ in values], [a for a, _ in key])
    two = sides.look.profile("after", home.new.name, [b for _, b in values], [b for _, b in key])
    if one is None or two is None:
        return list(names), values
    differ = [n for n, (a, b) in enumerate(zip(one, two, strict=True)) if a != b]
    return [names[n] for n in differ], [values[n] for n in differ]


Row = TypeVar("Row", bound=tuple[Any, ...])


def merged(
    one: Iterator[tuple[int, Row]], two: Iterator[tuple[int, Row]]
) -> Iterator[tuple[int, Row | None, Row | None]]:
    """Yield the rows of both sides, each with the row of the same key of the other side or None, in constant memory.

    Args:
        one: hash of the key and the row, by ascending hash. Rows with equal hashes are paired in order.
        two: the same for the other side.
    """
    left, right = next(one, None), next(two, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[0] < right[0]):
            assert left is not None
            yield left[0], left[1], None
            left = next(one, None)
        elif left is None or right[0] < left[0]:
            yield right[0], None, right[1]
            right = next(two, None)
        else:
            yield left[0], left[1], right[1]
            left, right = next(one, None), next(two, None)
