"""Restore the rows of a salvage without computing their generated columns, and compute these columns afterwards.

A dump has no values of generated columns. A function of such a column may be missing in the scratch database, may need
production's search_path, or may read other tables. Then the rows are restored without the column."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from ops.core.records import read_records
from ops.core.sql_names import identifier
from ops.infra.postgres.failure_text import explain
from ops.verdict.databases import settings
from ops.verdict.fingerprint import Table
from ops.verdict.row_hash import Pair, row_hash

# Stored columns that use a function or an operator of the user or of an extension; parents before their children.
_STORED = """
SELECT a.attrelid::regclass::text, a.attname::text, pg_get_expr(d.adbin, d.adrelid), a.attinhcount > 0
FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated = 's'
JOIN pg_class c ON c.oid = a.attrelid
WHERE pg_has_role(c.relowner, 'USAGE') AND EXISTS (
    SELECT FROM pg_depend x WHERE x.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass) AND x.refobjid >= 16384
    AND ((x.classid, x.objid) = ('pg_attrdef'::regclass, d.oid)
         OR (x.classid, x.objid, x.objsubid) = ('pg_class'::regclass, a.attrelid, a.attnum)))
ORDER BY 4, 1, 2
"""
# What a column without values would violate. A constraint is inherited as long as its parent's exists.
_REQUIRED = """
SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', k.conrelid::regclass, k.conname) FROM pg_constraint k
JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
WHERE k.contype = 'c' AND k.coninhcount = 0 AND k.conrelid = %(table)s::regclass AND a.attname = %(column)s
UNION ALL SELECT format('ALTER TABLE %%s ALTER COLUMN %%I DROP NOT NULL', a.attrelid::regclass, a.attname)
FROM pg_attribute a WHERE a.attnotnull AND a.attrelid = %(table)s::regclass AND a.attname = %(column)s
AND (a.attislocal OR a.attinhcount = 0)
"""
_TABLE = re.compile(
    r"^Command was: CREATE (?:UNLOGGED )?TABLE (?P<name>.+?) \(\n(?P<body>.*?)^\)", re.MULTILINE | re.DOTALL
)
_COLUMN = re.compile(r'^ {4}((?:"(?:[^"]|"")*"|[^\s"]+)) [^\n]*? GENERATED ALWAYS AS (?=\()', re.MULTILINE)
# A quoted text or name, or a parenthesis.
_TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[()]")


@dataclass(frozen=True)
class Computed:
    """A generated column that is restored without values, by its table, name and expression in SQL.

    ``why`` is the reason why its values cannot be computed, and ``then`` what to type; both are empty if they can."""

    table: str
    column: str
    expression: str
    why: str = ""
    then: str = ""


def loosen(connection: psycopg.Connection[Any]) -> list[Computed]:
    """Make generated columns that call functions ordinary columns, which may be NULL."""
    rows = connection.execute(_STORED.encode()).fetchall()
    for table, column, _, inherited in rows:
        if not inherited:
            connection.execute(f"ALTER TABLE {table} ALTER COLUMN {identifier(column)} DROP EXPRESSION".encode())
    for table, column, *_ in rows:
        given = {"table": table, "column": column}
        for (statement,) in connection.execute(_REQUIRED.encode(), given).fetchall():
            connection.execute(statement.encode())
    return [Computed(table, column, expression) for table, column, expression, _ in rows]


def of_failed(printed: str, tables: Collection[str]) -> list[Computed]:
    """Read the generated columns of tables that pg_restore could not create from the statements in its output."""
    return [
        Computed(made["name"], column, expression)
        for made in _TABLE.finditer(printed)
        if made["name"] in tables
        for column, expression in _generated(made["body"])
    ]


def _generated(body: str) -> Iterator[tuple[str, str]]:
    for found in _COLUMN.finditer(body):
        name, depth = found[1], 0
        for token in _TOKEN.finditer(body, found.end()):
            depth += {"(": 1, ")": -1}.get(token[0], 0)
            if depth == 0:
                yield name.strip('"').replace('""', '"'), body[found.end() : token.end()]
                break


def compute(
    connection: psycopg.Connection[Any], columns: Iterable[Computed], tables: Mapping[str, Table], path: str
) -> list[Computed]:
    """Compute the columns of the restored rows with production's search_path, and compare the rows with the backup.

    Args:
        connection: to the scratch database, in autocommit mode.
        tables: the tables with rows, as in the backup's fingerprint.
        path: production's search_path.

    Returns:
        the columns of these tables, with the reason if their values are not those of the backup.
    """
    connection.execute(settings())
    connection.execute("SELECT set_config('search_path', %s, false)", [path])
    done = [_computed(connection, one) for one in columns if one.table in tables]
    for name in {one.table for one in done} - {one.table for one in done if one.why}:
        if not _equal(connection, tables[name]):
            done = [replace(one, why=_OTHER) if one.table == name else one for one in done]
    return done


_OTHER = "its function has other results now, since it reads other tables, the time or settings"


def _computed(connection: psycopg.Connection[Any], one: Computed) -> Computed:
    column = identifier(one.column)
    try:
        connection.execute(f"UPDATE ONLY {one.table} SET {column} = {one.expression}".encode())
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        found = explain(error.diag.message_primary or "", error.diag.context or "", error.sqlstate)
        return replace(one, why=found.cause or re.sub(r': ".*', ": …", found.said), then=found.then)
    return one


def _equal(connection: psycopg.Connection[Any], table: Table) -> bool:
    hashed = row_hash([Pair(column.name, column.read_as) for column in table.columns])
    summed = f"SELECT count(*), coalesce(sum({hashed}), 0) FROM ONLY {table.name} x"
    row = connection.execute(summed.encode()).fetchone()
    return row is not None and (int(row[0]), int(row[1])) == (table.rows, table.checksum)


def read(path: Path) -> list[Computed]:
    """Read the columns from a file; a run of an older version has none.

    Raises:
        StepFailed: the file is damaged.
    """
    return read_records(path, Computed, "generated columns", optional=True)
