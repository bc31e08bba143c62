"""Map each table of the backup, and its columns, to live ones. Pure.

The operator's choice comes first, then the same name, then the verdict of a rehearsal, then the only new table that
has all columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ops.recovery.salvage.live_catalog import Catalog, LiveColumn, LiveTable
from ops.recovery.salvage.names import schema_and_name
from ops.verdict.fingerprint import Fingerprint, Table

# The types to which the text of a value converts without loss.
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
    """Return True if every value of one type can be written as the other type and read back unchanged."""
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
    """The results of rehearsals: ``tables`` maps an old table to the new one; ``columns`` likewise, by old table."""

    tables: Mapping[str, str]
    columns: Mapping[str, Mapping[str, str]]


NOTHING = Verdicts({}, {})


@dataclass(frozen=True)
class Pairing:
    """A table of the backup and the live table for its rows.

    Args:
        columns: maps the backup's columns to live ones, in the backup's order.
        lacking: columns of the backup that the live table lacks.
        needed: live columns that require a value for which the backup has none.
        extra: other live columns for which the backup has no value.
        unfit: columns whose values cannot be converted without loss: live column, old type, new type.
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
        """Return True if the live table has another name, so that a migration created it."""
        return self.source != self.into

    @property
    def whole(self) -> bool:
        """Return True if every column has a counterpart and no required column lacks a value."""
        return not (self.lacking or self.needed or self.unfit)


def pair(old: Table, new: LiveTable, homes: Mapping[str, str], hinted: Mapping[str, str] | None = None) -> Pairing:
    """Map each column: as a rehearsal found it, by name, or by an equal foreign key."""
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
    """Yield columns of other names that refer to the same rows, if each side has only one such column."""
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
    """Map the backup's tables to live ones.

    ``how`` says how each was found. ``several`` holds the candidates if there are several. ``verdicts`` are the
    results of rehearsals."""

    tables: dict[str, str]
    how: dict[str, str]
    several: dict[str, list[str]]
    verdicts: Verdicts

    def pair(self, old: Fingerprint, live: Catalog, source: str, into: str) -> Pairing:
        """Return a table and the live table for its rows, column by column."""
        hinted = self.verdicts.columns.get(source) if self.verdicts.tables.get(source) == into else None
        found = pair(old.tables[source], live[into], self.tables, hinted)
        return replace(found, how=self.how.get(source, ""))


def homes(old: Fingerprint, live: Catalog, chosen: Mapping[str, str], verdicts: Verdicts = NOTHING) -> Homes:
    """Find the live table of each table of a backup, as far as it can be determined."""
    found = Homes({}, {}, {}, verdicts)
    for name in old.tables:
        if name in chosen:
            found.tables[name], found.how[name] = chosen[name], "as requested"
        elif name in live:
            found.tables[name], found.how[name] = name, "the same name"
        elif verdicts.tables.get(name) in live:
            found.tables[name], found.how[name] = verdicts.tables[name], "as the rehearsal found it"
    while guessed := list(_guesses(old, live, found)):
        for name, into in guessed:
            found.tables[name], found.how[name] = into, "the one new table that its columns fit"
    return found


def _guesses(old: Fingerprint, live: Catalog, found: Homes) -> Iterator[tuple[str, str]]:
    """Yield tables that fit exactly one new table, if no other table fits it as well."""
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
    """Return True if the same columns refer to the same tables."""
    there = {link.columns[0]: link.to for link in one.links if len(link.columns) == 1}
    return all(there.get(found.columns[name]) == homes.get(to) for name, (to, _) in table.links.items()) and (
        len(there) == len(table.links)
    )


def _likeliest(table: Table, fits: list[LiveTable], old: Fingerprint, live: Catalog) -> list[LiveTable]:
    """Return the tables to which former references lead now; among several, those with the same app prefix."""
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
    """Yield the tables that referred to the old table and refer to the new one now."""
    for table in old.tables.values():
        led = any(to == source for to, _ in table.links.values())
        if led and table.name in live and any(link.to == into for link in live[table.name].links):
            yield table.name
