"""Rows that were divided among several tables: whether each row and value is in one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

from ops.verdict.accounting.row_diff import Cells, counted, filled_in, unlike
from ops.verdict.comparison import Sides, sources
from ops.verdict.fingerprint import Table
from ops.verdict.match import Home, column_of
from ops.verdict.model import Aligned
from ops.verdict.row_hash import ROW, Pair, Proof, Source, row_hash, value

# A column of so many kinds is more than what a table can stand for.
KINDS = 12
NO_KIND = 0

# The hash of a value; None for NULL.
Kind = int | None


def shared(sides: Sides, old: Table, homes: Sequence[Home]) -> list[str]:
    """The columns that all of several tables have, read alike; those that tell rows apart come first. Empty where no
    columns tell them apart in all of them."""
    names = [name for name in old.names if all(name in home.mapping for home in homes)]
    lists = [sides.read(old, home, names) for home in homes]
    names = [name for n, name in enumerate(names) if len({pairs[n][0] for pairs in lists}) == 1]
    keys = identity(homes)
    if not keys or not set(keys) <= set(names):
        return []
    return [*keys, *(name for name in names if name not in keys)]


def identity(homes: Sequence[Home]) -> list[str]:
    """The columns that tell rows apart in all of them."""
    if homes[0].keyed:
        return list(homes[0].identity)
    return [name for name in homes[0].identity if all(name in home.identity for home in homes)]


def divided(sides: Sides, old: Table, homes: Sequence[Home]) -> Cells | None:
    """Compare a table with all tables that hold parts of it, over the columns that they share; None where these can't
    be compared."""
    names, keys = shared(sides, old, homes), len(identity(homes))
    if not names:
        return None
    whole = sides.compare(*_union(sides, old, homes, names))
    if whole is None or not whole.missing:
        return None if whole is None else Cells(over=tuple(names))
    if homes[0].keyed:
        (before,), after = _union(sides, old, homes, names)
        return counted(sides, names[:keys], names[keys:], before, after, unlike(sides, old, homes, names[keys:]))
    return _by_content(sides, old, homes, names[:keys], names[keys:])


def _by_content(
    sides: Sides, old: Table, homes: Sequence[Home], keys: Sequence[str], names: Sequence[str]
) -> Cells | None:
    gone = sides.compare(*_union(sides, old, homes, keys))
    if gone is None:
        return None
    found = Cells(gone.missing, over=tuple(keys), sample=list(gone.sample))
    for name in names:
        before, after = _union(sides, old, homes, [*keys, name])
        values = sides.compare(before, after)
        other = max((values.missing if values else old.rows) - found.rows, 0)
        less = filled_in(sides, "before", before) - filled_in(sides, "after", after) - found.rows
        lost = min(other, max(less, 0))
        found.columns[name] = (lost, other - lost)
        found.changed_rows = max(found.changed_rows, other - lost)
    return found


def lost_in(sides: Sides, old: Table, homes: Sequence[Home], name: str) -> tuple[int | None, Proof]:
    """How many values of a column that only some of the tables have are not there; and the comparison."""
    before, after = _union(sides, old, homes, [*identity(homes), name], filled=True)
    found = sides.compare(before, after)
    return found.missing if found else None, Proof(tuple(before), tuple(after))


def _union(
    sides: Sides, old: Table, homes: Sequence[Home], names: Sequence[str], filled: bool = False
) -> tuple[list[Source], list[Source]]:
    made = [sources(old, home.new, sides.read(old, home, names), filled) for home in homes]
    return [made[0][0]], [after for _, after in made]


def union_proof(sides: Sides, old: Table, homes: Sequence[Home], without: Sequence[str]) -> Proof:
    """The comparison of a table with all that hold parts of it, over what they share but for some columns."""
    names = [name for name in shared(sides, old, homes) if name not in without]
    before, after = _union(sides, old, homes, names)
    return Proof(tuple(before), tuple(after))


def by_kind(sides: Sides, old: Table, homes: Sequence[Home], name: str) -> tuple[int, Proof] | None:
    """Where a column said which of the tables a row is in by now, that is where its values went.

    Returns:
        how many rows are in a table that does not stand for their value, those that are in none included, and the
        comparison; None where the tables do not stand for values of the column.
    """
    keys = identity(homes)
    if not set(keys) <= set(shared(sides, old, homes)):
        return None
    kinds = [_kinds(sides, old, home, keys, name) for home in homes]
    if any(len(found) > KINDS for found in kinds):
        return None
    main = _stand_for(kinds)
    if all(kind == NO_KIND for kind in main):
        return None
    (before,), after = _union(sides, old, homes, keys)
    column = Pair(name, column_of(old, name).read_as)
    hashed = f"CASE WHEN {value(column, ROW)} IS NOT NULL THEN {row_hash([column], ROW)} END"
    was = Pair(name, "bigint", sql=hashed)
    now = [
        Source(source.table, (*source.pairs, replace(source.pairs[0], link=None, sql=f"{said}::bigint")))
        for source, kind in zip(after, main, strict=True)
        for said in ("NULL" if kind is None else kind,)
    ]
    proof = Proof((Source(old.name, (*before.pairs, was)),), tuple(now))
    found = sides.compare(proof.before, proof.after)
    return (found.missing, proof) if found else None


def _kinds(sides: Sides, old: Table, home: Home, keys: Sequence[str], name: str) -> Counter[Kind]:
    """How many rows of each value of a column are in a table, told by the hashes of these values."""
    before, after = sources(old, home.new, sides.read(old, home, keys))
    was = replace(before, pairs=(*before.pairs, Pair(name, column_of(old, name).read_as)))
    found: Counter[Kind] = Counter()
    rows, hashes = sides.look.aligned("before", [was], len(keys)), sides.look.hashes("after", [after])
    with closing(rows) as one, closing(hashes) as two:
        for kind in _of_one_kind(one, two):
            found[kind] += 1
            if len(found) > KINDS:
                break
    return found


def _of_one_kind(old: Iterator[Aligned], new: Iterator[int]) -> Iterator[Kind]:
    """The kind of every new row whose content only old rows of one kind have."""
    groups = groupby(old, itemgetter(0))
    mine = next(groups, None)
    kinds: set[Kind] = set()
    at: int | None = None
    for hash_ in new:
        while mine is not None and mine[0] < hash_:
            mine = next(groups, None)
        if mine is None:
            return
        if mine[0] == hash_:
            if at != hash_:
                at, kinds = hash_, {kind for _, (kind,) in mine[1]}
            if len(kinds) == 1:
                yield next(iter(kinds))


def _stand_for(kinds: Sequence[Counter[Kind]]) -> list[Kind]:
    """The value that each table stands for: most of that value's rows are there, and no other value's. ``NO_KIND``: two
    values in one table can't be told apart any more."""
    home = {kind: max(range(len(kinds)), key=lambda n: kinds[n][kind]) for found in kinds for kind in found}
    mains = [[kind for kind, where in home.items() if where == number] for number in range(len(kinds))]
    return [main[0] if len(main) == 1 else NO_KIND for main in mains]
