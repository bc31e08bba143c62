"""Define rules, as SQL, that compute one old value from several new columns or from new rows.

Examples: a timestamp became a day and a time, JSON keys became columns, a text was split, two bounds became a range, a
list became rows, a generic link became foreign keys. A rule is only a proposal until it is proved in every row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations, islice, permutations
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ops.core.sql_names import bare, identifier, literal
from ops.verdict.accounting.json_keys import JSON, Places, Where, keys_of, read_as_json
from ops.verdict.comparison import Sides, sources
from ops.verdict.fingerprint import Column, Table
from ops.verdict.generic_keys import TYPES, columns, model_of, type_of
from ops.verdict.match import Home
from ops.verdict.representations import AWARE, NAIVE, SEPARATORS, TEXTS, Rule, moment, zones
from ops.verdict.row_hash import ROW, Pair
from ops.verdict.type_casts import INTEGERS

# The number of rows that select the rules to try, and the number of rules that are checked for a column.
LOOKED_AT, MOST = 50, 24
PARTS, LIKELY = 4, 0.75
RANGES = {
    "date": "daterange", "integer": "int4range", "bigint": "int8range", "numeric": "numrange",
    NAIVE: "tsrange", AWARE: "tstzrange",
}  # fmt: skip
Values = Sequence[str | None]


class Spread(NamedTuple):
    """Hold a rule and the names of the new columns that it reads.

    ``keys``: the place of each JSON key, or None.
    """

    to: str
    rule: Rule
    keys: Places = {}


class _Asked(NamedTuple):
    """Hold a dropped column, with the new columns of its rows in the table's order."""

    sides: Sides
    old: Table
    home: Home
    column: Column
    fresh: list[Column]

    def of(self, *kinds: str) -> list[Column]:
        return [new for new in self.fresh if new.read_as in kinds]

    def values(self, news: Sequence[Column]) -> list[tuple[str, Values]]:
        """Return the old value and the new columns' values of a few rows, which only select the rules to try."""
        one, two = sources(self.old, self.home.new, self.sides.read(self.old, self.home, self.home.identity))
        look = self.sides.look
        hashes = list(islice(look.hashes("before", [one]), LOOKED_AT))
        was = look.texts("before", one, self.column.name, hashes) if hashes else {}
        now = [look.texts("after", two, new.name, hashes) for new in news] if hashes else []
        found = [(was.get(row), [texts.get(row) for texts in now]) for row in hashes]
        return [(old, new) for old, new in found if old is not None]


def spread(sides: Sides, old: Table, home: Home, column: Column, *, constant: bool) -> Iterator[Spread]:
    """Yield the rules that may hold for a dropped column, the likeliest first.

    Args:
        constant: the column has only one value, so that equal values may be chance.
    """
    if sides.plan is not None and not sides.plan.may_have_copied(bare(old.name), column.name):
        return
    taken = {*home.mapping.values(), *old.names}
    fresh = [new for new in home.new.columns if new.name not in taken]
    places = sides.look.numbers("after").get(home.new.name, (0, {}))[1]
    asked = _Asked(sides, old, home, column, sorted(fresh, key=lambda new: places.get(new.name, 0)))
    rules = _links(asked) if constant else _every(asked)
    yield from islice(rules, MOST)


def _every(asked: _Asked) -> Iterator[Spread]:
    kind, array = asked.column.read_as, asked.column.type.endswith("[]")
    yield from _links(asked)
    if kind in (NAIVE, AWARE):
        yield from _moments(asked)
    if kind in ("date", "time without time zone"):
        yield from _of_moments(asked)
    if kind in RANGES:
        yield from _bounds(asked)
    if kind in JSON or kind in TEXTS and not array and keys_of([was for was, _ in asked.values([])]):
        yield from _keys(asked)
        yield from _named_rows(asked)
    if kind in TEXTS and not array:
        yield from _joined(asked)
    if kind in (*TEXTS, *JSON) or array:
        yield from _rows(asked)


def _here(column: Column) -> str:
    return f"{ROW}.{identifier(column.name)}"


def _text(asked: _Asked, to: str, before: str, after: str) -> tuple[Pair, Pair]:
    """Return both sides as text. NULL on one side must be NULL on the other side."""
    return Pair(asked.column.name, "text", sql=before), Pair(to, "text", sql=after)


