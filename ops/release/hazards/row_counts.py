"""Count rows and values of production for the hazards, read-only and with a time limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from ops.verdict.row_hash import told_key

# Seconds that one count may take. After that, the planner's estimate is reported as an estimate.
PATIENCE = 30


def quoted(name: str) -> str:
    """Quote a table's name as Django does, including a name with a schema (``app"."table``)."""
    return name if name.startswith('"') and name.endswith('"') else f'"{name}"'


class Production:
    """Query a production database at most once for each count.

    Args:
        connection: a connection in autocommit. It is made read-only.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.estimated: set[str] = set()
        self._rows: dict[str, int] = {}
        self._counts: dict[tuple[str, str], int] = {}
        connection.execute("SET default_transaction_read_only = on")
        connection.execute(f"SET statement_timeout = '{PATIENCE}s'".encode())

    def rows(self, table: str) -> int:
        """Count a table's rows: 0 without a table, an estimate after the time limit (see ``estimated``)."""
        if table not in self._rows:
            self._rows[table] = self._count_rows(table)
        return self._rows[table]

    def _count_rows(self, table: str) -> int:
        try:
            return int(self.value(f"SELECT count(*) FROM {quoted(table)}") or 0)
        except psycopg.errors.QueryCanceled:
            self.estimated.add(table)
            row = self.connection.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [quoted(table)])
            return max(int((row.fetchone() or [0])[0]), 1)
        except psycopg.ProgrammingError:
            return 0

    def value(self, query: str) -> Any:
        """Return the first value of a query's first row.

        Raises:
            psycopg.Error: the query failed.
        """
        row = self.connection.execute(query.encode()).fetchone()
        return row[0] if row else None

    def refuses(self, table: str, expression: str) -> bool:
        """Return True if PostgreSQL cannot compute an expression for the value of some row."""
        try:
            self.value(f"SELECT count({expression}) FROM {quoted(table)} x")
        except psycopg.DataError:
            return True
        except psycopg.Error:
            return False
        return False

    def count(self, table: str, where: str) -> int:
        """Count the rows (called ``x``) that meet a condition: 0 if the query fails or takes too long."""
        if (table, where) not in self._counts:
            try:
                found = int(self.value(f"SELECT count(*) FROM {quoted(table)} x WHERE {where}") or 0)
            except psycopg.Error:
                found = 0
            self._counts[table, where] = found
        return self._counts[table, where]

    def filled(self, table: str, column: str) -> int:
        """Count the values that are not NULL."""
        return self.count(table, f"{quoted(column)} IS NOT NULL")

    def twins(self, table: str, columns: Sequence[str], where: str = "", nulls: bool = False) -> tuple[int, list[str]]:
        """Count the rows that share their values in some columns. Return the keys of a few of them, too."""
        names = ", ".join(map(quoted, columns))
        conditions = [f"({where})"] if where else []
        conditions += [] if nulls else [f"{quoted(name)} IS NOT NULL" for name in columns]
        chosen = " AND ".join(conditions) or "true"
        same = f"SELECT {self._key(table)} AS key, count(*) OVER (PARTITION BY {names}) AS n FROM {quoted(table)}"
        query = f"SELECT count(*), (array_agg(key ORDER BY key))[1:5] FROM ({same} WHERE {chosen}) x WHERE n > 1"
        try:
            row = self.connection.execute(query.encode()).fetchone()
        except psycopg.Error:
            return 0, []
        return (int(row[0]), [str(key) for key in row[1] or () if key is not None]) if row else (0, [])

    def keys(self, table: str, where: str) -> list[str]:
        """Return the primary keys of a few rows that meet a condition."""
        key = self._key(table)
        try:
            found = self.connection.execute(
                f"SELECT {key} FROM {quoted(table)} x WHERE {where} ORDER BY 1 LIMIT 5".encode()
            )
            return [str(value) for (value,) in found if value is not None]
        except psycopg.Error:
            return []

    def _key(self, table: str) -> str:
        """Return the primary key as an expression, or NULL if the key does not have exactly one column."""
        found = self.connection.execute(
            "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid "
            "AND a.attnum = ANY (i.indkey) WHERE i.indisprimary AND i.indrelid = to_regclass(%s)",
            [quoted(table)],
        ).fetchall()
        return told_key(quoted(found[0][0])) if len(found) == 1 else "NULL::text"
