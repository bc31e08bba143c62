"""Find where the values of a column went: another column of the row, a linked table, or nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ops.core.sql_names import bare
from ops.verdict.accounting.arrival import PART, arrived
from ops.verdict.comparison import Sides
from ops.verdict.fingerprint import Column, Table
from ops.verdict.match import Home, column_of
from ops.verdict.row_hash import Link, Pair, Source
from ops.verdict.type_casts import Both, comparable

# The number of places that are searched for a part of the values. Every place is checked for all values.
THOROUGH = 8
# The number of places that are checked for all values.
WHOLE = 60


@dataclass(frozen=True)
class Place:
    """Hold a column's values with their rows on the old side, and a place where they may be now.

    ``fresh``: the new column, or the link to it, is new. ``changed``: it is new, or a table on the path changed.
    ``same_name``: the column has, or had within the plan, the name of the old column. ``own``: it is the only column of
    its table that can have the values.
    """

    to: str
    before: Source
    after: Source
    fresh: bool
    changed: bool
    same_name: bool
    own: bool = False

    @property
    def table(self) -> str:
        """Return the table of the new column."""
        return self.to.rpartition(".")[0]

    @property
    def column(self) -> str:
        """Return the new column."""
        return self.to.rpartition(".")[2]

    def telling(self, sides: Sides) -> bool:
        """Return True if it has more than one value: a default that some rows had before is no copy."""
        found = sides.look.profile("after", self.after.table, self.after.pairs[-1:])
        return found is not None and not found[0].constant


@dataclass(frozen=True)
class Found:
    """Hold the place of most of a column's values, how many are missing, and the column that has these ``instead``."""

    place: Place
    missing: int
    instead: str = ""


def find(sides: Sides, old: Table, home: Home, name: str, filled: int, *, within: bool = False) -> Found | None:
    """Return the place that has all values of a column, or else the place with the most of them.

    Args:
        filled: the number of values.
        within: search only the table that has the rows.
    """
    column = column_of(old, name)
    every = (_beside if within else _places)(sides, old, home, column)
    possible = [place for place in every if _possible(sides, old, name, place)]
    places = _of_its_name(old, possible)[:WHOLE]
    constant = _constant(sides, old, name)
    places = [place for place in places if not constant or place.same_name or _named(sides, name, place)]
    if name in home.mapping:
        # The column remains with other values, so only a new column can have the old values.
        taken = {f"{home.new.name}.{to}" for to in home.mapping.values()}
        places = [place for place in places if place.fresh and place.to not in taken]
    for place in places:
        one, two = sides.look.checksum("before", [place.before]), sides.look.checksum("after", [place.after])
        if one is not None and one == two and arrived(sides, place.before, place.after, filled, 0):
            return Found(place, 0)
    best: Found | None = None
    likely = sorted((place for place in places if place.changed), key=lambda place: (not place.own, not place.fresh))
    for place in [place for place in likely if place.same_name or place.telling(sides)][:THOROUGH]:
        found = sides.compare([place.before], [place.after])
        least = best.missing if best else filled + 1 if place.own else filled * (1 - PART) + 1
        if found is None or found.missing >= least:
            continue
        if arrived(sides, place.before, place.after, filled, found.missing):
            best = Found(place, found.missing)
    if best and best.place.own and best.missing:
        left_out = [place for place in possible if place.table == best.place.table and not place.same_name]
        return replace(best, instead=_crossed(sides, left_out[:THOROUGH], filled))
    return best


def _crossed(sides: Sides, places: Sequence[Place], filled: int) -> str:
    """Return the column of another name that has most of the values, or an empty string."""
    for place in places:
        found = sides.compare([place.before], [place.after])
        if found is not None and found.missing < filled / 2:
            return place.to
    return ""


def _of_its_name(old: Table, places: Sequence[Place]) -> list[Place]:
    """Remove the other columns of a table that has a column of the same name, and sort columns of that name first.

    A value belongs to the column of its name: a first name found as a last name did not move. In an existing table that
    name may mean something else, so only columns that the old table also has are removed.
    """
    named = {place.table for place in places if place.same_name}
    new = {place.table for place in places if place.own}
    both = {place.table for place in places if not place.same_name and place.column in old.names} & named
    kept = [p for p in places if p.same_name or p.table not in new and not (p.table in both and p.column in old.names)]
    kept = [replace(place, own=place.own or place.same_name and place.table in both) for place in kept]
    return sorted(kept, key=lambda place: not place.own)


def _possible(sides: Sides, old: Table, name: str, place: Place) -> bool:
    """Return False for a new column if no operation can have copied the values."""
    return not place.fresh or sides.plan is None or sides.plan.may_have_copied(bare(old.name), name)


def _named(sides: Sides, name: str, place: Place) -> bool:
    """Return True if the migrations' code names both columns, so that equal values are no coincidence."""
    return sides.plan is not None and sides.plan.mentions(name, place.to.split(".")[-1].strip('"'))


def _constant(sides: Sides, old: Table, name: str) -> bool:
    found = sides.look.profile("before", old.name, [Pair(name, column_of(old, name).read_as)])
    return found is None or found[0].constant


def _places(sides: Sides, old: Table, home: Home, column: Column) -> Iterator[Place]:
    yield from _beside(sides, old, home, column)
    yield from _forward(sides, old, home, column)
    yield from _backward(sides, old, home, column)