def _moments(asked: _Asked) -> Iterator[Spread]:
    aware = asked.column.read_as == AWARE
    for day in asked.of("date"):
        for clock in asked.of("time without time zone"):
            sql = f"({_here(day)} + {_here(clock)})"
            for zone in zones(partial(_same, asked.values([day, clock]))) if aware else ["UTC"]:
                there = f"({sql} AT TIME ZONE {literal(zone)})" if aware else sql
                said = "its day and its time" + (f" in the time zone {zone}" if aware else "")
                before = Pair(asked.column.name, asked.column.read_as)
                yield Spread(
                    f"{day.name}, {clock.name}", Rule(said, (before, Pair(day.name, asked.column.read_as, sql=there)))
                )


def _of_moments(asked: _Asked) -> Iterator[Spread]:
    """Yield rules for a day or a time that became a part of a time without a zone."""
    kind = asked.column.read_as
    for new in asked.of(NAIVE):
        said = f"the {'day' if kind == 'date' else 'time'} of a moment"
        pairs = Pair(asked.column.name, kind), Pair(new.name, kind, sql=f"{_here(new)}::{kind}")
        yield Spread(new.name, Rule(said, pairs))


def _same(rows: Sequence[tuple[str, Values]], zone: str) -> bool:
    there = ZoneInfo(zone)
    moments = [(moment(was), moment(f"{day} {clock}")) for was, (day, clock) in rows]
    return _most(was is not None and was.astimezone(there).replace(tzinfo=None) == now for was, now in moments)


def _most(held: Iterable[bool]) -> bool:
    """Return True if a rule holds in most rows. The other rows are then counted as lost."""
    found = list(held)
    return sum(found) > len(found) * LIKELY


def _bounds(asked: _Asked) -> Iterator[Spread]:
    kind = asked.column.read_as
    for new in asked.of(RANGES[kind]):
        lower, upper = (f"{bound}({_here(new)})" for bound in ("lower", "upper"))
        ways = {"the lower bound": lower, "the upper bound": upper}
        if kind in ("date", "integer", "bigint"):
            # The old upper value must be part of the range, or the range would be shorter by one.
            ways = {"the lower bound": lower, "the last value of the range": f"{upper} - 1"}
        for said, sql in ways.items():
            yield Spread(new.name, Rule(said, (Pair(asked.column.name, kind), Pair(new.name, kind, sql=sql))))


def _keys(asked: _Asked) -> Iterator[Spread]:
    """Yield rules for JSON keys that became columns of their names, in the row or in a linked row."""
    keys = keys_of([was for was, _ in asked.values([])])
    for known in _columns(asked):
        places = {name: known.get(_plain(name)) for name in keys}
        found = {name: where for name, where in places.items() if where}
        if found:
            named = ", ".join(part for name, where in found.items() for part in (literal(name), where.sql))
            to, made = ", ".join(where.name for where in found.values()), f"jsonb_build_object({named})"
            yield from _objects(asked, to, "its keys as columns", made, places)


def _objects(asked: _Asked, to: str, said: str, made: str, places: Places) -> Iterator[Spread]:
    """Yield the ways to read an object. An empty text may replace a missing key, and no key may replace NULL."""
    one, here = read_as_json(asked.column), asked.home.mapping[asked.home.identity[0]]
    ways = [("", _object(made, "")), (", an empty text for a missing key", _object(made, ', \'""\''))]
    filled = asked.sides.look.profile("before", asked.old.name, [Pair(asked.column.name, "text", sql=f"({one})::text")])
    if filled and filled[0].filled < asked.old.rows:
        ways += [(f"{also}, nothing for NULL", f"nullif({sql}, '{{}}')") for also, sql in ways]
    for also, after in ways:
        yield Spread(to, Rule(f"{said}{also}", _text(asked, here, _object(one, ""), after)), places)


