"""Where the values of one column went: another column of the row, another table along a link, or nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ops.fingerprint import Column, Table
from ops.homes import Home, bare, column_of
from ops.reading import Both, comparable
from ops.rows import Link, Pair, Source
from ops.sides import Sides

# How many places are looked through for a part of the values; whether all of them are there is asked of every place.
THOROUGH = 8
# Less than this part of the values is chance and no copy.
PART = 0.25
WHOLE = 60


@dataclass(frozen=True)
class Place:
    """A column's values, each with the row that it belongs to: on the old side, and where they may be now.

    ``fresh``: the new column was not there before; ``changed``: it is new, or its table has more or fewer rows.
    """

    to: str
    before: Source
    after: Source
    fresh: bool
    changed: bool
    same_name: bool

    def telling(self, sides: Sides) -> bool:
        """Whether it holds more than one value: a default that some rows had before is no copy."""
        found = sides.look.profile("after", self.after.table, self.after.pairs[-1:])
        return found is not None and not found[0].constant


@dataclass(frozen=True)
class Found:
    """Where most of a column's values are, and how many are missing there."""

    place: Place
    missing: int


def find(sides: Sides, old: Table, home: Home, name: str, filled: int) -> Found | None:
    """The place that holds all values of a column, else the one with the most of them.

    Args:
        filled: how many values there are.
    """
    column = column_of(old, name)
    places = [place for place in _places(sides, old, home, column) if _possible(sides, old, name, place)][:WHOLE]
    constant = _constant(sides, old, name)
    places = [place for place in places if not constant or place.same_name or _named(sides, name, place)]
    if name in home.mapping:
        # It is still there under its name, with other values: only a new column can have taken them.
        taken = {f"{home.new.name}.{to}" for to in home.mapping.values()}
        places = [place for place in places if place.fresh and place.to not in taken]
    for place in places:
        one, two = sides.look.checksum("before", [place.before]), sides.look.checksum("after", [place.after])
        if one is not None and one == two and (place.changed or _became(sides, place)):
            return Found(place, 0)
    best: Found | None = None
    for place in [place for place in places if place.changed and (place.same_name or place.telling(sides))][:THOROUGH]:
        found = sides.compare([place.before], [place.after])
        if found is not None and found.missing < (best.missing if best else filled * (1 - PART) + 1):
            best = Found(place, found.missing)
    return best


def _became(sides: Sides, place: Place) -> bool:
    """Whether a column that was there before holds other values now. Equal values that always stood there are chance,
    or the copy of an earlier release: that is for a person to say."""
    table, pair = place.after.table, place.after.pairs[-1]
    while pair.link is not None and pair.link.scalar:
        table, pair = pair.link.table, pair.link.content[0]
    if table not in sides.before.tables or pair.link is not None:
        return True
    plain = [Pair(pair.name, "text")]
    return sides.look.profile("before", table, plain) != sides.look.profile("after", table, plain)


def _possible(sides: Sides, old: Table, name: str, place: Place) -> bool:
    """Nothing can have been copied to a new column where no operation copies."""
    return not place.fresh or sides.plan is None or sides.plan.may_have_copied(bare(old.name), name)


def _named(sides: Sides, name: str, place: Place) -> bool:
    """Whether the migrations' code names both columns: then equal values are no coincidence."""
    return sides.plan is not None and sides.plan.mentions(name, place.to.split(".")[-1].strip('"'))


def _constant(sides: Sides, old: Table, name: str) -> bool:
    found = sides.look.profile("before", old.name, [Pair(name, column_of(old, name).read_as)])
    return found is None or found[0].constant


def _places(sides: Sides, old: Table, home: Home, column: Column) -> Iterator[Place]:
    new = home.new
    taken = set(home.mapping.values())
    key = {home.mapping[name] for name in home.identity} if home.keyed else set()
    others = [other for other in new.columns if other.name not in {home.mapping.get(column.name), *key}]
    for other in sorted(others, key=lambda other: other.name in taken):
        yield from _place(sides, old, home, column, new, other, sides.read(old, home, home.identity))
    yield from _forward(sides, old, home, column)
    yield from _backward(sides, old, home, column)


def _place(
    sides: Sides, old: Table, home: Home, column: Column, new: Table, other: Column, identity: list[Both]
) -> Iterator[Place]:
    """One column of one table as a place, where it could hold such values."""
    if sides.leads_elsewhere(old, column.name, new, other.name):
        return
    links = column.name in sides.links("before", old) and other.name in sides.links("after", new)
    was = sides.before.tables.get(new.name)
    renamed = new.name == home.new.name and (was is None or other.name not in was.names)
    if not (links or renamed or comparable(column, other)):
        return
    one, two = sides.pair(old, column.name, new, other.name)
    made = _made(sides, old, column, new, other, identity, (one, two))
    # Numbers that were there before and lead nowhere are no links.
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
    was = sides.before.tables.get(new.name)
    fresh = was is None or other.name not in was.names
    if via:
        # It is reached along a link: that the link is new says enough.
        start = sides.before.tables.get(via)
        fresh = fresh or start is None or link not in start.names
    changed = fresh or was is None or was.rows != new.rows
    return Place(f"{new.name}.{other.name}", before, after, fresh, changed, other.name == column.name)


def _forward(sides: Sides, old: Table, home: Home, column: Column) -> Iterator[Place]:
    """In a row that the row leads to."""
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
    """In rows that lead to the row, or that have its key; or one link further (a many-to-many table)."""
    for there in sides.after.tables.values():
        if there.name == home.new.name:
            continue
        for link, identity in _ways_back(sides, old, home, there):
            for other in there.columns:
                if other.name != link:
                    yield from _place(sides, old, home, column, there, other, identity)
            yield from _two_steps(sides, old, column, there, link, identity)


def _ways_back(sides: Sides, old: Table, home: Home, there: Table) -> Iterator[tuple[str, list[Both]]]:
    """Columns of a table that say to which of the rows it belongs, with the identity read through them."""
    content = sides.content(old, home)
    for link, (to, key) in sides.links("after", there).items():
        if to != home.new.name:
            continue
        kept = next((name for name, new in home.mapping.items() if new == key), None)
        if kept and (home.keyed or kept in home.identity):
            yield link, [(Pair(kept, column_of(old, kept).read_as), Pair(link, column_of(old, kept).read_as))]
        elif content and old.key:
            one, two = zip(*content, strict=True)
            start = Pair(old.key[0], column_of(old, old.key[0]).read_as, Link(old.name, old.key[0], one))
            yield link, [(start, Pair(link, column_of(there, link).read_as, Link(to, key, two)))]
    shared = home.keyed and len(old.key) == 1 and len(there.key) == 1 and there.name not in sides.before.tables
    if shared and home.new.name not in {to for to, _ in sides.links("after", there).values()}:
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
