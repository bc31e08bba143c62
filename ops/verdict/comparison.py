"""The two sides of a comparison, and where each old table's rows were found so far.

Everything that a comparison asks goes through here: how a column is read on both sides, whether a link leads to where
the rows went, and how many rows of one side are missing on the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice

from ops.core.sql_names import bare
from ops.verdict.fingerprint import Column, Fingerprint, Table
from ops.verdict.generic_keys import columns, generic_pair, made_plain
from ops.verdict.match import SURROGATE, Home, Plan, Where, column_of
from ops.verdict.model import SAMPLES, Look, difference
from ops.verdict.row_hash import Link, Pair, Source
from ops.verdict.type_casts import Both, readings

# How many links are followed, one after the other, for what tells rows apart.
DEPTH = 3
# From so many rows on, both sides are compared part by part before rows are streamed.
MANY = 50_000


@dataclass(frozen=True)
class Difference:
    """Two multisets of rows: how many of the first are not in the second, the other way round, some of the missing."""

    missing: int
    extra: int
    sample: tuple[int, ...] = ()


Fit = Callable[["Sides", Table, Table], Home | None]


@dataclass
class Sides:
    """One comparison's state.

    ``homes`` has an entry for every old table that was looked for; empty: it is lost. ``fit`` says how a new table fits
    as the home of an old one's rows. ``tables`` and ``columns`` are renames for sure, by the server's own numbers or by
    an operation that says so. ``inward`` says of an old and a new table how a row that became a part of the one row
    that led to it is told apart: by that row's own key.
    """

    before: Fingerprint
    after: Fingerprint
    look: Look
    fit: Fit
    plan: Plan | None = None
    homes: dict[str, list[Home]] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    columns: dict[tuple[str, str], str] = field(default_factory=dict)
    renumbered: set[str] = field(default_factory=set)
    inward: dict[tuple[str, str], Both] = field(default_factory=dict)
    _memo: dict[object, Difference] = field(default_factory=dict)
    _read: dict[object, Both] = field(default_factory=dict)
    _copies: dict[tuple[str, str], Home | None] = field(default_factory=dict)
    _told: dict[str, dict[str, dict[str, Where]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tables, self.columns = renames(self.look.numbers("before"), self.look.numbers("after"))
        self._told = {"before": {}, "after": {}}
        if self.plan:
            of, into = self._names(self.before), self._names(self.after)
            told = {of[old]: into[new] for old, new in self.plan.renamed_tables().items() if old in of and new in into}
            self.tables = {**told, **self.tables}
            names = self.plan.renamed_columns().items()
            self.columns = {(of[table], old): new for (table, old), new in names if table in of} | self.columns
            for side, known, links in (("before", of, self.plan.links_before), ("after", into, self.plan.links_after)):
                for table, column, to, key, _ in links:
                    if to in known:
                        self._told[side].setdefault(table, {})[column] = (known[to], key)

    @staticmethod
    def _names(side: Fingerprint) -> dict[str, str]:
        """Tables by the names that Django knows."""
        return {bare(name): name for name in reversed(side.tables)}

    def origin(self, new: str, column: str = "") -> str:
        """The old table that a new one is, or a column of it; empty where it was not there."""
        old = next((name for name, to in self.tables.items() if to == new), "" if new in self.tables else new)
        if old not in self.before.tables or not column:
            return old if old in self.before.tables else ""
        named = next((name for (table, name), to in self.columns.items() if (table, to) == (old, column)), "")
        kept = column in self.before.tables[old].names and (old, column) not in self.columns
        return named or (column if kept else "")

    def lives(self, old: Table, homes: list[Home]) -> None:
        """Take note of where a table's rows are."""
        self.homes[old.name] = homes
        (self.renumbered.add if homes and not homes[0].keyed else self.renumbered.discard)(old.name)

    def compare(self, before: Sequence[Source], after: Sequence[Source]) -> Difference | None:
        """Rows of the old side against rows of the new one; None where a value can't be read as asked."""
        key = (tuple(before), tuple(after))
        if key not in self._memo:
            found = self._compare(before, after)
            if found is None:
                return None
            self._memo[key] = found
        return self._memo[key]

    def _compare(self, before: Sequence[Source], after: Sequence[Source]) -> Difference | None:
        one, two = self.look.checksum("before", before), self.look.checksum("after", after)
        if one is None or two is None:
            return None
        if one == two:
            return Difference(0, 0)
        if not one[0] or not two[0]:
            with closing(self.look.hashes("before", before)) as hashes:
                return Difference(one[0], two[0], tuple(islice(hashes, SAMPLES)))
        parts = differing(self.look, before, after) if one[0] + two[0] > MANY else None
        missing, extra, some = difference(
            self.look.hashes("before", before, parts), self.look.hashes("after", after, parts)
        )
        return Difference(missing, extra, tuple(some))

    def links(self, side: str, table: Table) -> dict[str, Where]:
        """Where a table's columns lead: foreign keys, and what Django knows without a constraint."""
        found = {**self._told[side].get(bare(table.name), {}), **table.links}
        return found | self._guessed(table) if side == "before" and self.renumbered else found

    def _guessed(self, table: Table) -> dict[str, Where]:
        """Bare numbers whose name says where they lead, where the rows there have new keys."""
        moved = {bare(name): name for name in self.renumbered if name != table.name}
        found: dict[str, Where] = {}
        for column in table.columns:
            stem = column.name.removesuffix("_id")
            if column.name in table.links or column.name in table.key or column.read_as not in SURROGATE:
                continue
            meant = [name for short, name in moved.items() if stem and short.endswith(f"_{stem}") or short == stem]
            if len(meant) == 1 and len(self.before.tables[meant[0]].key) == 1:
                found[column.name] = (meant[0], self.before.tables[meant[0]].key[0])
        return found

    def followed(self, old: Table, name: str, new: Table, to: str) -> bool:
        """Whether a column is read as what it leads to, since its value does not say it any more."""
        mine = self.pair(old, name, new, to)[0]
        return mine.link is not None or any(name in pair for pair in columns(self, old)) and bool(mine.sql)

    def leading(self, new: Table, old: Table) -> dict[str, str]:
        """The columns by which another table led to an old one's key before the migrations, as they are called now."""
        was = self.before.tables.get(self.origin(new.name))
        found = self.links("before", was).items() if was and was.name != old.name else ()
        names = [name for name, (to, key) in found if to == old.name and (key,) == old.key]
        return {name: self.columns.get((was.name, name), name) for name in names} if was else {}

    def home_in(self, table: str, new: str) -> Home | None:
        """Where a table's rows are in a new one: it is one of their homes, or a whole copy of them that was made."""
        found = next((home for home in self.homes.get(table, []) if home.new.name == new), None)
        if found or table not in self.homes or self.origin(new) or new not in self.after.tables:
            return found
        if (table, new) not in self._copies:
            self._copies[table, new] = None
            copy = self.fit(self, self.before.tables[table], self.after.tables[new])
            self._copies[table, new] = copy if copy and not copy.rows and not copy.whole else None
        return self._copies[table, new]

    def leads_elsewhere(self, old: Table, name: str, new: Table, to: str) -> bool:
        """Whether a foreign key leads to another table than the one where the rows that it led to are now."""
        was, now = self.links("before", old).get(name), self.links("after", new).get(to)
        if not was or not now or was[0] not in self.homes or was[0] == now[0]:
            return False
        return self.home_in(was[0], now[0]) is None

    def pair(self, old: Table, name: str, new: Table, to: str, depth: int = DEPTH) -> Both:
        """How an old column and the new one that holds its values are read."""
        one, two = column_of(old, name), column_of(new, to)
        if (name,) == old.key and (old.name, new.name) in self.inward:
            return self.inward[old.name, new.name]
        if generic := generic_pair(self, old, name, new, to):
            return generic
        ends = (self.links("before", old).get(name, ("",))[0], self.links("after", new).get(to, ("",))[0])
        if plain := made_plain(self, old, name, new, to, ends):
            return plain
        links = self._followed(old, name, new, to, depth)
        if links:
            return Pair(name, one.read_as, links[0]), Pair(to, two.read_as, links[1])
        return self._reading(old, one, new, two)

    def _followed(self, old: Table, name: str, new: Table, to: str, depth: int) -> tuple[Link, Link] | None:
        """How a link is read as the content of the row that it leads to; None where its value still says it."""
        was, now = self.links("before", old).get(name), self.links("after", new).get(to)
        if not was:
            return None
        home = self.home_in(was[0], now[0]) if now else next(iter(self.homes.get(was[0], [])), None)
        if home is None:
            return None
        key = now[1] if now else home.mapping.get(was[1]) or (home.new.key or ("",))[0]
        if home.mapping.get(was[1]) == key and (was[0], home.new.name) not in self.inward or depth < 0:
            return None
        content = self.content(self.before.tables[was[0]], home, depth)
        if not content:
            return None
        one, two = zip(*content, strict=True)
        return Link(was[0], was[1], one), Link(home.new.name, key, two)

    def content(self, old: Table, home: Home, depth: int = DEPTH) -> list[Both]:
        """What tells a table's rows apart, as pairs of both sides. Links are followed ``depth`` times, since they may
        lead in a circle; further ones are left out."""
        found = []
        for name in home.identity:
            leads = self.links("before", old).get(name)
            unsettled = leads is not None and leads[0] not in self.homes
            if leads and (unsettled or not depth) and not home.keyed:
                continue
            found.append(self.pair(old, name, home.new, home.mapping[name], depth - 1))
        return found

    def _reading(self, old: Table, one: Column, new: Table, two: Column) -> Both:
        """The first way to read both that finds equal values; else the one that finds most of them."""
        key = (old.name, one, new.name, two)
        if key not in self._read:
            ways = list(readings(one, two))
            self._read[key] = ways[0] if len(ways) == 1 else self._best(old, new, ways)
        return self._read[key]

    def _best(self, old: Table, new: Table, ways: Sequence[Both]) -> Both:
        best, least = ways[-1], old.rows + 1
        for mine, theirs in ways:
            found = self.compare([Source(old.name, (mine,), True)], [Source(new.name, (theirs,), True)])
            if found is not None and found.missing < least:
                best, least = (mine, theirs), found.missing
            if not least:
                break
        return best

    def read(self, old: Table, home: Home, names: Iterable[str]) -> list[Both]:
        """Some columns of a table and of its home, as both are read."""
        return [self.pair(old, name, home.new, home.mapping[name]) for name in names]

    def pairs(self, old: Table, new: Table, mapping: Mapping[str, str]) -> list[Both]:
        """All columns of a mapping, in the old table's order."""
        return [self.pair(old, c.name, new, mapping[c.name]) for c in old.columns if c.name in mapping]


