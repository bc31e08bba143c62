"""Which live table holds what a table of the backup did, and which of its columns. Pure.

What the operator said; else the same name; else what the verdict of a rehearsal found; else the one new table that all
of its columns fit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ops.recovery.salvage.live_catalog import Catalog, LiveColumn, LiveTable
from ops.recovery.salvage.names import schema_and_name
from ops.verdict.fingerprint import Fingerprint, Table

# Into which types the text of a value can go and come back the same.
_WIDER = {
    "smallint": ("integer", "bigint", "numeric"),
    "integer": ("bigint", "numeric"),
    "bigint": ("numeric",),
    "real": ("double precision",),
    "character varying": ("text",),
    "json": ("text",),
    "uuid": ("text", "character varying"),
}
_LENGTH = re.compile(r"(character varying|bit varying|character|numeric)\((\d+)(?:,(-?\d+))?\)")


def lossless(old: str, new: str) -> bool:
    """Whether every value of one type can be written as the other one and read back."""
    if old == new:
        return True
    one, two = _LENGTH.fullmatch(old), _LENGTH.fullmatch(new)
    if one and two and one[1] == two[1] != "character":
        scale, wider = int(one[3] or 0), int(two[3] or 0)
        return wider == scale and int(two[2]) >= int(one[2])
    if one and new == one[1] != "character":
        return True
    return new in _WIDER.get(one[1] if one else old, ())


@dataclass(frozen=True)
class Verdicts:
    """What rehearsals found: ``tables`` maps an old table to the new one, ``columns`` likewise by old table."""

    tables: Mapping[str, str]
    columns: Mapping[str, Mapping[str, str]]


NOTHING = Verdicts({}, {})


@dataclass(frozen=True)
class Pairing:
    """A table of the backup and the live one that its rows go into.

    Args:
        columns: the backup's column to the live one, in the backup's order.
        lacking: columns of the backup that have no place in the live table.
        needed: live columns that must have a value, and for which the backup has none.
        unfit: columns whose values do not fit without loss: live column, old type, new type.
        how: how the pairing was found, in words.
    """

    source: str
    into: str
    columns: Mapping[str, str]
    lacking: tuple[str, ...]
    needed: tuple[str, ...]
    extra: tuple[str, ...]
    unfit: tuple[tuple[str, str, str], ...]
    how: str = ""

    @property
    def renamed(self) -> bool:
        """It goes into a table of another name: one that was made anew."""
        return self.source != self.into

    @property
    def whole(self) -> bool:
        """Every column has its place, and none is asked for that is not there."""
        return not (self.lacking or self.needed or self.unfit)


def pair(old: Table, new: LiveTable, homes: Mapping[str, str], hinted: Mapping[str, str] | None = None) -> Pairing:
    """Find the place of each column: as a rehearsal found it, by name, or where the same foreign key leads."""
    there = {column.name: column for column in new.columns if not column.generated}
    computed = {column.name for column in new.columns} - there.keys()
    found = {a: b for a, b in (hinted or {}).items() if a in old.names and b in there}
    for name in old.names:
        if name in there and name not in found and name not in found.values():
            found[name] = name
    found |= dict(_by_links(old, new, homes, found))
    columns = {name: found[name] for name in old.names if name in found}
    rest = [column for name, column in there.items() if name not in columns.values()]
    types = {column.name: column.type for column in old.columns}
    return Pairing(
        old.name,
        new.name,
        columns,
        tuple(name for name in old.names if name not in columns and name not in computed),
        tuple(column.name for column in rest if column.not_null and not column.filled),
        tuple(column.name for column in rest if not (column.not_null and not column.filled)),
        tuple(_unfit(types, columns, there)),
    )


def _by_links(
    old: Table, new: LiveTable, homes: Mapping[str, str], found: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Columns of other names that lead to the same rows, where only one on each side does."""
    free = {link.columns[0]: link.to for link in new.links if len(link.columns) == 1}
    free = {name: to for name, to in free.items() if name not in found.values()}
    left = {name: homes.get(table, "") for name, (table, _) in old.links.items() if name not in found}
    for name, home in left.items():
        fits = [column for column, to in free.items() if to == home]
        if len(fits) == 1 and list(left.values()).count(home) == 1:
            yield name, fits[0]


