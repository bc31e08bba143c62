"""Find JSON that was encoded twice, and old keys of rows with new keys within arrays, JSON and text.

A comparison of values does not find these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg

from ops.core.sql_names import bare, identifier, split_names
from ops.verdict.fingerprint import Column, Fingerprint, Table
from ops.verdict.model import ColumnVerdict, TableVerdict, Verdict

TWICE = "JSON encoded twice, as a text within JSON; write data::jsonb, not to_jsonb(data) or json.dumps"
LOOKED_AT = 1000
ARRAYS = ("smallint[]", "integer[]", "bigint[]")
TEXTS = ("text", "character varying", "jsonb", "json")


def encoded_twice(
    verdict: Verdict,
    prints: tuple[Fingerprint, Fingerprint],
    old: psycopg.Connection[Any],
    new: psycopg.Connection[Any],
) -> None:
    """Count objects and arrays, as JSON or text, that became JSON strings. Add them to the verdict.

    Args:
        verdict: the verdict on every table, which is updated.
        prints: fingerprints of the clone before and after, the databases of ``old`` and ``new``.
    """
    before, after = prints
    for table in verdict.tables:
        now = after.tables.get(table.to or table.table)
        was = before.tables.get(table.table)
        if was is None or now is None or was.checksum == now.checksum and was.columns == now.columns:
            continue
        types = {column.name: column.type for column in now.columns}
        differing = {one.column for one in table.columns}
        for column in was.columns:
            to = table.mapping.get(column.name, "")
            # Values of the same type that were proved equal need no further reading.
            if types.get(to) in ("json", "jsonb") and (types[to] != column.type or column.name in differing):
                count = _strings(new, now.name, to)
                count -= _strings(old, was.name, column.name) if column.type in ("json", "jsonb") else 0
                if count > 0:
                    _twice(table, column.name, count)


def _strings(connection: psycopg.Connection[Any], table: str, column: str) -> int:
    """Count the JSON strings that contain an object or an array as text."""
    value = f"x.{identifier(column)}::jsonb"
    inner = f"SELECT {value} #>> '{{}}' FROM ONLY {table} x WHERE jsonb_typeof({value}) = 'string'"
    query = rf"SELECT text FROM ({inner}) s(text) WHERE text ~ '^\s*[\[{{]'"
    with connection.transaction(), connection.cursor("strings") as cursor:
        cursor.execute(query.encode())
        return sum(_is_json(text) for (text,) in cursor)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _twice(table: TableVerdict, name: str, count: int) -> None:
    column = next((one for one in table.columns if one.column == name), None)
    if column is None:
        column = ColumnVerdict(name, "changed")
        table.columns.append(column)
    if not column.changed and not column.lost:
        column.verdict, column.changed = "changed", count
        table.changed = max(table.changed, count)
        table.verdict = "changed" if table.verdict != "lost" else table.verdict
    column.note = TWICE if column.changed == count else f"{count:,} of them are {TWICE}"


def numbers_held(verdict: Verdict, before: Fingerprint, old: psycopg.Connection[Any]) -> Iterator[str]:
    """Yield a sentence for each table with new keys, with the columns that seem to contain its old keys.

    Args:
        before: fingerprint of the clone before the migrations, the database of ``old``.
    """
    for table in verdict.tables:
        if not any(column.verdict == "renumbered" for column in table.columns):
            continue
        own = before.tables[table.table]
        where = f"{table.table} has new keys in {', '.join(split_names(table.to or table.table))}"
        held = [
            f"{other.name}.{column.name}"
            for other in before.tables.values()
            for column in other.columns
            if column.name not in other.links and column.name not in other.key and _holds(old, own, other, column)
        ]
        yield where + (f"; {', '.join(held)} seem to contain the old keys: update these, too" if held else "")


def _holds(connection: psycopg.Connection[Any], own: Table, other: Table, column: Column) -> bool:
    """Return True if all numbers in some rows of a column are keys of a table."""
    kind = column.type.split("(")[0]
    if kind not in (*ARRAYS, *TEXTS):
        return False
    name = identifier(column.name)
    query = f"SELECT x.{name}::text FROM ONLY {other.name} x WHERE x.{name} IS NOT NULL"
    values = [str(text) for (text,) in connection.execute(f"{query} LIMIT {LOOKED_AT}".encode())]
    found = {number for text in values for number in _numbers(text, kind, bare(own.name))}
    if not found:
        return False
    key = identifier(own.key[0])
    query = f"SELECT count(*) FROM {own.name} x WHERE x.{key}::text = ANY (%s)"
    row = connection.execute(query.encode(), [sorted(found)]).fetchone()
    return bool(row and row[0] == len(found))


def _numbers(text: str, kind: str, table: str) -> Iterator[str]:
    """Yield the integers of an array or a list. Of JSON, yield those under a name that refers to the table."""
    if kind in ("json", "jsonb"):
        try:
            yield from _named(json.loads(text), table, False)
        except (ValueError, RecursionError):
            return
    elif kind in ARRAYS or re.fullmatch(r"\s*\d+(\s*[,;]\s*\d+)+\s*", text):
        yield from re.findall(r"-?\d+", text)


def _named(value: Any, table: str, meant: bool) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            stem = re.sub(r"(_id|_ids|s)$", "", str(name).lower())
            yield from _named(inner, table, bool(stem) and (table == stem or table.endswith(f"_{stem}")))
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner, table, meant)
    elif meant and isinstance(value, int) and not isinstance(value, bool):
        yield str(value)