def _beside(sides: Sides, old: Table, home: Home, column: Column) -> Iterator[Place]:
    """Yield the other columns of the row."""
    new = home.new
    taken = set(home.mapping.values())
    key = {home.mapping[name] for name in home.identity} if home.keyed else set()
    others = [other for other in new.columns if other.name not in {home.mapping.get(column.name), *key}]
    for other in sorted(others, key=lambda other: other.name in taken):
        yield from _place(sides, old, home, column, new, other, sides.read(old, home, home.identity))


def _place(
    sides: Sides, old: Table, home: Home, column: Column, new: Table, other: Column, identity: list[Both]
) -> Iterator[Place]:
    """Yield one column of one table as a place if it can have such values."""
    if sides.leads_elsewhere(old, column.name, new, other.name):
        return
    links = column.name in sides.links("before", old) and other.name in sides.links("after", new)
    renamed = new.name == home.new.name and not sides.origin(new.name, other.name)
    if not (links or renamed or comparable(column, other)):
        return
    one, two = sides.pair(old, column.name, new, other.name)
    made = _made(sides, old, column, new, other, identity, (one, two))
    # An existing number column without a link is not a place for links.
    if column.name not in sides.links("before", old) or other.name in sides.links("after", new) or made.fresh:
        yield made


def _made(
    sides: Sides,
    old: Table,
    column: Column,
    new: Table,
    other: Column,
    key: list[Both],
    value: Both,
    via: str = "",
    link: str = "",
) -> Place:
    before = Source(old.name, (*(a for a, _ in key), value[0]), True)
    after = Source(via or new.name, (*(b for _, b in key), value[1]), True)
    made = not sides.origin(new.name, other.name)
    # A place reached by a new link is new, too.
    fresh = made or bool(via) and not sides.origin(via, link)
    changed = fresh or any(_differs(sides, name) for name in {new.name, via or new.name})
    same = other.name == column.name or _renamed(sides, old, column, new, other)
    return Place(f"{new.name}.{other.name}", before, after, fresh, changed, same, same and made)


def _differs(sides: Sides, new: str) -> bool:
    was, now = sides.before.tables.get(sides.origin(new)), sides.after.tables[new]
    return was is None or (was.rows, was.checksum) != (now.rows, now.checksum)


def _renamed(sides: Sides, old: Table, column: Column, new: Table, other: Column) -> bool:
    """Return True if the plan's renames give both columns one name."""
    return sides.plan is not None and sides.plan.akin(bare(old.name), column.name, bare(new.name), other.name)


def _forward(sides: Sides, old: Table, home: Home, column: Column) -> Iterator[Place]:
    """Yield places in a row that the row references."""
    identity = sides.read(old, home, home.identity)
    for link, (to, key) in sides.links("after", home.new).items():
        there = sides.after.tables.get(to)
        if there is None or there.name == home.new.name:
            continue
        for other in there.columns:
            if not comparable(column, other) or other.name in there.key or column.name in sides.links("before", old):
                continue
            one, two = sides.pair(old, column.name, there, other.name)
            path = Pair(link, column_of(home.new, link).read_as, Link(to, key, (two,), scalar=True))
            yield _made(sides, old, column, there, other, identity, (one, path), home.new.name, link)


def _backward(sides: Sides, old: Table, home: Home, column: Column) -> Iterator[Place]:
    """Yield places in rows that reference the row or have its key, or one link further (a many-to-many table)."""
    for there in sides.after.tables.values():
        if there.name == home.new.name:
            continue
        for link, identity in _ways_back(sides, old, home, there):
            for other in there.columns:
                if other.name != link:
                    yield from _place(sides, old, home, column, there, other, identity)
            yield from _two_steps(sides, old, column, there, link, identity)


def _ways_back(sides: Sides, old: Table, home: Home, there: Table) -> Iterator[tuple[str, list[Both]]]:
    """Yield the columns of a table that reference the rows, with the identity read through them."""
    content, inward = sides.content(old, home), (old.name, home.new.name) in sides.inward
    for link, (to, key) in sides.links("after", there).items():
        if to != home.new.name:
            continue
        kept = next((name for name, new in home.mapping.items() if new == key and not inward), None)
        if kept and (home.keyed or kept in home.identity):
            yield link, [(Pair(kept, column_of(old, kept).read_as), Pair(link, column_of(old, kept).read_as))]
        elif content and old.key:
            one, two = zip(*content, strict=True)
            start = Pair(old.key[0], column_of(old, old.key[0]).read_as, Link(old.name, old.key[0], one))
            yield link, [(start, Pair(link, column_of(there, link).read_as, Link(to, key, two)))]
    shared = len(old.key) == 1 and len(there.key) == 1 and not sides.origin(there.name)
    leads = home.new.name in {to for to, _ in sides.links("after", there).values()}
    if home.keyed and shared and not inward and not leads:
        mine = column_of(old, old.key[0])
        if comparable(mine, column_of(there, there.key[0])):
            yield there.key[0], [(Pair(mine.name, mine.read_as), Pair(there.key[0], mine.read_as))]


def _two_steps(
    sides: Sides, old: Table, column: Column, there: Table, link: str, identity: list[Both]
) -> Iterator[Place]:
    for second, (to, key) in sides.links("after", there).items():
        far = sides.after.tables.get(to)
        if second == link or far is None or column.name in sides.links("before", old):
            continue
        for other in far.columns:
            if comparable(column, other) and other.name not in far.key:
                one, two = sides.pair(old, column.name, far, other.name)
                path = Pair(second, column_of(there, second).read_as, Link(to, key, (two,), scalar=True))
                yield _made(sides, old, column, far, other, identity, (one, path), there.name, second)
