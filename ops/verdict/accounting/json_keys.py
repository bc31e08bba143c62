"""Which keys within JSON are lost or hold other values, each with its count.

A key may be a value (a map by user): it is named only where it looks like a column's name and many rows have it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
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
# So many keys are counted, and named; a key that fewer of the rows have is not named.
MOST, SHOWN, SHARE = 30, 5, 0.01
FEW = "some that few rows have"


class Count(NamedTuple):
    """A key: how many rows had it, and of those in how many it is gone, and has another value."""

    key: str
    rows: int
    gone: int
    other: int


def keys_of(values: Sequence[str | None]) -> list[str]:
    """Return the keys of the objects among JSON texts, each once."""
    found: dict[str, None] = {}
    for text in values:
        with suppress(ValueError, RecursionError):
            value = json.loads(text or "null")
            found |= dict.fromkeys(value if isinstance(value, dict) else ())
    return list(found)[:MOST]


def changed(sides: Sides, old: Table, home: Home, name: str, values: Sequence[tuple[str | None, str | None]]) -> str:
    """Say which keys of a JSON column that is still there are gone or have other values; empty where none is known.

    Args:
        values: old and new values of some rows that differ.
    """
    if column_of(old, name).read_as not in JSON:
        return ""
    here = f"{ROW}.{identifier(home.mapping[name])}::jsonb"
    places = {key: f"{here} -> {literal(key)}" for key in keys_of([was for was, _ in values])}
    return _told(list(_counts(sides, old, home, name, places)), sides.before.tables[old.name].rows)


def not_arrived(sides: Sides, old: Table, home: Home, column: Column, columns: Mapping[str, Column | None]) -> str:
    """Say which keys of a JSON column did not arrive in the columns that were made of them.

    Args:
        columns: for each key its new column, None where it has none.
    """
    counts = list(_counts(sides, old, home, column.name, _places(columns), empty=False))
    bare = sorted(count.key for count in counts if columns[count.key] is None and count.rows)
    named = [key for key in bare if _nameable(key, counts, old.rows)]
    placed = [count._replace(key=f"{count.key} → {new.name}") for count in counts if (new := columns[count.key])]
    said = _told(placed, old.rows, known=True)
    rest = {count.key: count.rows for count in counts}
    lost = [f"{key} ({counted(rest[key], 'row')})" for key in named]
    lost += [FEW] if len(bare) > len(named) else []
    return "; ".join([*([said] if said else []), *([f"no column for {listed(lost, SHOWN)}"] if lost else [])])


def arrived(sides: Sides, old: Table, home: Home, column: Column, columns: Mapping[str, Column | None]) -> bool:
    """Return True if all values of some key, which are not all one, are in the key's column."""
    places = _places({key: new for key, new in columns.items() if new})
    for count in _counts(sides, old, home, column.name, places, empty=False):
        value = _value(f"{ROW}.{identifier(column.name)}::jsonb -> {literal(count.key)}")
        before = Pair(column.name, "text", sql=value)
        found = sides.look.profile("before", old.name, [before])
        if count.rows > 1 and not count.gone + count.other and found and not found[0].constant:
            return True
    return False


def _places(columns: Mapping[str, Column | None]) -> dict[str, str]:
    return {key: f"to_jsonb({ROW}.{identifier(new.name)})" if new else "NULL::jsonb" for key, new in columns.items()}


def _value(sql: str, *, empty: bool = True) -> str:
    """A JSON value as text; null is none, and so is an empty text unless ``empty``."""
    plain = f"nullif(({sql})::text, 'null')"
    return plain if empty else f"nullif({plain}, '\"\"')"


def _counts(
    sides: Sides, old: Table, home: Home, name: str, places: Mapping[str, str], *, empty: bool = True
) -> Iterator[Count]:
    """Compare each key with its new place, row by row; without those that can't be read."""
    # A column that is there, for what is read in its place.
    to, here = home.mapping[home.identity[0]], f"{ROW}.{identifier(name)}::jsonb"
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
    one, two = sources(old, home.new, pairs, filled=True)
    found = sides.compare([one], [two])
    return None if found is None else found.missing


def _nameable(key: str, counts: Sequence[Count], rows: int) -> bool:
    have = next(count.rows for count in counts if count.key == key)
    return have > 1 and have >= rows * SHARE and bool(_NAME.fullmatch(key))


def _told(counts: Sequence[Count], rows: int, *, known: bool = False) -> str:
    """Name keys with what became of them; ``known``: each has a column of its name."""
    said, few = [], False
    for count in sorted(counts, key=lambda count: -count.gone - count.other):
        parts = [f"{number:,} {word}" for number, word in ((count.gone, "gone"), (count.other, "other")) if number]
        if parts and (known or _nameable(count.key, counts, rows)):
            said.append(f"{count.key} ({', '.join(parts)})")
        few |= bool(parts) and not (known or _nameable(count.key, counts, rows))
    said += [FEW] if few else []
    return f"of its keys {listed(said, SHOWN)}" if said else ""