def _columns(asked: _Asked) -> Iterator[dict[str, Where]]:
    """Yield new columns by name: of the row, of each new table that links to it, and of each that it links to."""
    yield {_plain(new.name): Where(new.name, f"to_jsonb({_here(new)})") for new in asked.fresh}
    linked = [(there, link, key, (link, *there.key)) for there, link, key in _leading(asked)]
    for link, (to, key) in asked.sides.links("after", asked.home.new).items():
        if to in asked.sides.after.tables and not asked.sides.origin(to):
            there = asked.sides.after.tables[to]
            linked.append((there, key, link, there.key))
    for there, link, key, taken in linked:
        start = f"FROM ONLY {there.name} v WHERE v.{identifier(link)} = {ROW}.{identifier(key)}"
        yield {
            _plain(new.name): Where(f"{there.name}.{new.name}", f"(SELECT to_jsonb(v.{identifier(new.name)}) {start})")
            for new in there.columns
            if new.name not in taken
        }


def _named_rows(asked: _Asked) -> Iterator[Spread]:
    """Yield rules for JSON keys that became rows of a new table, with a column for the key and one for the value."""
    keys = keys_of([was for was, _ in asked.values([])])
    for there, link, key in _leading(asked):
        start = f"FROM ONLY {there.name} v WHERE v.{identifier(link)} = {ROW}.{identifier(key)}"
        rest = [new for new in there.columns if new.name not in (link, *there.key)]
        for name, value in permutations(rest, 2):
            for said, json in _as_json(name, value):
                word, to = f"v.{identifier(name.name)}", f"{there.name}.{value.name}"
                every = f"jsonb_object_agg({word}, {json}) FILTER (WHERE {word} IS NOT NULL AND {json} IS NOT NULL)"
                # If a key exists twice, its value is not certain.
                once = f"CASE WHEN count(*) = count(DISTINCT {word}) THEN coalesce({every}, '{{}}') END"
                places = {k: Where(to, f"(SELECT {json} {start} AND {word} = {literal(k)})") for k in keys}
                yield from _objects(asked, to, said, f"(SELECT {once} {start})", places)


def _as_json(name: Column, value: Column) -> Iterator[tuple[str, str]]:
    """Yield the ways to read a column as JSON. A text may be a text, or a number, true or false."""
    here = f"v.{identifier(value.name)}"
    if name.read_as not in TEXTS or name.type.endswith("[]"):
        return
    yield "its keys as rows", f"to_jsonb({here})"
    if value.read_as in TEXTS and not value.type.endswith("[]"):
        spoken = f"{here} ~ '^(-?(0|[1-9][0-9]*)([.][0-9]+)?|true|false)$'"
        yield "its keys as rows, as texts", f"CASE WHEN {spoken} THEN {here}::jsonb ELSE to_jsonb({here}) END"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _object(sql: str, empty: str) -> str:
    kept = f"jsonb_each({sql}) e(key, value) WHERE e.value NOT IN ('null'{empty})"
    made = f"(SELECT coalesce(jsonb_object_agg(e.key, e.value), '{{}}') FROM {kept})"
    return f"CASE WHEN {sql} IS NOT NULL THEN {made} END::text"


def _joined(asked: _Asked) -> Iterator[Spread]:
    """Yield rules for a text that was split into several columns, in the order of the columns.

    In another order, first and last names could be confused. An empty part has no separator.
    """
    news = asked.of(*TEXTS)
    rows = asked.values(news)
    for count in range(2, min(len(news), PARTS) + 1):
        for order in combinations(range(len(news)), count):
            for between in SEPARATORS:
                if not _most(was == between.join(p for n in order if (p := now[n])) for was, now in rows):
                    continue
                parts = [news[n] for n in order]
                listed = ", ".join(f"nullif({_here(part)}::text, '')" for part in parts)
                after = f"CASE WHEN {_here(parts[0])} IS NOT NULL THEN concat_ws({literal(between)}, {listed}) END"
                said = f"joined by {_word(between)}"
                yield Spread(
                    ", ".join(part.name for part in parts),
                    Rule(said, _text(asked, parts[0].name, f"{_here(asked.column)}::text", after)),
                )


def _word(between: str) -> str:
    return {"\n": "a line break", " ": "a blank"}.get(between, f"`{between.strip()}`")


