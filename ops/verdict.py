"""The verdict: whether every row, value and link of the old release is still there after the migrations.

First form: tables are matched by name, and gone ones with new ones by content. What counts as proof is row-wise: the
multiset of row hashes over the columns that both sides have; column sums only suggest where a column went.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, permutations
from typing import Protocol

from ops.fingerprint import Column, Fingerprint, Table

# Django keeps these tables itself: migrate adds to them, and renaming a model renames its content type.
BOOKKEEPING = ("django_content_type", "auth_permission", "django_migrations")
TRIES = 24
SAMPLES = 5

Mapping_ = Mapping[str, str]
Pairs = Sequence[tuple[str, str]]


class Look(Protocol):
    """What the verdict asks the two databases. ``side`` is ``before`` or ``after``; pairs are (column, read as)."""

    def checksum(self, side: str, table: str, columns: Pairs) -> tuple[int, int] | None:
        """Rows and checksum over these columns; None where a value can't be read as the old type."""

    def hashes(self, side: str, table: str, columns: Pairs) -> Iterator[int]:
        """The rows' hashes, ascending."""

    def filled(self, side: str, table: str, column: str) -> int:
        """How many values are not NULL."""

    def keys(self, side: str, table: str, columns: Pairs, hashes: Sequence[int]) -> list[str]:
        """The primary keys of the rows with these hashes; empty where there is no key."""


@dataclass
class ColumnVerdict:
    """What became of a column. ``lost`` counts values that were not NULL and are found nowhere."""

    column: str
    verdict: str
    to: str = ""
    lost: int = 0


@dataclass
class TableVerdict:
    """What became of a table. ``lost`` and ``changed`` count rows; ``sample`` holds keys of some of them."""

    table: str
    verdict: str
    rows_before: int
    rows_after: int
    to: str = ""
    lost: int = 0
    changed: int = 0
    columns: list[ColumnVerdict] = field(default_factory=list)
    sample: list[str] = field(default_factory=list)
    mapping: dict[str, str] = field(default_factory=dict)

    @property
    def lost_values(self) -> int:
        """Values lost in all of its columns."""
        return sum(column.lost for column in self.columns)

    @property
    def refused(self) -> bool:
        """Whether it stands against a promotion."""
        if self.lost or self.lost_values:
            return True
        return self.verdict == "changed" and self.table.split(".")[-1] not in BOOKKEEPING

    def data(self) -> dict[str, object]:
        """Its JSON form (docs/json.md)."""
        return {
            "table": self.table,
            "verdict": self.verdict,
            "to": self.to or None,
            "rows_before": self.rows_before,
            "rows_after": self.rows_after,
            "lost": self.lost,
            "changed": self.changed,
            "columns": [
                {"column": c.column, "verdict": c.verdict, "to": c.to or None, "lost": c.lost} for c in self.columns
            ],
            "sample": self.sample,
            "mapping": self.mapping,
        }


@dataclass
class Verdict:
    """All tables."""

    tables: list[TableVerdict]

    @property
    def lost_rows(self) -> int:
        """Rows that are gone and were found nowhere."""
        return sum(table.lost for table in self.tables)

    @property
    def lost_values(self) -> int:
        """Values and links that are gone, in rows that are still there."""
        return sum(table.lost_values for table in self.tables)

    @property
    def refused(self) -> list[TableVerdict]:
        """The tables that stand against a promotion."""
        return [table for table in self.tables if table.refused]

    def data(self) -> dict[str, object]:
        """Its JSON form (docs/json.md)."""
        return {
            "lost_rows": self.lost_rows,
            "lost_values": self.lost_values,
            "tables": [table.data() for table in self.tables],
        }


@dataclass
class _Match:
    """How well one table's rows are found in another one over a mapping of columns."""

    mapping: dict[str, str]
    missing: int
    extra: int
    sample: list[int] = field(default_factory=list)


def judge(before: Fingerprint, after: Fingerprint, look: Look) -> Verdict:
    """Compare the old database with the migrated one."""
    verdicts = []
    free = {name: table for name, table in after.tables.items() if name not in before.tables}
    for name, old in sorted(before.tables.items()):
        if name in after.tables:
            verdicts.append(_kept(old, after.tables[name], look))
        else:
            found = _gone(old, free, look)
            free.pop(found.to, None)
            verdicts.append(found)
    verdicts += [TableVerdict(name, "added", 0, table.rows) for name, table in sorted(free.items())]
    return Verdict(verdicts)


def _kept(old: Table, new: Table, look: Look) -> TableVerdict:
    if old.columns == new.columns and (old.rows, old.checksum) == (new.rows, new.checksum):
        return TableVerdict(old.name, "unchanged", old.rows, new.rows, mapping={name: name for name in old.names})
    match, gone = _best(old, new, look)
    columns = _columns(old, new, match, gone, look)
    lost = max(match.missing - match.extra, 0)
    result = TableVerdict(old.name, "unchanged", old.rows, new.rows, lost=lost, columns=columns, mapping=match.mapping)
    if match.missing:
        # Rows that differ only in a value that is counted as lost with its column are not counted as changed, too.
        result.changed = max(match.missing - lost - result.lost_values, 0)
        result.sample = look.keys("before", old.name, _pairs(old, match.mapping, False), match.sample)
    if lost or result.lost_values:
        result.verdict = "lost"
    elif result.changed:
        result.verdict = "changed"
    return result


