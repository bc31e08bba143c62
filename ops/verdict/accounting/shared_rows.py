"""Judge what concerns several tables: rows claimed by two old tables, duplicates, and links between equal rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import groupby, pairwise

from ops.verdict.comparison import Sides, sources
from ops.verdict.fingerprint import Table
from ops.verdict.match import Home, column_of
from ops.verdict.model import TableVerdict
from ops.verdict.row_hash import Link, Pair, Proof, Source
from ops.verdict.type_casts import Both


def shared_rows(sides: Sides, found: Mapping[str, TableVerdict]) -> None:
    """Match every new row with one old row: count rows that two old tables claim, and duplicates."""
    claims: dict[str, list[tuple[Table, Home]]] = defaultdict(list)
    for name, homes in sides.homes.items():
        for home in homes:
            claims[home.new.name].append((sides.before.tables[name], home))
    for name, claimants in sorted(claims.items()):
        if len(claimants) > 1:
            _claimed_twice(sides, claimants, found)
        elif len(sides.homes[claimants[0][0].name]) == 1:
            _doubled(sides, sides.after.tables[name], *claimants[0], found[claimants[0][0].name])


def _claimed_twice(sides: Sides, claimants: list[tuple[Table, Home]], found: Mapping[str, TableVerdict]) -> None:
    # The table of the same name has the first claim, then the table with the most rows.
    claimants.sort(key=lambda claim: (claim[0].name != claim[1].new.name, -claim[0].rows, claim[0].name))
    taken: list[tuple[Table, Home]] = []
    for old, home in claimants:
        if taken and old.rows:
            rivals = [(other, its) for other, its in taken if _columns(home) & _columns(its)]
            # What changed in a column is no lost row.
            apart = _apart(home, found[old.name])
            proof = _together(sides, [*rivals, (old, home)], apart) if rivals else None
            known = sum(found[name].lost for name in {other.name for other, _ in rivals})
            lost = max(_missing(sides, proof) - known, 0) if proof else 0
            if lost > found[old.name].lost:
                found[old.name].lost, found[old.name].verdict = lost, "lost"
                found[old.name].changed = min(found[old.name].changed, old.rows - lost)
            elif proof and not lost:
                found[old.name].proofs.append(proof)
            if proof and apart:
                _count_changed(sides, [*rivals, (old, home)], apart, known + lost, found)
        taken.append((old, home))


def _apart(home: Home, verdict: TableVerdict) -> set[str]:
    """Return the new columns in which values differ, if the other columns identify the rows."""
    differ = {home.mapping[c.column] for c in verdict.columns if c.changed + c.lost and c.column in home.mapping}
    return set() if home.keyed else differ


def _count_changed(
    sides: Sides,
    claims: list[tuple[Table, Home]],
    apart: set[str],
    lost: int,
    found: Mapping[str, TableVerdict],
) -> None:
    """Count the changed values of the last claimant again: alone, a row was compared with rows of its rivals, too."""
    *rivals, (old, home) = claims
    verdict = found[old.name]
    for column in verdict.columns:
        to = home.mapping.get(column.column, "")
        if to in apart and column.changed and (proof := _together(sides, claims, apart - {to})):
            theirs = [c for other, its in rivals for c in found[other.name].columns if its.mapping.get(c.column) == to]
            column.changed = max(_missing(sides, proof) - lost - sum(c.changed + c.lost for c in theirs), 0)
    verdict.changed = max(column.changed for column in verdict.columns)


def _columns(home: Home) -> set[str]:
    """Return the new columns that a table claims. Two tables merged into one row claim different columns."""
    identity = {home.mapping[name] for name in home.identity if name in home.mapping} if home.keyed else set()
    joined = set(home.new.key) if not home.keyed else set()
    return set(home.mapping.values()) - identity - joined


def _together(sides: Sides, claims: list[tuple[Table, Home]], apart: Iterable[str] = ()) -> Proof | None:
    """Return the comparison of the rows of several old tables with all of their homes, over the shared columns.

    Args:
        apart: shared columns that are left out.
    """
    olds = {old.name: old for old, _ in claims}
    read = [
        (old, home, {to: sides.pair(old, name, home.new, to) for name, to in home.mapping.items()})
        for old in olds.values()
        for home in sides.homes[old.name]
    ]
    all_claim = sorted(set.intersection(*(set(pairs) for _, _, pairs in read)) - set(apart))
    shared = [to for to in all_claim if len({pairs[to][1] for _, _, pairs in read}) == 1]
    if not shared:
        return None
    before, after = {}, {}
    for old, home, pairs in read:
        before[old.name], after[home.new.name] = sources(old, home.new, [pairs[to] for to in shared])
    return Proof(tuple(before.values()), tuple(after.values()))


def _missing(sides: Sides, proof: Proof) -> int:
    found = sides.compare(proof.before, proof.after)
    return found.missing if found else 0


def _doubled(sides: Sides, new: Table, old: Table, home: Home, verdict: TableVerdict) -> None:
    """Count the duplicates: new rows equal to an old row except for the key."""
    names = [name for name in home.mapping if name not in old.key]
    if new.rows <= old.rows or not old.rows or not old.key or not names:
        return
    one, two = sources(old, new, sides.read(old, home, names))
    with closing(sides.look.hashes("before", [one])) as before, closing(sides.look.hashes("after", [two])) as after:
        verdict.duplicated = _too_many(before, after)
    if verdict.duplicated and verdict.verdict in ("unchanged", "moved"):
        verdict.verdict = "changed"


def _too_many(before: Iterable[int], after: Iterable[int]) -> int:
    """Return how many additional rows have the hash of an old row."""
    count = 0
    old = groupby(before)
    mine = next(old, None)
    for hash_, group in groupby(after):
        while mine is not None and mine[0] < hash_:
            mine = next(old, None)
        if mine is not None and mine[0] == hash_:
            count += max(sum(1 for _ in group) - sum(1 for _ in mine[1]), 0)
            mine = next(old, None)
    return count


def twins_crossed(sides: Sides, old: Table, home: Home) -> int:
    """Count the rows, equal to another row except for the key, that other rows reference than before.

    Only their links distinguish such rows.
    """
    content = sides.content(old, home)
    if not content or not home.new.key or home.rows:
        return 0
    with closing(sides.look.hashes("before", [Source(old.name, tuple(one for one, _ in content))])) as hashes:
        if not any(one == two for one, two in pairwise(hashes)):
            return 0
    leading = [pair for table, column in _leading(sides, old) if (pair := _back(sides, old, home, table, column))]
    before, after = sources(old, home.new, [*content, *leading])
    found = sides.compare([before], [after])
    return found.missing if found else old.rows


def _leading(sides: Sides, old: Table) -> Iterator[tuple[Table, str]]:
    """Yield the tables and columns that reference a table's key."""
    for table in sides.before.tables.values():
        for column, (to, key) in sides.links("before", table).items():
            if to == old.name and key in old.key and table.rows:
                yield table, column


def _back(sides: Sides, old: Table, home: Home, table: Table, column: str) -> Both | None:
    """Return how to read all rows that reference a row as one value."""
    there = next((h for h in sides.homes.get(table.name, []) if column in h.mapping), None)
    if there is None:
        return None
    if table.name == old.name:
        pairs = sides.content(old, home)
    else:
        pairs = sides.read(table, there, [name for name in there.identity if name != column])
        pairs = [pair for pair in pairs if pair[0].link is None] or pairs[:1]
    if not pairs:
        return None
    one, two = zip(*pairs, strict=True)
    key, new_key = column_of(old, old.key[0]), column_of(home.new, home.new.key[0])
    mine = Pair(key.name, key.read_as, Link(table.name, column, one, back=True))
    return mine, Pair(new_key.name, new_key.read_as, Link(there.new.name, there.mapping[column], two, back=True))