def _rows(asked: _Asked) -> Iterator[Spread]:
    """Yield rules for a list that became rows of a new table, in the order of a number or of their keys."""
    for there, link, key in _leading(asked):
        start = f"ONLY {there.name} v", f"v.{identifier(link)} = {ROW}.{identifier(key)}"
        numbers = [c for c in there.columns if c.read_as in INTEGERS and c.name not in (link, *there.key)]
        order = [*(f"v.{identifier(c.name)}" for c in numbers), *(f"v.{identifier(name)}" for name in there.key)]
        for value in there.columns:
            if value.name not in (link, *there.key):
                yield from _list(asked, f"{there.name}.{value.name}", f"v.{identifier(value.name)}", start, order)
        for second, (to, far_key) in asked.sides.links("after", there).items():
            far = asked.sides.after.tables.get(to)
            for value in far.columns if far and second != link and not asked.sides.origin(to) else ():
                if far and value.name not in far.key:
                    joined = f"{start[0]} JOIN ONLY {to} w ON w.{identifier(far_key)} = v.{identifier(second)}"
                    to_ = f"{to}.{value.name}"
                    yield from _list(asked, to_, f"w.{identifier(value.name)}", (joined, start[1]), order)


def _leading(asked: _Asked) -> Iterator[tuple[Table, str, str]]:
    """Yield the new tables that reference the row, with the link and the referenced column."""
    for there in asked.sides.after.tables.values():
        for link, (to, key) in asked.sides.links("after", there).items():
            if to == asked.home.new.name and not asked.sides.origin(there.name):
                yield there, link, key


def _list(asked: _Asked, to: str, value: str, start: tuple[str, str], order: Sequence[str]) -> Iterator[Spread]:
    here, kind = _here(asked.column), asked.column.read_as
    listed = {}
    if asked.column.type.endswith("[]"):
        listed = {"a list": f"{here}::text[]"}
    elif kind in JSON:
        each = f"jsonb_array_elements_text({here}::jsonb) WITH ORDINALITY AS e(item, place)"
        array = f"ARRAY(SELECT e.item FROM {each} ORDER BY e.place)"
        listed = {"a list": f"CASE jsonb_typeof({here}::jsonb) WHEN 'array' THEN {array} END"}
    elif kind in TEXTS:
        used = [sep for sep in SEPARATORS if any(sep in was for was, _ in asked.values([]))]
        listed = {f"a list, split at {_word(sep)}": f"string_to_array({here}, {literal(sep)})" for sep in used}
    for said, before in listed.items():
        for by in order:
            after = f"ARRAY(SELECT {value}::text FROM {start[0]} WHERE {start[1]} ORDER BY {by})::text"
            key = asked.home.mapping[asked.home.identity[0]]
            yield Spread(to, Rule(f"{said} as rows", _text(asked, key, f"({before})::text", after)))


def _links(asked: _Asked) -> Iterator[Spread]:
    """Yield a rule for a generic link that became foreign keys, of which one is not NULL."""
    sides, old = asked.sides, asked.old
    kinds: Mapping[str, tuple[str, str]] = {name: pair for pair in columns(sides, old) for name in pair}
    if asked.column.name not in kinds or TYPES not in sides.before.tables:
        return
    kind, number = kinds[asked.column.name]
    whens, names = [], []
    for new in asked.fresh:
        to, key = sides.links("after", asked.home.new).get(new.name, ("", ""))
        kept = (name for name, homes in sides.homes.items() if any(h.new.name == to and h.keyed for h in homes))
        was = next(kept, "")
        if was and (key,) == sides.after.tables[to].key:
            label = literal(f"{model_of(sides, was, 'before')} ")
            whens.append(f"WHEN {_here(new)} IS NOT NULL THEN {label} || {_here(new)}")
            names.append(new.name)
    if whens:
        # An incomplete generic link is a value, too.
        model = f"coalesce({type_of(kind)}, {ROW}.{identifier(kind)}::text)"
        there = f"concat({model}, ' ', {ROW}.{identifier(number)})"
        before = f"CASE WHEN {_here(asked.column)} IS NOT NULL THEN {there} END"
        rule = Rule("a generic link as foreign keys", _text(asked, names[0], before, f"CASE {' '.join(whens)} END"))
        yield Spread(", ".join(names), rule)