def _unfit(
    types: Mapping[str, str], columns: Mapping[str, str], there: Mapping[str, LiveColumn]
) -> Iterator[tuple[str, str, str]]:
    for name, new in columns.items():
        if not lossless(types[name], there[new].type):
            yield new, types[name], there[new].type


@dataclass(frozen=True)
class Homes:
    """Backup table to live table; ``how`` says by what, ``several`` holds the candidates where one can't be told,
    ``verdicts`` what rehearsals found of their columns."""

    tables: dict[str, str]
    how: dict[str, str]
    several: dict[str, list[str]]
    verdicts: Verdicts

    def pair(self, old: Fingerprint, live: Catalog, source: str, into: str) -> Pairing:
        """A table and the one that its rows go into, column by column."""
        hinted = self.verdicts.columns.get(source) if self.verdicts.tables.get(source) == into else None
        found = pair(old.tables[source], live[into], self.tables, hinted)
        return replace(found, how=self.how.get(source, ""))


def homes(old: Fingerprint, live: Catalog, chosen: Mapping[str, str], verdicts: Verdicts = NOTHING) -> Homes:
    """Where each table of a backup is now, as far as that can be told."""
    found = Homes({}, {}, {}, verdicts)
    for name in old.tables:
        if name in chosen:
            found.tables[name], found.how[name] = chosen[name], "as you said"
        elif name in live:
            found.tables[name], found.how[name] = name, "the same name"
        elif verdicts.tables.get(name) in live:
            found.tables[name], found.how[name] = verdicts.tables[name], "as the rehearsal found it"
    while guessed := list(_guesses(old, live, found)):
        for name, into in guessed:
            found.tables[name], found.how[name] = into, "the one new table that its columns fit"
    return found


def _guesses(old: Fingerprint, live: Catalog, found: Homes) -> Iterator[tuple[str, str]]:
    """Tables that fit one new table only, and are the only ones that fit it best."""
    new = [table for name, table in live.items() if name not in old.tables and name not in found.tables.values()]
    best: dict[str, str] = {}
    for table in old.tables.values():
        if table.name in found.tables:
            continue
        fits = [one for one in new if not one.partitioned and _fits(table, one, found.tables)]
        fits = _likeliest(table, fits, old, live)
        found.several[table.name] = [one.name for one in fits]
        if len(fits) == 1:
            best[table.name] = fits[0].name
    yield from ((name, into) for name, into in best.items() if list(best.values()).count(into) == 1)


def _fits(table: Table, one: LiveTable, homes: Mapping[str, str]) -> bool:
    with_itself = {**homes, table.name: one.name}
    found = pair(table, one, with_itself)
    keys = tuple(found.columns.get(name, "") for name in table.key)
    return found.whole and set(keys) == set(one.key) and _same_links(table, one, found, with_itself)


def _same_links(table: Table, one: LiveTable, found: Pairing, homes: Mapping[str, str]) -> bool:
    """Whether the same columns lead to the same tables."""
    there = {link.columns[0]: link.to for link in one.links if len(link.columns) == 1}
    return all(there.get(found.columns[name]) == homes.get(to) for name, (to, _) in table.links.items()) and (
        len(there) == len(table.links)
    )


def _likeliest(table: Table, fits: list[LiveTable], old: Fingerprint, live: Catalog) -> list[LiveTable]:
    """Of several: those to which links lead that led to the old one; then those named like it (same app)."""
    if len(fits) > 1:
        ranked = [(len(list(_followers(table.name, one.name, old, live))), one) for one in fits]
        fits = [one for count, one in ranked if count == max(number for number, _ in ranked)]
    if len(fits) > 1:
        app = _app(table.name)
        fits = [one for one in fits if _app(one.name) == app] or fits
    return fits


def _app(name: str) -> tuple[str, str]:
    schema, table = schema_and_name(name)
    return schema, table.split("_")[0]


def _followers(source: str, into: str, old: Fingerprint, live: Catalog) -> Iterable[str]:
    """Tables that led to the one and lead to the other now."""
    for table in old.tables.values():
        led = any(to == source for to, _ in table.links.values())
        if led and table.name in live and any(link.to == into for link in live[table.name].links):
            yield table.name
