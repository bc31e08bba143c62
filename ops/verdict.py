"""The verdict: whether every row, value and link of the old release is still there after the migrations.

Tables are matched by name, and gone ones with new ones by content. A copy may have keys of its own: then its content is
compared without the key, and every link to it is read as the content of the row that it leads to. What counts as proof
is row-wise: the multiset of row hashes over the columns that both sides have; column sums only suggest where a column
went.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise, permutations
from typing import Protocol

from ops.fingerprint import Column, Fingerprint, Link, Pair, Table

# Django keeps these tables itself: migrate adds to them, and renaming a model renames its content type.
BOOKKEEPING = ("django_content_type", "auth_permission", "django_migrations")
TRIES = 24
SAMPLES = 5

Mapping_ = Mapping[str, str]
Pairs = Sequence[Pair]


class Look(Protocol):
    """What the verdict asks the two databases. ``side`` is ``before`` or ``after``."""

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
    """What became of a table.

    ``lost`` and ``changed`` count rows, ``sample`` holds keys of some of them; ``before`` and ``after`` are the columns
    over which the two sides were compared.
    """

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
    before: tuple[Pair, ...] = ()
    after: tuple[Pair, ...] = ()

    @property
    def tolerated(self) -> bool:
        """Whether Django keeps this table itself, and may change its rows."""
        return self.table.split(".")[-1] in BOOKKEEPING

    @property
    def lost_values(self) -> int:
        """Values lost in all of its columns."""
        return sum(column.lost for column in self.columns)

    @property
    def refused(self) -> bool:
        """Whether it stands against a promotion."""
        if self.lost or self.lost_values:
            return True
        return self.verdict == "changed" and not self.tolerated

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


@dataclass(frozen=True)
class _Renumbered:
    """A table whose rows were found again under new keys: where, and what of it tells its rows apart."""

    old: Table
    new: Table
    key: str
    new_key: str
    mapping: dict[str, str]


def judge(before: Fingerprint, after: Fingerprint, look: Look) -> Verdict:
    """Compare the old database with the migrated one."""
    return _Judge(before, after, look).verdict()


class _Judge:
    """One comparison. ``free`` holds the new tables that nothing has been found in yet."""

    def __init__(self, before: Fingerprint, after: Fingerprint, look: Look) -> None:
        self.before, self.after, self.look = before, after, look
        self.free = {name: table for name, table in after.tables.items() if name not in before.tables}
        self.renumbered: dict[str, _Renumbered] = {}

    def verdict(self) -> Verdict:
        """Gone tables first, since links to them are judged by where their rows went."""
        found = {}
        for old in self._gone_in_order():
            found[old.name] = self._gone(old)
            self.free.pop(found[old.name].to, None)
        for name, old in self.before.tables.items():
            if name in self.after.tables:
                found[name] = self._kept(old, self.after.tables[name])
        added = [TableVerdict(name, "added", 0, table.rows) for name, table in sorted(self.free.items())]
        return Verdict([found[name] for name in sorted(found)] + added)

    def _gone_in_order(self) -> Iterator[Table]:
        """A table comes after those that it links to, as far as that can be."""
        left = {name: table for name, table in sorted(self.before.tables.items()) if name not in self.after.tables}
        while left:
            ready = [t for t in left.values() if not {to for to, _ in t.links.values()} & (left.keys() - {t.name})]
            chosen = (ready or list(left.values()))[0]
            yield left.pop(chosen.name)

    def _kept(self, old: Table, new: Table) -> TableVerdict:
        same = old.columns == new.columns and (old.rows, old.checksum) == (new.rows, new.checksum)
        if same and not self._repointed(old):
            match = _Match({name: name for name in old.names}, 0, 0)
            return self._compared(TableVerdict(old.name, "unchanged", old.rows, new.rows), old, new, match)
        match, gone = self._best(old, new)
        columns = self._columns(old, new, match, gone)
        lost = max(match.missing - match.extra, 0)
        result = TableVerdict(old.name, "unchanged", old.rows, new.rows, lost=lost, columns=columns)
        self._compared(result, old, new, match)
        if match.missing:
            # Rows that differ only in a value that is counted as lost with its column are not counted as changed, too.
            result.changed = max(match.missing - lost - result.lost_values, 0)
            result.sample = self._keys(old, match)
        if lost or result.lost_values:
            result.verdict = "lost"
        elif result.changed:
            result.verdict = "changed"
        return result

    def _gone(self, old: Table) -> TableVerdict:
        best: tuple[_Match, Table, list[str]] | None = None
        for new in self.free.values():
            match, gone = self._best(old, new)
            # A table with nothing in common but its key is no destination, however many rows of its own it has.
            # A guess by content alone has to be a whole table: a rename has neither rows nor keys to spare.
            if match.extra and any(name != to for name, to in match.mapping.items()):
                continue
            alike = set(match.mapping) - set(old.key) or set(match.mapping) == set(old.names)
            if not alike or (old.rows and match.missing >= old.rows):
                continue
            if best is None or self._cost(old, match, gone) < self._cost(old, best[0], best[2]):
                best = match, new, gone
        if best is None or best[0].missing:
            copied = self._copied(old, best[0].missing if best else old.rows)
            if copied:
                return copied
        if old.rows == 0 and (best is None or best[2]):
            return TableVerdict(old.name, "removed", 0, 0)
        if best is None:
            sample = self.look.keys("before", old.name, [], [])
            return TableVerdict(old.name, "lost", old.rows, 0, lost=old.rows, sample=sample)
        match, new, gone = best
        return self._moved(old, new, match, self._columns(old, new, match, gone))

    def _cost(self, old: Table, match: _Match, gone: Sequence[str]) -> tuple[int, int]:
        """How many values would be lost, and how many rows too many there are."""
        return match.missing * len(old.columns) + (old.rows - match.missing) * len(gone), match.extra

    def _moved(self, old: Table, new: Table, match: _Match, columns: list[ColumnVerdict]) -> TableVerdict:
        result = TableVerdict(old.name, "moved", old.rows, new.rows, new.name, lost=match.missing, columns=columns)
        self._compared(result, old, new, match)
        if match.missing or result.lost_values:
            result.verdict = "lost"
            result.sample = self._keys(old, match)
        return result

    def _copied(self, old: Table, worst: int) -> TableVerdict | None:
        """The table's rows under new keys in a new table, if fewer than ``worst`` are missing there."""
        if len(old.key) != 1:
            return None
        itself = {name for name, (table, _) in old.links.items() if table == old.name}
        bare = replace(old, columns=tuple(c for c in old.columns if c.name not in {*old.key, *itself}), key=())
        for new in self.free.values():
            if len(new.key) != 1 or not bare.columns:
                continue
            match, gone = self._best(bare, replace(new, columns=tuple(c for c in new.columns if c.name not in new.key)))
            if gone or match.missing >= worst or not match.mapping:
                continue
            if self._twins(bare, match):
                continue
            self.renumbered[old.name] = _Renumbered(old, new, old.key[0], new.key[0], match.mapping)
            whole = replace(old, columns=tuple(c for c in old.columns if c.name not in old.key), key=())
            if itself:
                match, gone = self._best(whole, new)
            columns = self._columns(whole, new, match, gone)
            columns.insert(0, ColumnVerdict(old.key[0], "renumbered", new.key[0]))
            return self._moved(old, new, match, [c for c in columns if (c.column, c.verdict) != (new.key[0], "added")])
        return None

    def _twins(self, bare: Table, match: _Match) -> bool:
        """Whether two rows are equal but for their key, so that nothing tells to which of them a link should lead."""
        if not any(to == bare.name for t in self.before.tables.values() for to, _ in t.links.values()):
            return False
        hashes = self.look.hashes("before", bare.name, self._pairs(bare, match.mapping))
        return any(one == two for one, two in pairwise(hashes))

    def _best(self, old: Table, new: Table) -> tuple[_Match, list[str]]:
        """The mapping of columns under which the fewest rows are missing, and the columns that found no place."""
        shared = {name: name for name in old.names if name in new.names}
        gone = [column for column in old.columns if column.name not in shared]
        base = self._match(old, new, shared)
        if not gone:
            return base, []
        for mapping in islice(self._guesses(old, new, shared, gone), TRIES):
            found = self._match(old, new, mapping)
            if found.missing < max(old.rows, 1) and found.missing <= base.missing:
                return found, [column.name for column in gone if column.name not in mapping]
            # Part of the values may have come along: better a partial home than none, and what is missing is counted.
            if len(gone) == 1 and found.missing < old.rows:
                return found, []
        return base, [column.name for column in gone]

    def _guesses(self, old: Table, new: Table, shared: Mapping_, gone: Sequence[Column]) -> Iterator[dict[str, str]]:
        """Where the gone columns may have gone: new columns of the same kind, those with equal sums first."""
        fresh = [column for column in new.columns if column.name not in shared]
        sums = {c.name: self.look.checksum("before", old.name, self._pairs(old, {c.name: c.name})) for c in gone}

        def equal(column: Column, candidate: Column) -> bool:
            pairs = self._pairs(old, {column.name: candidate.name}, new)
            return self.look.checksum("after", new.name, pairs) == sums[column.name]

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

    def _match(self, old: Table, new: Table, mapping: Mapping_) -> _Match:
        if not mapping:
            return _Match({}, old.rows, new.rows)
        mine, theirs = self._pairs(old, mapping), self._pairs(old, mapping, new)
        whole = len(mapping) == len(self.before.tables[old.name].columns) and not any(pair.link for pair in mine)
        before = (old.rows, old.checksum) if whole else self.look.checksum("before", old.name, mine)
        after = self.look.checksum("after", new.name, theirs)
        if after is None:
            return _Match(dict(mapping), old.rows, new.rows)
        if before == after:
            return _Match(dict(mapping), 0, 0)
        missing, extra, sample = difference(
            self.look.hashes("before", old.name, mine), self.look.hashes("after", new.name, theirs)
        )
        return _Match(dict(mapping), missing, extra, sample)

    def _pairs(self, old: Table, mapping: Mapping_, new: Table | None = None) -> list[Pair]:
        """The columns to compare: on the old side, or as they are called in ``new``."""
        types = {column.name: column for column in new.columns} if new else {}
        pairs = []
        for column in old.columns:
            if column.name not in mapping:
                continue
            name = mapping[column.name] if new else column.name
            link = None
            if column.name in self._repointed(old):
                link = self._link(self.renumbered[old.links[column.name][0]], new is not None)
            other = types.get(name)
            changed = other is not None and other.read_as != column.read_as
            pairs.append(Pair(name, column.read_as, link, other.type if other and changed else ""))
        return pairs

    def _link(self, there: _Renumbered, after: bool) -> Link:
        old = replace(there.old, links=self._others(there))
        if not after:
            return Link(there.old.name, there.key, tuple(self._pairs(old, there.mapping)))
        return Link(there.new.name, there.new_key, tuple(self._pairs(old, there.mapping, there.new)))

    def _others(self, there: _Renumbered) -> dict[str, tuple[str, str]]:
        return {name: to for name, to in there.old.links.items() if to[0] != there.old.name}

    def _repointed(self, old: Table) -> set[str]:
        """The columns that link to a table whose rows have new keys: their values mean nothing by themselves."""
        return {name for name, (table, _) in old.links.items() if table in self.renumbered}

    def _compared(self, result: TableVerdict, old: Table, new: Table, match: _Match) -> TableVerdict:
        """Note over which columns the two sides were compared."""
        result.mapping = match.mapping
        result.before = tuple(self._pairs(old, match.mapping))
        result.after = tuple(self._pairs(old, match.mapping, new))
        return result

    def _keys(self, old: Table, match: _Match) -> list[str]:
        return self.look.keys("before", old.name, self._pairs(old, match.mapping), match.sample)

    def _columns(self, old: Table, new: Table, match: _Match, gone: Sequence[str]) -> list[ColumnVerdict]:
        said = []
        repointed = self._repointed(old)
        for name, to in match.mapping.items():
            if to == name and name not in repointed:
                continue
            lost = 0
            if match.missing and old.name == new.name:
                lost = max(self.look.filled("before", old.name, name) - self.look.filled("after", new.name, to), 0)
            kept = "repointed" if name in repointed else "moved"
            said.append(ColumnVerdict(name, "lost" if lost else kept, to, lost))
        for name in gone:
            lost = self.look.filled("before", old.name, name)
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
