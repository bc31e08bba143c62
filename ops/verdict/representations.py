"""Define rules, as SQL, for values in another representation: cents, a time zone, a list. Pure.

A rule computes the old value from the new value. If that returns the old value in every row, nothing is lost. A change
that is only likely (a factor that is no unit, lower case) is no rule: a person must declare it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from ops.core.sql_names import identifier, literal
from ops.verdict.fingerprint import Column
from ops.verdict.row_hash import ROW, Pair
from ops.verdict.type_casts import CANONICAL, INTEGERS, Both, castable

Samples = Sequence[tuple[str | None, str | None]]

# Hundredths, thousandths and millionths; minutes, hours and days; dozens of percent are no unit.
FACTORS = (100, 1000, 1_000_000, 10_000, 10, 60, 3600, 86_400, 1440, 24, 1024)
SEPARATORS = (", ", ",", "; ", ";", "|", "\n", " ")
# Empty values: a column that has only one of them may be dropped.
EMPTY = ("", "{}", "[]")
# If several zones fit, use a well-known one.
KNOWN = ("UTC", "Europe/London", "Europe/Berlin", "Europe/Paris", "America/New_York", "Asia/Tokyo")
TEXTS = ("text", "character varying", "character")
# Types that a text in a column of another name may have become.
OF_TEXT = ("json", *CANONICAL, *INTEGERS, "date")
NAIVE, AWARE = "timestamp without time zone", "timestamp with time zone"
MOST_ZONES = 6
# A rule is tried if it holds for this share of the samples: one sample may be an exception.
FITTING = 0.75


class Rule(NamedTuple):
    """Hold a way to compute the old values from the new values: its description, and a pair for each side.

    ``never`` is SQL for values that the old column of ``x`` must not have: NULL and an empty text would become equal.
    ``apart``: pairs that also tell a lost value from an empty one, to count the rows in which the rule does not hold.
    """

    said: str
    pairs: Both
    never: str = ""
    apart: tuple[Both, ...] = ()


def rules(old: Column, new: Column, samples: Samples, *, fresh: bool = False) -> Iterator[Rule]:
    """Yield the rules that may hold between two columns, the likeliest first. Each must be proved on every row.

    Args:
        samples: old and new values of a few rows as text, None for NULL. They select the rules to try. A few of them
            may be exceptions to the rule.
        fresh: the new column has another name, and it is unknown whether it is the same column.
    """
    one, two = f"{ROW}.{identifier(old.name)}", f"{ROW}.{identifier(new.name)}"
    found = [(was, now) for was, now in samples if was is not None and now is not None]
    if not possible(old, new, fresh=fresh):
        return
    if old.read_as in INTEGERS:
        yield from _units(old, new, one, two, found)
    yield from _zones(old, new, two, found)
    if _array_and_json(old, new):
        # to_jsonb converts each item of an array to JSON, and leaves JSON unchanged.
        before, after = (
            Pair(name, "text", sql=f"to_jsonb({it})::text") for name, it in ((old.name, one), (new.name, two))
        )
        yield Rule("the same list", (before, after))
    if old.read_as in TEXTS:
        yield from _lists(old, new, two, found)
        yield from _empty(old, new, one, two) if not fresh or _spelled_alike(found) else ()


def possible(old: Column, new: Column, *, fresh: bool = False) -> bool:
    """Return True if a rule could hold between two columns, by their types."""
    numbers = old.read_as in INTEGERS and new.read_as in INTEGERS and (old.type != new.type or old.name != new.name)
    # A text column with another name moved. Empty texts may have become NULL with the same name, or in another type.
    texts = old.read_as in TEXTS and (not fresh or new.type.endswith("[]") or new.read_as in OF_TEXT)
    return numbers or texts or _array_and_json(old, new) or (old.read_as, new.read_as) == (NAIVE, AWARE)


def _array_and_json(old: Column, new: Column) -> bool:
    both = (old, new), (new, old)
    return any(one.type.endswith("[]") and two.read_as in ("jsonb", "json") for one, two in both)


def _text(old: Column, new: Column, sql: str, *, marked: bool = False, before: str = "") -> Both:
    return Pair(old.name, "text", marked=marked, sql=before), Pair(new.name, "text", marked=marked, sql=sql)


def _units(old: Column, new: Column, one: str, two: str, found: Samples) -> Iterator[Rule]:
    numbers = [(_number(was), _number(now)) for was, now in found]
    # Zero fits each factor.
    numbers = [(a, b) for a, b in numbers if a or b] or numbers
    if not numbers:
        return
    # 5.3 and 5.30 are the same number, so numbers are compared without trailing zeros.
    before = Pair(old.name, "numeric", marked=True, sql=f"trim_scale({one}::numeric)")
    for factor in FACTORS:
        if _mostly(a is not None and b is not None and a * factor == b for a, b in numbers):
            sql = f"trim_scale({two}::numeric / {factor})"
            yield Rule(f"× {factor:,}", (before, Pair(new.name, "numeric", marked=True, sql=sql)))
        if _mostly(a is not None and b is not None and a == b * factor for a, b in numbers):
            sql = f"trim_scale({two}::numeric * {factor})"
            yield Rule(f"÷ {factor:,}", (before, Pair(new.name, "numeric", marked=True, sql=sql)))


def _mostly(fits: Iterable[bool]) -> bool:
    """Return True if a rule may hold: it fits most of the samples."""
    every = list(fits)
    return sum(every) >= FITTING * len(every)


def _number(text: str | None) -> Decimal | None:
    try:
        return Decimal(text) if text is not None else None
    except InvalidOperation:
        return None


def _zones(old: Column, new: Column, two: str, found: Samples) -> Iterator[Rule]:
    # The opposite direction loses the zone.
    if (old.read_as, new.read_as) != (NAIVE, AWARE):
        return
    moments = [(moment(was), moment(now)) for was, now in found]
    for zone in zones(lambda zone: _mostly(_same(was, now, zone) for was, now in moments)) if moments else []:
        before = Pair(old.name, old.read_as, marked=True)
        after = Pair(new.name, old.read_as, marked=True, sql=f"{two} AT TIME ZONE {literal(zone)}")
        yield Rule(f"in the time zone {zone}", (before, after))


def zones(fits: Callable[[str], bool]) -> list[str]:
    """Return a few time zones that fit, well-known zones first."""
    every = available_timezones()
    names = [zone for zone in KNOWN if zone in every] + sorted(zone for zone in every - set(KNOWN) if "/" in zone)
    return [zone for zone in names if fits(zone)][:MOST_ZONES]


def moment(text: str | None) -> datetime | None:
    """Parse a timestamp of the server, or return None."""
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def _same(was: datetime | None, now: datetime | None, zone: str) -> bool:
    if was is None or now is None or was.tzinfo or not now.tzinfo:
        return False
    return now.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == was


def _lists(old: Column, new: Column, two: str, found: Samples) -> Iterator[Rule]:
    array, json = new.type.endswith("[]"), new.read_as in ("jsonb", "json")
    if not array and not json:
        return
    used = [sep for sep in SEPARATORS if any(sep in (was or "") for was, _ in found)] or [","]
    for sep in used:
        words = {"\n": "line breaks", " ": "blanks"}.get(sep, f"`{sep.strip()}`")
        sql = f"array_to_string({two}, {literal(sep)})"
        if json:
            each = f"jsonb_array_elements_text({two}::jsonb) WITH ORDINALITY AS e(item, place)"
            joined = f"(SELECT string_agg(e.item, {literal(sep)} ORDER BY e.place) FROM {each})"
            sql = f"CASE WHEN {two} IS NOT NULL THEN coalesce({joined}, '') END"
        yield Rule(f"a list, split at {words}", _text(old, new, sql, marked=True))


def _empty(old: Column, new: Column, one: str, two: str) -> Iterator[Rule]:
    """Yield rules for empty texts that became NULL or the reverse. The old column must have only one of them."""
    kind = new.read_as if new.read_as in CANONICAL else ""
    spelled, after = (f"({one}::text::{kind})::text" if kind else f"{one}::text"), f"{two}::text"
    before = f"CASE WHEN {one}::text = '' THEN '' ELSE {spelled} END" if kind else spelled
    both = Pair(old.name, "text", sql=before), Pair(new.name, "text", sql=f"coalesce({after}, '')")
    apart = [_text(old, new, after, before=f"CASE WHEN {one}::text <> '' THEN {spelled} END")]
    for valid in castable(f"{one}::text", kind) if kind else ():
        # Texts that are no values of the type are exceptions.
        either = f"CASE WHEN {valid} THEN {spelled} ELSE {one}::text END"
        apart.append(_text(old, new, after, before=f"CASE WHEN {one}::text <> '' THEN {either} END"))
    name, said = f"x.{identifier(old.name)}", "NULL for an empty text"
    yield Rule(f"JSON, and {said}" if kind == "jsonb" else said, both, f"{name} IS NULL", tuple(apart))
    if new.read_as in TEXTS:
        yield Rule("an empty text for NULL", _text(old, new, f"nullif({after}, '')"), f"{name} = ''")


def _spelled_alike(found: Samples) -> bool:
    """Return True if the new values are the old texts in another spelling: of JSON, of a uuid."""
    both = [(was, now) for was, now in found if (was or "").strip()]
    return bool(both) and _mostly(_plain(was or "") == _plain(now or "") for was, now in both)


def _plain(text: str) -> object:
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return text.strip().strip("{}").replace("-", "").lower()


def nothing_said(name: str) -> str:
    """Return SQL over ``ROW`` for a column's value, or NULL for an empty value."""
    column = f"{ROW}.{identifier(name)}"
    return f"CASE WHEN {column}::text NOT IN ({', '.join(map(literal, EMPTY))}) THEN {column}::text END"
