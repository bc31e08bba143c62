"""How an old and a new column are read so that equal values are equal, whatever their types are called.

A wider type, a longer varchar or another scale is a new representation and no change; a value that rounds, is cut or
shifts is one. So a new value is read as the old type, and only where it survives the way there and back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ops.core.sql_names import identifier
from ops.verdict.fingerprint import Column
from ops.verdict.row_hash import ROW, Pair

# Types that take every spelling of a value, so that reading text as them loses nothing.
CANONICAL = ("uuid", "jsonb", "inet", "xml")
INTEGERS = ("smallint", "integer", "bigint", "numeric")

Both = tuple[Pair, Pair]


def readings(old: Column, new: Column) -> Iterator[Both]:
    """The ways to read the two columns, the likeliest first: a pair for the old side, and one for the new."""
    if old.read_as == new.read_as and (old.type == new.type or old.read_as not in ("numeric", "text")):
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
        # Text that became a JSON string: one rule for the whole column, or 'a' and '"a"' could be taken for each other.
        column = f"{ROW}.{identifier(new.name)}"
        string = f"CASE jsonb_typeof({column}) WHEN 'string' THEN {column} #>> '{{}}' END"
        yield Pair(old.name, "text", marked=True), Pair(new.name, "text", marked=True, sql=string)
    if old.read_as == "boolean" and new.read_as in INTEGERS:
        yield _plain(old), Pair(new.name, "int4::boolean", type=f"int4::{new.type}", marked=True)
    if new.read_as == "boolean" and old.read_as in INTEGERS:
        yield Pair(old.name, "int4::boolean", type=f"int4::{old.type}", marked=True), _plain(new)
    yield Pair(old.name, "text", marked=True), Pair(new.name, "text", marked=True)


def _readable(old: Column, kind: str) -> Iterator[Pair]:
    """Texts of which some are no value of a type: those are not taken for one, and the others are read all the same.

    The first way is for every server, the second one from PostgreSQL 16 on.
    """
    text = f"{ROW}.{identifier(old.name)}::text"
    yield Pair(old.name, kind, marked=True, sql=f"NULLIF(btrim({text}), '')::{kind}")
    valid = f"CASE WHEN pg_input_is_valid({text}, '{kind}') THEN {text}::{kind} END"
    yield Pair(old.name, kind, marked=True, sql=valid)


def comparable(old: Column, new: Column) -> bool:
    """Whether a value of one could be one of the other at all; keeps a search from trying everything."""
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
    """The type as which the other side is read: with its scale, since numeric(6,2) tells 1.5 from 1.50; what goes
    through text is first made that type."""
    if column.read_as == "numeric":
        return column.type
    return f"{column.type}::text" if column.read_as == "text" and column.type != "text" else column.read_as