def _gone(old: Table, free: Mapping[str, Table], look: Look) -> TableVerdict:
    best: tuple[_Match, Table, list[str]] | None = None
    for new in free.values():
        match, gone = _best(old, new, look)
        # A table with nothing in common is no destination, however many rows of its own it has.
        if not match.mapping or (old.rows and match.missing >= old.rows):
            continue
        if best is None or (match.missing, len(gone)) < (best[0].missing, len(best[2])):
            best = match, new, gone
    if old.rows == 0 and (best is None or best[2]):
        return TableVerdict(old.name, "removed", 0, 0)
    if best is None:
        sample = look.keys("before", old.name, [(c.name, c.read_as) for c in old.columns], [])
        return TableVerdict(old.name, "lost", old.rows, 0, lost=old.rows, sample=sample)
    match, new, gone = best
    columns = _columns(old, new, match, gone, look)
    result = TableVerdict(
        old.name, "moved", old.rows, new.rows, new.name, lost=match.missing, columns=columns, mapping=match.mapping
    )
    if match.missing or result.lost_values:
        result.verdict = "lost"
        result.sample = look.keys("before", old.name, _pairs(old, match.mapping, False), match.sample)
    return result


def _best(old: Table, new: Table, look: Look) -> tuple[_Match, list[str]]:
    """The mapping of columns under which the fewest rows are missing, and the columns that found no place."""
    shared = {name: name for name in old.names if name in new.names}
    gone = [column for column in old.columns if column.name not in shared]
    base = _match(old, new, shared, look)
    if not gone:
        return base, []
    for mapping in islice(_guesses(old, new, shared, gone, look), TRIES):
        found = _match(old, new, mapping, look)
        if found.missing < max(old.rows, 1) and found.missing <= base.missing:
            return found, [column.name for column in gone if column.name not in mapping]
        # Part of the values may have come along: better a partial home than none, and what is missing is counted.
        if len(gone) == 1 and found.missing < old.rows:
            return found, []
    return base, [column.name for column in gone]


def _guesses(old: Table, new: Table, shared: Mapping_, gone: Sequence[Column], look: Look) -> Iterator[dict[str, str]]:
    """Where the gone columns may have gone: new columns of the same kind, those with equal sums first."""
    fresh = [column for column in new.columns if column.name not in shared]
    sums = {c.name: look.checksum("before", old.name, [(c.name, c.read_as)]) for c in gone}

    def equal(column: Column, candidate: Column) -> bool:
        return look.checksum("after", new.name, [(candidate.name, column.read_as)]) == sums[column.name]

    likely = {c.name: [f.name for f in fresh if f.read_as == c.read_as and equal(c, f)] for c in gone}
    sure = {name: found[0] for name, found in likely.items() if len(found) == 1}
    if sure and len(set(sure.values())) == len(sure):
        yield {**shared, **sure}
    kinds = {c.name: [f.name for f in fresh if f.read_as == c.read_as] for c in gone}
    able = [name for name in kinds if kinds[name]]
    for size in range(len(able), 0, -1):
        for chosen in permutations([f.name for f in fresh], size):
            mapping = dict(zip(able[:size], chosen, strict=True))
            if all(to in kinds[name] for name, to in mapping.items()):
                yield {**shared, **mapping}


def _match(old: Table, new: Table, mapping: Mapping_, look: Look) -> _Match:
    if not mapping:
        return _Match({}, old.rows, new.rows)
    mine, theirs = _pairs(old, mapping, False), _pairs(old, mapping, True)
    whole = len(mapping) == len(old.columns)
    before = (old.rows, old.checksum) if whole else look.checksum("before", old.name, mine)
    after = look.checksum("after", new.name, theirs)
    if after is None:
        return _Match(dict(mapping), old.rows, new.rows)
    if before == after:
        return _Match(dict(mapping), 0, 0)
    missing, extra, sample = difference(look.hashes("before", old.name, mine), look.hashes("after", new.name, theirs))
    return _Match(dict(mapping), missing, extra, sample)


def _pairs(old: Table, mapping: Mapping_, renamed: bool) -> list[tuple[str, str]]:
    return [(mapping[c.name] if renamed else c.name, c.read_as) for c in old.columns if c.name in mapping]


def _columns(old: Table, new: Table, match: _Match, gone: Sequence[str], look: Look) -> list[ColumnVerdict]:
    said = []
    for name, to in match.mapping.items():
        if to != name:
            lost = 0
            if match.missing:
                lost = max(look.filled("before", old.name, name) - look.filled("after", new.name, to), 0)
                lost = 0 if old.name != new.name else lost
            said.append(ColumnVerdict(name, "lost" if lost else "moved", to, lost))
    for name in gone:
        lost = look.filled("before", old.name, name)
        said.append(ColumnVerdict(name, "lost" if lost else "removed", lost=lost))
    taken = set(match.mapping.values())
    said += [ColumnVerdict(name, "added") for name in new.names if name not in taken]
    return said


def difference(before: Iterable[int], after: Iterable[int]) -> tuple[int, int, list[int]]:
    """Two ascending streams of hashes as multisets: how many of the first are not in the second, the other way round,
    and some of the missing ones. Memory is flat."""
    missing = extra = 0
    sample: list[int] = []
    one, two = iter(before), iter(after)
    left, right = next(one, None), next(two, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left < right):
            missing += 1
            if len(sample) < SAMPLES and left is not None:
                sample.append(left)
            left = next(one, None)
        elif left is None or right < left:
            extra += 1
            right = next(two, None)
        else:
            left, right = next(one, None), next(two, None)
    return missing, extra, sample
