"""Small exact look-ups in production for the hazards: rows, values, keys. Read-only, and never for long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from ops.verdict.row_hash import told_key

# How long one count may take, in seconds; after that the planner's estimate is taken and called that.
PATIENCE = 30


def quoted(name: str) -> str:
    """A table's name as Django quotes it: one that holds a schema (``app"."table``) comes out right, too."""
    return name if name.startswith('"') and name.endswith('"') else f'"{name}"'


class Production:
    """A production database, asked at most once for each thing.

    Args:
        connection: in autocommit; it becomes read-only.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.estimated: set[str] = set()
        self._rows: dict[str, int] = {}
        self._counts: dict[tuple[str, str], int] = {}
        connection.execute("SET default_transaction_read_only = on")
        connection.execute(f"SET statement_timeout = '{PATIENCE}s'".encode())

    def rows(self, table: str) -> int:
        """A table's rows; 0 where it is not there. An estimate for one that takes too long (see ``estimated``)."""
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
        """The first value of a query's first row.

        Raises:
            psycopg.Error: the query can't be answered.
        """
        row = self.connection.execute(query.encode()).fetchone()
        return row[0] if row else None

    def refuses(self, table: str, expression: str) -> bool:
        """Whether PostgreSQL can't compute an expression for some row, as its value does not allow it."""
        try:
            self.value(f"SELECT count({expression}) FROM {quoted(table)} x")
        except psycopg.DataError:
            return True
        except psycopg.Error:
            return False
        return False

    def count(self, table: str, where: str) -> int:
        """Rows (called ``x``) for which a condition holds; 0 where that can't be told: no such operator, no time."""
        if (table, where) not in self._counts:
            try:
                found = int(self.value(f"SELECT count(*) FROM {quoted(table)} x WHERE {where}") or 0)
            except psycopg.Error:
                found = 0
            self._counts[table, where] = found
        return self._counts[table, where]

    def filled(self, table: str, column: str) -> int:
        """Values that are not NULL."""
        return self.count(table, f"{quoted(column)} IS NOT NULL")

    def twins(self, table: str, columns: Sequence[str], where: str = "", nulls: bool = False) -> tuple[int, list[str]]:
        """Rows that share their values in these columns with another row, and the keys of some of them."""
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
        """Primary keys of some rows for which a condition holds."""
        key = self._key(table)
        try:
            found = self.connection.execute(
                f"SELECT {key} FROM {quoted(table)} x WHERE {where} ORDER BY 1 LIMIT 5".encode()
            )
            return [str(value) for (value,) in found if value is not None]
        except psycopg.Error:
            return []

    def _key(self, table: str) -> str:
        """The primary key as an expression; NULL where there is none, or one of several columns."""
        found = self.connection.execute(
            "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid "
            "AND a.attnum = ANY (i.indkey) WHERE i.indisprimary AND i.indrelid = to_regclass(%s)",
            [quoted(table)],
        ).fetchall()
        return told_key(quoted(found[0][0])) if len(found) == 1 else "NULL::text"
