"""Query the two databases of a verdict: the clone before and after the migrations."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from ops.core.sql_files import SQL_FOLDER
from ops.core.sql_names import identifier
from ops.verdict.model import SAMPLES, Aligned, Numbers, Profile
from ops.verdict.moment import Moment
from ops.verdict.row_hash import Pair, Source, row_hash, select, told_key, value

# A database without an encoding may contain any bytes.
_ENCODING = (
    "SELECT set_config('client_encoding', CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' "
    "ELSE 'UTF8' END, false);"
)
# The lowest bits of a hash are the number of the row's part. Parts are compared before rows are streamed.
PARTS = 0xFFFF
# A statement can return 1,664 columns; a profile needs four for each column.
WIDE = 200
BATCH = 20_000


class Written(NamedTuple):
    """Hold a row of a loss preview.

    Fields: the hash of its values, its key as text, its newest timestamp (UTC, to the minute), and whether it was
    written since a given moment.
    """

    row: int
    key: str
    newest: str | None
    recent: bool


@dataclass(frozen=True)
class Rows:
    """Describe the rows of a table to compare.

    Args:
        table: the quoted name.
        key: the columns that identify a row.
        values: the columns to compare.
        label: the columns whose text names a row.
        moments: the columns of dates and timestamps.
        where: SQL over ``x`` that selects rows.
        recent: SQL of the greatest transaction age at which a row counts as written recently.
    """

    table: str
    key: tuple[Pair, ...]
    values: tuple[Pair, ...]
    label: tuple[str, ...] = ()
    moments: tuple[str, ...] = ()
    where: str = ""
    recent: str = ""


def settings() -> bytes:
    """Return the settings of a fingerprint as SQL for a session instead of a transaction."""
    text = Path(SQL_FOLDER / "settings.sql").read_text()
    return f"{text.replace('SET LOCAL', 'SET')} {_ENCODING}".replace("\\;", ";").encode()


class Databases:
    """Implement ``verdict.Look`` over psycopg connections.

    Args:
        sides: ``before`` and ``after`` (or only one of them) as autocommit connections.
    """

    def __init__(self, sides: dict[str, psycopg.Connection[Any]]) -> None:
        self.sides = sides
        for connection in sides.values():
            connection.execute(settings())
            connection.execute("SET default_transaction_read_only = on")

    @contextmanager
    def still(self, side: str) -> Iterator[None]:
        """Run all queries in one snapshot, so that counts of a database in use are consistent."""
        connection = self.sides[side]
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            yield
        connection.isolation_level = None

    def _row(self, side: str, text: str) -> tuple[Any, ...] | None:
        """Return one row, or None if a value cannot be read as the given type."""
        connection = self.sides[side]
        try:
            with connection.transaction():
                return connection.execute(text.encode()).fetchone()
        except (psycopg.errors.DataError, psycopg.ProgrammingError):
            return None

    def _stream(self, side: str, text: str) -> Generator[tuple[Any, ...], None, None]:
        connection = self.sides[side]
        with connection.transaction(), connection.cursor(f"stream_{side}") as cursor:
            cursor.itersize = BATCH
            cursor.execute(text.encode())
            yield from cursor

    def checksum(self, side: str, sources: Sequence[Source]) -> tuple[int, int] | None:
        """See ``verdict.Look``."""
        union = " UNION ALL ".join(select(source) for source in sources)
        row = self._row(side, f"SELECT count(*), coalesce(sum(hash), 0) FROM ({union}) every_row")
        return (int(row[0]), int(row[1])) if row else None

    def parts(self, side: str, sources: Sequence[Source], key: Sequence[Pair] = ()) -> dict[int, tuple[int, int]]:
        """See ``verdict.Look``."""
        part = f"{row_hash(key)} & {PARTS}" if key else "NULL::bigint"
        union = " UNION ALL ".join(select(s, f"{row_hash(s.pairs)} AS hash, {part} AS part") for s in sources)
        grouped = f"SELECT coalesce(part, hash & {PARTS}), count(*), sum(hash) FROM ({union}) every_row GROUP BY 1"
        return {int(number): (int(rows), int(total)) for number, rows, total in self._stream(side, grouped)}

    def hashes(
        self, side: str, sources: Sequence[Source], parts: Sequence[int] | None = None
    ) -> Generator[int, None, None]:
        """Stream with a server-side cursor; see ``verdict.Look``."""
        union = " UNION ALL ".join(select(source) for source in sources)
        for (found,) in self._stream(side, f"SELECT hash FROM ({union}) every_row{_within('hash', parts)} ORDER BY 1"):
            yield int(found)

    def absent(self, side: str, one: Source, two: Source) -> int | None:
        """See ``verdict.Look``."""
        row = self._row(side, f"SELECT count(*) FROM ({select(one)} EXCEPT ALL {select(two)}) every_row")
        return int(row[0]) if row else None

    def profile(self, side: str, table: str, pairs: Sequence[Pair], key: Sequence[Pair] = ()) -> list[Profile] | None:
        """See ``verdict.Look``."""
        found: list[Profile] = []
        for start in range(0, len(pairs), WIDE):
            part = pairs[start : start + WIDE]
            inner = ", ".join(f"{_one(pair, key)} AS h{n}" for n, pair in enumerate(part))
            outer = ", ".join(
                f"count(h{n}), coalesce(sum(h{n}), 0), coalesce(min(h{n}), 0), coalesce(max(h{n}), 0)"
                for n in range(len(part))
            )
            row = self._row(side, f"SELECT {outer} FROM (SELECT {inner} FROM ONLY {table} x) every_row")
            if row is None:
                return None
            found += [Profile(*map(int, row[4 * n : 4 * n + 4])) for n in range(len(part))]
        return found

    def aligned(
        self, side: str, sources: Sequence[Source], keys: int, parts: Sequence[int] | None = None
    ) -> Generator[Aligned, None, None]:
        """See ``verdict.Look``."""
        found = []
        for source in sources:
            hashed = row_hash(source.pairs[:keys])
            columns = ", ".join([f"{hashed} AS hash", *map(_one, source.pairs[keys:])])
            found.append(select(source, columns) + _within(hashed, parts))
        for row in self._stream(side, " UNION ALL ".join(found) + " ORDER BY 1"):
            yield int(row[0]), row[1:]

    def written(
        self, side: str, rows: Rows, parts: Sequence[int] | None = None
    ) -> Generator[tuple[int, Written], None, None]:
        """Yield the hash of each row's key with the row of the loss preview, by ascending hash.

        Args:
            parts: only these parts (see ``parts``), or None for all rows.
        """
        hashed, recent = row_hash(rows.key), f"age(x.xmin) <= {rows.recent}" if rows.recent else "true"
        label = " || ',' || ".join(told_key(f"x.{identifier(name)}") for name in rows.label) or "''"
        past = [f"CASE WHEN x.{identifier(name)} <= now() THEN x.{identifier(name)} END" for name in rows.moments]
        # A future timestamp (a lesson of next week) does not show when its row was written.
        newest = f"to_char(greatest({', '.join(past)}), 'YYYY-MM-DD HH24:MI')" if past else "NULL"
        where = _within(hashed, parts) + (" WHERE " if parts is None else " AND ") + (rows.where or "true")
        columns = f"{hashed}, {row_hash(rows.values)}, {label}, {newest}, {recent}"
        for hash_, *found in self._stream(side, f"SELECT {columns} FROM ONLY {rows.table} x{where} ORDER BY 1, 5, 2"):
            yield int(hash_), Written(*found)

    def texts(self, side: str, source: Source, column: str, hashes: Sequence[int]) -> dict[int, str | None]:
        """See ``verdict.Look``."""
        listed = ", ".join(str(int(one)) for one in hashes)
        hashed = row_hash(source.pairs)
        query = (
            f"SELECT {hashed}, x.{identifier(column)}::text FROM ONLY {source.table} x "
            f"WHERE {hashed} = ANY (ARRAY[{listed}]::bigint[])"
        )
        return {int(number): text for number, text in self.sides[side].execute(query.encode()).fetchall()}

    def numbers(self, side: str) -> dict[str, Numbers]:
        """See ``verdict.Look``."""
        query = (
            "SELECT format('%I.%I', n.nspname, c.relname), c.oid::bigint, json_object_agg(a.attname, a.attnum) "
            "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
            "WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' GROUP BY 1, 2"
        )
        return {str(name): (int(number), dict(columns)) for name, number, columns in self.sides[side].execute(query)}

    def generated(self, side: str, table: str) -> dict[str, str]:
        """See ``verdict.Look``."""
        query = (
            "SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a "
            "ON (a.attrelid, a.attnum) = (d.adrelid, d.adnum) WHERE a.attgenerated <> '' AND d.adrelid = %s::regclass"
        )
        return {str(name): str(text) for name, text in self.sides[side].execute(query, [table])}

    def keys(self, side: str, table: str, pairs: Sequence[Pair], hashes: Sequence[int]) -> list[str]:
        """Return the first keys of the table if there are no hashes; see ``verdict.Look``."""
        connection = self.sides[side]
        found = connection.execute(
            "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid "
            "AND a.attnum = ANY (i.indkey) WHERE i.indisprimary AND i.indrelid = %s::regclass ORDER BY a.attnum",
            [table],
        ).fetchall()
        if not found:
            return []
        key = sql.SQL(" || ',' || ".join(told_key(f"x.{identifier(name)}") for (name,) in found))
        order = sql.SQL(", ").join(sql.SQL("x.{}").format(sql.Identifier(name)) for (name,) in found)
        listed = ", ".join(str(int(one)) for one in hashes)
        where = sql.SQL(f"WHERE {row_hash(pairs)} = ANY (ARRAY[{listed}]::bigint[])" if hashes else "")
        query = sql.SQL("SELECT {} FROM ONLY {} x {} ORDER BY {} LIMIT {}").format(
            key, sql.SQL(table), where, order, sql.Literal(SAMPLES)
        )
        return [str(one) for (one,) in connection.execute(query)]

    def moment(self, side: str) -> Moment:
        """Return the current moment of the database (``moment.sql``)."""
        row = self.sides[side].execute((SQL_FOLDER / "moment.sql").read_bytes()).fetchone()
        assert row is not None
        return Moment.model_validate(row[0]["moment"])

    def writers(self, side: str, table: str, names: Sequence[str]) -> list[str]:
        """Return the ids of the transactions that recorded these migrations (``app.name``).

        Args:
            table: Django's table of migrations.
        """
        query = sql.SQL("SELECT DISTINCT xmin::text FROM {} WHERE app || '.' || name = ANY (%s)").format(sql.SQL(table))
        return [str(number) for (number,) in self.sides[side].execute(query, [list(names)])]

    def tally(self, side: str, table: str, where: str = "true", recent: str = "false") -> tuple[int, int]:
        """Count the rows of a table, and the recent ones among them. Return 0 if a table or column is missing.

        Args:
            where: SQL over ``x`` that selects rows.
            recent: SQL over ``x`` that selects recent rows.
        """
        query = f"SELECT count(*), count(*) FILTER (WHERE {recent}) FROM ONLY {table} x WHERE {where}"
        connection = self.sides[side]
        try:
            with connection.transaction():
                row = connection.execute(query.encode()).fetchone()
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
            row = None
        return (int(row[0]), int(row[1])) if row else (0, 0)


def _one(pair: Pair, key: Sequence[Pair] = ()) -> str:
    # A value that cannot be read as the given type is still a value that may be lost.
    there = f"x.{identifier(pair.name)}" if pair.marked else value(pair, "x")
    return f"CASE WHEN {there} IS NOT NULL THEN {row_hash([*key, pair])} END"


def _within(hashed: str, parts: Sequence[int] | None) -> str:
    listed = ", ".join(str(int(part)) for part in parts or ())
    return "" if parts is None else f" WHERE {hashed} & {PARTS} = ANY (ARRAY[{listed}]::bigint[])"
