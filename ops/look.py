"""The two databases that a verdict asks: the clone before the migrations, and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from ops.fingerprint import identifier, row_hash
from ops.verdict import Pairs
from ops.world import SQL_FOLDER


class Databases:
    """Implements ``verdict.Look`` over psycopg connections.

    Args:
        sides: ``before`` and ``after`` (or only one of them) as autocommit connections.
    """

    def __init__(self, sides: dict[str, psycopg.Connection[Any]]) -> None:
        self.sides = sides
        settings = Path(SQL_FOLDER / "settings.sql").read_text().replace("SET LOCAL", "SET")
        for connection in sides.values():
            connection.execute(settings)
            connection.execute("SET default_transaction_read_only = on")

    def checksum(self, side: str, table: str, columns: Pairs) -> tuple[int, int] | None:
        """See ``verdict.Look``."""
        text = f"SELECT count(*), coalesce(sum({row_hash(columns)}), 0) FROM ONLY {table} x"
        try:
            row = self.sides[side].execute(text.encode()).fetchone()
        except (psycopg.errors.DataError, psycopg.ProgrammingError):
            return None
        return (int(row[0]), int(row[1])) if row else None

    def hashes(self, side: str, table: str, columns: Pairs) -> Iterator[int]:
        """See ``verdict.Look``; streamed by a server-side cursor."""
        connection = self.sides[side]
        with connection.transaction(), connection.cursor(f"hashes_{side}") as cursor:
            cursor.itersize = 20_000
            cursor.execute(f"SELECT {row_hash(columns)} AS hash FROM ONLY {table} x ORDER BY 1".encode())
            for (value,) in cursor:
                yield int(value)

    def filled(self, side: str, table: str, column: str) -> int:
        """See ``verdict.Look``."""
        row = self.sides[side].execute(f"SELECT count(x.{identifier(column)}) FROM ONLY {table} x".encode()).fetchone()
        return int(row[0]) if row else 0

    def keys(self, side: str, table: str, columns: Pairs, hashes: Sequence[int]) -> list[str]:
        """See ``verdict.Look``; without hashes, the first keys of the table."""
        connection = self.sides[side]
        found = connection.execute(
            "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid "
            "AND a.attnum = ANY (i.indkey) WHERE i.indisprimary AND i.indrelid = %s::regclass ORDER BY a.attnum",
            [table],
        ).fetchall()
        if not found:
            return []
        key = sql.SQL(" || ',' || ").join(sql.SQL("x.{}::text").format(sql.Identifier(name)) for (name,) in found)
        order = sql.SQL(", ").join(sql.SQL("x.{}").format(sql.Identifier(name)) for (name,) in found)
        listed = ", ".join(str(int(value)) for value in hashes)
        where = sql.SQL(f"WHERE {row_hash(columns)} = ANY (ARRAY[{listed}]::bigint[])" if hashes else "")
        query = sql.SQL("SELECT {} FROM ONLY {} x {} ORDER BY {} LIMIT 5").format(key, sql.SQL(table), where, order)
        return [str(value) for (value,) in connection.execute(query)]

    def lagging(self, side: str) -> list[str]:
        """Sequences behind the highest key of their column, as ``table.column``: the next insert would fail."""
        connection = self.sides[side]
        owned = connection.execute(
            "SELECT format('%I.%I', n.nspname, c.relname), a.attname, s.oid::regclass::text FROM pg_depend d "
            "JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_class c ON c.oid = d.refobjid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid "
            "WHERE d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND c.relkind = 'r'"
        ).fetchall()
        found = []
        for table, column, sequence in owned:
            query = (
                f"SELECT max(x.{identifier(column)}) >= q.last_value + q.is_called::int "
                f"FROM ONLY {table} x, {sequence} q GROUP BY q.last_value, q.is_called"
            )
            row = connection.execute(query.encode()).fetchone()
            if row and row[0]:
                found.append(f"{table}.{column}")
        return found
