"""Compare a table whose rows were divided among several tables: each row and value must be in one of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

from ops.core.sql_names import bare
from ops.verdict.accounting.row_diff import Cells, counted, filled_in, unlike
from ops.verdict.comparison import Sides, sources
from ops.verdict.fingerprint import Table
from ops.verdict.match import Home, column_of
from ops.verdict.model import Aligned
from ops.verdict.row_hash import ROW, Pair, Proof, Source, row_hash, value

# A column with more distinct values cannot be represented by tables.
KINDS = 12
NO_KIND = 0
# A shorter value is in the name of a table by chance.
SHORT = 3

# The hash of a value; None for NULL.
Kind = int | None


def shared(sides: Sides, old: Table, homes: Sequence[Home]) -> list[str]:
    """Return the columns that all homes have and that are read alike, the identity first.

    Return nothing if no columns identify the rows in all homes.
    """
    names = [name for name in old.names if all(name in home.mapping for home in homes)]
    lists = [sides.read(old, home, names) for home in homes]
    names = [name for n, name in enumerate(names) if len({pairs[n][0] for pairs in lists}) == 1]
    keys = identity(homes)
    if not keys or not set(keys) <= set(names):
        return []
    return [*keys, *(name for name in names if name not in keys)]


def identity(homes: Sequence[Home]) -> list[str]:
    """Return the columns that identify the rows in all homes."""
    if homes[0].keyed:
        return list(homes[0].identity)
    return [name for name in homes[0].identity if all(name in home.identity for home in homes)]


def divided(sides: Sides, old: Table, homes: Sequence[Home]) -> Cells | None:
    """Compare a table with all tables that have parts of it, over their shared columns.

    Return None if these cannot be compared.
    """
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
    """Return how many values of a column are missing in the tables that have the column, and the comparison."""
    before, after = _union(sides, old, homes, [*identity(homes), name], filled=True)
    found = sides.compare(before, after)
    return found.missing if found else None, Proof(tuple(before), tuple(after))


def _union(
    sides: Sides, old: Table, homes: Sequence[Home], names: Sequence[str], filled: bool = False
) -> tuple[list[Source], list[Source]]:
    made = [sources(old, home.new, sides.read(old, home, names), filled) for home in homes]
    return [made[0][0]], [after for _, after in made]


def union_proof(sides: Sides, old: Table, homes: Sequence[Home], without: Sequence[str]) -> Proof:
    """Return the comparison of a table with its parts over their shared columns, without some columns."""
    names = [name for name in shared(sides, old, homes) if name not in without]
    before, after = _union(sides, old, homes, names)
    return Proof(tuple(before), tuple(after))


def by_kind(sides: Sides, old: Table, homes: Sequence[Home], name: str) -> tuple[int, Proof] | None:
    """Check whether each table now represents a value of a dropped column.

    Returns:
        The number of rows that are in no table or in a table of another value, and the comparison. None if the tables
        do not represent values of the column.
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
    main = _by_name(sides, old, homes, name, main)
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


def _by_name(sides: Sides, old: Table, homes: Sequence[Home], name: str, main: Sequence[Kind]) -> list[Kind]:
    """Return the value of each table. A table that is named after a value must represent this value."""
    column, known = Pair(name, column_of(old, name).read_as), [kind for kind in main if kind]
    texts = sides.look.texts("before", Source(old.name, (column,)), name, known) if known else {}
    sure = []
    for home in homes:
        named = [kind for kind, text in texts.items() if text and _named_after(home.new.name, name, text)]
        sure.append(named[0] if len(named) == 1 else None)
    rest = [NO_KIND if kind and kind in sure else kind for kind in main]
    return [there if here is None else here for here, there in zip(sure, rest, strict=True)]


def _named_after(table: str, column: str, text: str) -> bool:
    """Return True if a table's name begins or ends with a value, or with the name of a column that is true."""
    words = re.split(r"[^a-z0-9]+", bare(table).lower())
    plain, tails = "".join(words), ["".join(words[n:]) for n in range(len(words))]
    word = re.sub(r"^(is|has)_|[^a-z0-9]", "", column.lower() if text in ("true", "false") else text.lower())
    denied = any(f"{no}{word}" in plain for no in ("un", "not", "non", "in"))
    named = plain.endswith(word) or any(tail.startswith(word) for tail in tails) or denied
    if len(word) < SHORT or not named:
        return False
    return denied if text == "false" else not denied


def _kinds(sides: Sides, old: Table, home: Home, keys: Sequence[str], name: str) -> Counter[Kind]:
    """Count the rows of a table by the hash of their old value in a column."""
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
    """Yield the value of every new row whose content only old rows of one value have."""
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
    """Return the value that each table represents: the table has most rows of that value, and of no other value.

    ``NO_KIND``: the table has several values, which cannot be distinguished.
    """
    home = {kind: max(range(len(kinds)), key=lambda n: kinds[n][kind]) for found in kinds for kind in found}
    mains = [[kind for kind, where in home.items() if where == number] for number in range(len(kinds))]
    return [main[0] if len(main) == 1 else NO_KIND for main in mains]