def differing(
    look: Look,
    before: Sequence[Source],
    after: Sequence[Source],
    keys: tuple[Sequence[Pair], Sequence[Pair]] = ((), ()),
) -> list[int] | None:
    """The parts of the rows in which anything differs, so that the others need not be streamed; None for all."""
    one, two = look.parts("before", before, keys[0]), look.parts("after", after, keys[1])
    found = [number for number in one.keys() | two.keys() if one.get(number) != two.get(number)]
    return found if 2 * len(found) < len(one) else None


def renames(
    before: Mapping[str, tuple[int, Mapping[str, int]]], after: Mapping[str, tuple[int, Mapping[str, int]]]
) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    """Tables and columns that are the same with another name. The clone before the migrations is a copy of its files,
    so both sides have the server's own numbers; where no table of a name has the same one, it is no such copy."""
    if not any(name in after and after[name][0] == number for name, (number, _) in before.items()):
        return {}, {}
    now = {number: (name, columns) for name, (number, columns) in after.items()}
    tables: dict[str, str] = {}
    names: dict[tuple[str, str], str] = {}
    for old, (number, named) in before.items():
        new, there = now.get(number, ("", {}))
        if new and new != old:
            tables[old] = new
        called = {number: name for name, number in there.items()}
        names |= {(old, name): called[n] for name, n in named.items() if n in called and called[n] != name}
    return tables, names


def sources(old: Table, new: Table, pairs: Sequence[Both], filled: bool = False) -> tuple[Source, Source]:
    """Both sides' rows, read through pairs."""
    return (
        Source(old.name, tuple(one for one, _ in pairs), filled),
        Source(new.name, tuple(two for _, two in pairs), filled),
    )


def without(table: Table, names: Sequence[str]) -> Table:
    """A table with some of its columns left out."""
    return replace(table, columns=tuple(column for column in table.columns if column.name not in names))


def in_link_order(sides: Sides) -> Iterator[Table]:
    """Old tables, each after those that it links to, as far as that can be; those that may lead anywhere come last."""
    generic = {name for name, table in sides.before.tables.items() if any(columns(sides, table))}
    left = dict(sorted(sides.before.tables.items(), key=lambda item: (item[0] in generic, item[0])))
    while left:
        ready = [
            table
            for table in left.values()
            if not {to for to, _ in sides.links("before", table).values()} & (left.keys() - {table.name})
            and (table.name not in generic or left.keys() <= generic)
        ]
        for table in ready or [next(iter(left.values()))]:
            yield left.pop(table.name)
