"""Hold the two sides of a comparison, and where the rows of each old table were found so far.

All queries of a comparison go through this module: how to read a column on both sides, whether a link follows the moved
rows, and how many rows of one side are missing on the other side.
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

# The number of links that are followed in a chain to identify a row.
DEPTH = 3
# With more rows, both sides are compared by parts before rows are streamed.
MANY = 50_000


@dataclass(frozen=True)
class Difference:
    """Hold the difference of two multisets of rows: rows only in the first, rows only in the second, and a sample."""

    missing: int
    extra: int
    sample: tuple[int, ...] = ()


Fit = Callable[["Sides", Table, Table], Home | None]


@dataclass
class Sides:
    """Hold the state of a comparison.

    ``homes``: for every old table searched so far, where its rows are; empty if they are lost.
    ``fit``: computes how well a new table matches as the home of an old table's rows.
    ``tables``, ``columns``: certain renames, by the server's object ids or by an operation.
    ``inward``: for an old and a new table, how to identify a row that was merged into the only row that referenced it:
    by the key of that row.
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
        """Return the tables by their names without schema, as Django knows them."""
        return {bare(name): name for name in reversed(side.tables)}

    def origin(self, new: str, column: str = "") -> str:
        """Return the old name of a new table or of its column, or an empty string if it is new."""
        old = next((name for name, to in self.tables.items() if to == new), "" if new in self.tables else new)
        if old not in self.before.tables or not column:
            return old if old in self.before.tables else ""
        named = next((name for (table, name), to in self.columns.items() if (table, to) == (old, column)), "")
        kept = column in self.before.tables[old].names and (old, column) not in self.columns
        return named or (column if kept else "")

    def lives(self, old: Table, homes: list[Home]) -> None:
        """Record where a table's rows are."""
        self.homes[old.name] = homes
        (self.renumbered.add if homes and not homes[0].keyed else self.renumbered.discard)(old.name)

    def compare(self, before: Sequence[Source], after: Sequence[Source]) -> Difference | None:
        """Compare rows of both sides. Return None if a value cannot be read as the given type."""
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
        """Return the links of a table: foreign keys, and links without constraint that Django knows."""
        found = {**self._told[side].get(bare(table.name), {}), **table.links}
        return found | self._guessed(table) if side == "before" and self.renumbered else found

    def _guessed(self, table: Table) -> dict[str, Where]:
        """Guess links by the names of number columns, for tables whose rows have new keys."""
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
        """Return True if a column is read as the row that it references, because its value may have changed."""
        mine = self.pair(old, name, new, to)[0]
        return mine.link is not None or any(name in pair for pair in columns(self, old)) and bool(mine.sql)

    def leading(self, new: Table, old: Table) -> dict[str, str]:
        """Return the columns of a new table that referenced an old table's key before, by their new names."""
        was = self.before.tables.get(self.origin(new.name))
        found = self.links("before", was).items() if was and was.name != old.name else ()
        names = [name for name, (to, key) in found if to == old.name and (key,) == old.key]
        return {name: self.columns.get((was.name, name), name) for name in names} if was else {}

    def home_in(self, table: str, new: str) -> Home | None:
        """Return the home of a table's rows in a new table: one of their homes, or a complete copy of the rows."""
        found = next((home for home in self.homes.get(table, []) if home.new.name == new), None)
        if found or table not in self.homes or self.origin(new) or new not in self.after.tables:
            return found
        if (table, new) not in self._copies:
            self._copies[table, new] = None
            copy = self.fit(self, self.before.tables[table], self.after.tables[new])
            self._copies[table, new] = copy if copy and not copy.rows and not copy.whole else None
        return self._copies[table, new]

    def leads_elsewhere(self, old: Table, name: str, new: Table, to: str) -> bool:
        """Return True if a foreign key no longer references the table that has its referenced rows now."""
        was, now = self.links("before", old).get(name), self.links("after", new).get(to)
        if not was or not now or was[0] not in self.homes or was[0] == now[0]:
            return False
        return self.home_in(was[0], now[0]) is None

    def pair(self, old: Table, name: str, new: Table, to: str, depth: int = DEPTH) -> Both:
        """Return how to read an old column and the new column that holds its values."""
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
        """Return how to read a link as the content of the referenced row, or None if its value is still valid."""
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
        """Return the columns that identify a table's rows, as pairs of both sides.

        Links may form a circle, so they are followed ``depth`` times. Further links are left out.
        """
        found = []
        for name in home.identity:
            leads = self.links("before", old).get(name)
            unsettled = leads is not None and leads[0] not in self.homes
            if leads and (unsettled or not depth) and not home.keyed:
                continue
            found.append(self.pair(old, name, home.new, home.mapping[name], depth - 1))
        return found

    def _reading(self, old: Table, one: Column, new: Table, two: Column) -> Both:
        """Return the first way to read both columns that finds all values equal, or the way that finds the most."""
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

    def read_by(self, old: Table, name: str, new: Table, to: str, pairs: Both) -> bool:
        """Read two columns by a rule from now on. Return False if they are read as links or keys."""
        self._read[old.name, column_of(old, name), new.name, column_of(new, to)] = pairs
        return self.pair(old, name, new, to) == pairs

    def read(self, old: Table, home: Home, names: Iterable[str]) -> list[Both]:
        """Return how to read some columns of a table and of its home."""
        return [self.pair(old, name, home.new, home.mapping[name]) for name in names]

    def pairs(self, old: Table, new: Table, mapping: Mapping[str, str]) -> list[Both]:
        """Return how to read all columns of a mapping, in the old table's order."""
        return [self.pair(old, c.name, new, mapping[c.name]) for c in old.columns if c.name in mapping]


def differing(
    look: Look,
    before: Sequence[Source],
    after: Sequence[Source],
    keys: tuple[Sequence[Pair], Sequence[Pair]] = ((), ()),
) -> list[int] | None:
    """Return the parts in which rows differ, so that the other parts need not be streamed. None means all parts."""
    one, two = look.parts("before", before, keys[0]), look.parts("after", after, keys[1])
    found = [number for number in one.keys() | two.keys() if one.get(number) != two.get(number)]
    return found if 2 * len(found) < len(one) else None


def renames(
    before: Mapping[str, tuple[int, Mapping[str, int]]], after: Mapping[str, tuple[int, Mapping[str, int]]]
) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    """Return the renamed tables and columns, by the server's object ids.

    The clone before the migrations is a copy of the files, so object ids are equal on both sides. If no table has the
    same id on both sides, the databases are no such copies and nothing is returned.
    """
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
    """Return the rows of both sides, read through pairs of columns."""
    return (
        Source(old.name, tuple(one for one, _ in pairs), filled),
        Source(new.name, tuple(two for _, two in pairs), filled),
    )


def without(table: Table, names: Sequence[str]) -> Table:
    """Return a table without some of its columns."""
    return replace(table, columns=tuple(column for column in table.columns if column.name not in names))


def in_link_order(sides: Sides) -> Iterator[Table]:
    """Yield the old tables, each after the tables that it references if possible. Generic links come last."""
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
