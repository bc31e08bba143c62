"""Decide how to read an old and a new column so that equal values are equal, whatever their types are.

A wider type, a longer varchar or another scale changes no value. A rounded, truncated or shifted value is a change. So
a new value is read as the old type, but only if casting there and back returns the same value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ops.core.sql_names import identifier, literal
from ops.verdict.fingerprint import Column
from ops.verdict.row_hash import ROW, Pair

# Types that accept every spelling of a value, so that a cast from text loses nothing.
CANONICAL = ("uuid", "jsonb", "inet", "xml")
INTEGERS = ("smallint", "integer", "bigint", "numeric")

# Before PostgreSQL 16, texts of another form than these are not cast.
SPELLED = {
    "jsonb": r'^\s*(\{.*\}|\[.*\]|"[^"]*"|-?[0-9]+([.][0-9]+)?|true|false|null)\s*$',
    "uuid": "^[{]?([0-9a-fA-F]{4}-?){8}[}]?$",
}

Both = tuple[Pair, Pair]


def readings(old: Column, new: Column) -> Iterator[Both]:
    """Yield the ways to read the two columns, the likeliest first: a pair for the old and a pair for the new side."""
    if old.read_as == new.read_as and (old.type == new.type or old.read_as not in ("numeric", "text", "bpchar")):
        yield Pair(old.name, old.read_as), Pair(new.name, new.read_as)
        return
    if old.read_as == new.read_as:
        yield _plain(old), _plain(new)
    yield _plain(old), Pair(new.name, _bare(old), type=new.type, marked=True)
    yield Pair(old.name, _bare(new), type=old.type, marked=True), _plain(new)
    for kind in CANONICAL:
        if kind in (old.read_as, new.read_as):
            yield Pair(old.name, kind, marked=True), Pair(new.name, kind, marked=True)
            if new.read_as == kind and old.read_as == "text":
                yield from ((pair, Pair(new.name, kind, marked=True)) for pair in _readable(old, kind))
    if new.read_as == "jsonb":
        # Text that became a JSON string: one rule for all rows, or 'a' and '"a"' could be confused.
        column = f"{ROW}.{identifier(new.name)}"
        string = f"CASE jsonb_typeof({column}) WHEN 'string' THEN {column} #>> '{{}}' END"
        yield Pair(old.name, "text", marked=True), Pair(new.name, "text", marked=True, sql=string)
    if old.read_as == "boolean" and new.read_as in INTEGERS:
        yield _plain(old), Pair(new.name, "int4::boolean", type=f"int4::{new.type}", marked=True)
    if new.read_as == "boolean" and old.read_as in INTEGERS:
        yield Pair(old.name, "int4::boolean", type=f"int4::{old.type}", marked=True), _plain(new)
    yield Pair(old.name, "text", marked=True), Pair(new.name, "text", marked=True)


def _readable(old: Column, kind: str) -> Iterator[Pair]:
    """Yield ways to read a text column as a type if some texts are not values of the type."""
    text = f"{ROW}.{identifier(old.name)}::text"
    yield Pair(old.name, kind, marked=True, sql=f"NULLIF(btrim({text}), '')::{kind}")
    for valid in castable(text, kind):
        yield Pair(old.name, kind, marked=True, sql=f"CASE WHEN {valid} THEN {text}::{kind} END")


def castable(text: str, kind: str) -> Iterator[str]:
    """Yield conditions for texts that are values of a type. The first works from PostgreSQL 16 on."""
    yield f"pg_input_is_valid({text}, '{kind}')"
    if kind in SPELLED:
        yield f"{text} ~ {literal(SPELLED[kind])}"


def comparable(old: Column, new: Column) -> bool:
    """Return True if a value of one column could be a value of the other. This limits a search."""
    return old.read_as == new.read_as or _family(old) == _family(new)


def _family(column: Column) -> str:
    kind = re.sub(r"\(.*?\)", "", column.type)
    if kind in (*INTEGERS, "double precision", "real"):
        return "number"
    if kind in ("text", "character varying", "character", "bpchar", "uuid", "jsonb", "json"):
        return "text"
    if kind == "date" or kind.startswith("timestamp") and not kind.endswith("[]"):
        return "moment"
    return kind


def _plain(column: Column) -> Pair:
    return Pair(column.name, column.read_as, marked=True)


def _bare(column: Column) -> str:
    """Return the type as which the other side is read.

    The type includes its scale, because numeric(6,2) distinguishes 1.5 from 1.50. A type read as text is cast first.
    """
    if column.read_as == "numeric":
        return column.type
    return f"{column.type}::text" if column.read_as == "text" and column.type != "text" else column.read_as
