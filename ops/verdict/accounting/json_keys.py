"""Count the keys within JSON that are lost or have other values.

A key may be personal data (a map by user). It is named only if it looks like a column name and many rows have it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from ops.core.sql_names import identifier, literal
from ops.core.text import counted, listed
from ops.verdict.comparison import Sides, sources
from ops.verdict.fingerprint import Column, Table
from ops.verdict.match import Home, column_of
from ops.verdict.row_hash import ROW, Pair
from ops.verdict.type_casts import Both

JSON = ("json", "jsonb")
_NAME = re.compile(r"[A-Za-z_][\w-]{0,39}")
# The number of keys that are counted, the number that is named, and the least share of rows of a named key.
MOST, SHOWN, SHARE = 30, 5, 0.01
FEW = "some rare keys"


class Where(NamedTuple):
    """Hold the place of a key: the column by name, and its value for the old row, as SQL that returns JSON."""

    name: str
    sql: str


Places = Mapping[str, Where | None]


class Count(NamedTuple):
    """Hold a key, how many rows had it, and in how many of these it is lost or has another value."""

    key: str
    rows: int
    gone: int
    other: int


def read_as_json(column: Column) -> str:
    """Return SQL for a column that holds JSON, also as text. An empty text has no value."""
    here = f"{ROW}.{identifier(column.name)}"
    return f"{here}::jsonb" if column.read_as in JSON else f"nullif(btrim({here}::text), '')::jsonb"


def keys_of(values: Sequence[str | None]) -> list[str]:
    """Return the distinct keys of the objects among JSON texts."""
    found: dict[str, None] = {}
    for text in values:
        with suppress(ValueError, RecursionError):
            value = json.loads(text or "null")
            found |= dict.fromkeys(value if isinstance(value, dict) else ())
    return list(found)[:MOST]


def changed(sides: Sides, old: Table, home: Home, name: str, values: Sequence[tuple[str | None, str | None]]) -> str:
    """Return text about keys of a remaining JSON column that are lost or have other values, or an empty string.

    Args:
        values: old and new values of a few rows that differ.
    """
    if column_of(old, name).read_as not in JSON:
        return ""
    here = f"{ROW}.{identifier(home.mapping[name])}::jsonb"
    places = {key: f"{here} -> {literal(key)}" for key in keys_of([was for was, _ in values])}
    return _told(list(_counts(sides, old, home, name, places)), sides.before.tables[old.name].rows)


def not_arrived(sides: Sides, old: Table, home: Home, column: Column, places: Places) -> str:
    """Return text about keys of a JSON column whose values are missing in the places created for them."""
    counts = list(_counts(sides, old, home, column.name, _sql(places), empty=False))
    bare = sorted(count.key for count in counts if places[count.key] is None and count.rows)
    named = [key for key in bare if _nameable(key, counts, old.rows)]
    placed = [count._replace(key=f"{count.key} → {new.name}") for count in counts if (new := places[count.key])]
    said = _told(placed, old.rows, known=True)
    rest = {count.key: count.rows for count in counts}
    lost = [f"{key} ({counted(rest[key], 'row')})" for key in named]
    lost += [FEW] if len(bare) > len(named) else []
    return "; ".join([*([said] if said else []), *([f"no column for {listed(lost, SHOWN)}"] if lost else [])])


def arrived(sides: Sides, old: Table, home: Home, column: Column, places: Places) -> bool:
    """Return True if all values of some key are in the key's place and are not all equal."""
    found_places = _sql({key: where for key, where in places.items() if where})
    for count in _counts(sides, old, home, column.name, found_places, empty=False):
        value = _value(f"{read_as_json(column)} -> {literal(count.key)}")
        before = Pair(column.name, "text", sql=value)
        found = sides.look.profile("before", old.name, [before])
        if count.rows > 1 and not count.gone + count.other and found and not found[0].constant:
            return True
    return False


def _sql(places: Places) -> dict[str, str]:
    return {key: where.sql if where else "NULL::jsonb" for key, where in places.items()}


def _value(sql: str, *, empty: bool = True) -> str:
    """Return SQL for a JSON value as text, and NULL for null, and for an empty text unless ``empty``."""
    plain = f"nullif(({sql})::text, 'null')"
    return plain if empty else f"nullif({plain}, '\"\"')"


def _counts(
    sides: Sides, old: Table, home: Home, name: str, places: Mapping[str, str], *, empty: bool = True
) -> Iterator[Count]:
    """Compare each key with its new place, row by row. Skip keys that cannot be read."""
    # An existing column is needed as the name of a pair with an expression.
    to, here = home.mapping[home.identity[0]], read_as_json(column_of(old, name))
    identity = sides.read(old, home, home.identity)
    for key, there in places.items():
        was, now = _value(f"{here} -> {literal(key)}", empty=empty), _value(there, empty=empty)
        missing = [
            _missing(sides, old, home, [*identity, (Pair(name, kind, sql=form % was), Pair(to, kind, sql=form % now))])
            for kind, form in (("text", "%s"), ("boolean", "nullif(%s IS NOT NULL, false)"))
        ]
        found = sides.look.profile("before", old.name, [Pair(name, "text", sql=was)])
        other, gone = missing
        if other is not None and gone is not None and found:
            yield Count(key, found[0].filled, gone, other - gone)


def _missing(sides: Sides, old: Table, home: Home, pairs: list[Both]) -> int | None:
    one, two = sources(old, home.new, pairs)
    # Only rows that had the key: a key that was added is not lost.
    one = replace(one, where=f"({pairs[-1][0].sql.replace(ROW, 'x')}) IS NOT NULL")
    found = sides.compare([one], [two])
    return None if found is None else found.missing


def _nameable(key: str, counts: Sequence[Count], rows: int) -> bool:
    have = next(count.rows for count in counts if count.key == key)
    return have > 1 and have >= rows * SHARE and bool(_NAME.fullmatch(key))


def _told(counts: Sequence[Count], rows: int, *, known: bool = False) -> str:
    """Return text that names keys with their losses and changes. ``known``: each key has a column of its name."""
    said, few = [], False
    for count in sorted(counts, key=lambda count: -count.gone - count.other):
        parts = [f"{number:,} {word}" for number, word in ((count.gone, "lost"), (count.other, "changed")) if number]
        if parts and (known or _nameable(count.key, counts, rows)):
            said.append(f"{count.key} ({', '.join(parts)})")
        few |= bool(parts) and not (known or _nameable(count.key, counts, rows))
    said += [FEW] if few else []
    return f"of its keys {listed(said, SHOWN)}" if said else ""
