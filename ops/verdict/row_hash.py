"""Build the SQL of row hashes: which columns are read, and as which type.

The hash is the same as in a fingerprint (``ops/sql/table_rows.sql``), over selected columns: ``hash_array_extended``
over ``record_send(ROW(…))``. Two rows with equal values in these columns have the same hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ops.core.sql_names import identifier

# Placeholder for the current row in an expression. No name can contain it.
ROW = "\ue000"


@dataclass(frozen=True)
class Link:
    """Describe a referenced row that is read instead of the column's own value.

    Args:
        table: the referenced table.
        key: the referenced column.
        content: the columns of the referenced row. Their hash is read, so a new key of that row does not matter.
        scalar: read the only value of ``content`` instead of a hash.
        back: follow the link backwards: read the sum of the hashes of all rows whose ``key`` has the value.
    """

    table: str
    key: str
    content: tuple[Pair, ...]
    scalar: bool = False
    back: bool = False


@dataclass(frozen=True)
class Pair:
    """Describe how a column is included in a row's hash.

    Args:
        name: the column.
        read_as: the type to cast to, or a chain of casts.
        link: the referenced row to read instead.
        type: the column's own type if it is read as another type. A value that the two casts change (5.3 as an integer)
            is read as NULL, so that it never equals the old value.
        sql: an expression to read instead, with ``ROW`` for the current row.
        marked: include in the hash whether the value is NULL, so that a value read as NULL does not equal NULL.
    """

    name: str
    read_as: str
    link: Link | None = None
    type: str = ""
    marked: bool = False
    sql: str = ""


@dataclass(frozen=True)
class Source:
    """Describe rows of one table, read through pairs.

    ``filled``: only rows whose last value is not NULL. ``where``: SQL over ``x`` that selects rows.
    """

    table: str
    pairs: tuple[Pair, ...]
    filled: bool = False
    where: str = ""


@dataclass(frozen=True)
class Proof:
    """Hold a comparison that held: ``after`` has every row of ``before``, and with ``exact`` no other rows."""

    before: tuple[Source, ...]
    after: tuple[Source, ...]
    exact: bool = False


def present(column: str) -> Pair:
    """Return how to read only whether a column has a value."""
    return Pair(column, "boolean", sql=f"nullif({ROW}.{identifier(column)} IS NOT NULL, false)")


# Numbers, dates, booleans and uuids, and domains over them.
_TELLABLE = (
    "ARRAY(SELECT oid FROM pg_catalog.pg_type WHERE typcategory IN ('N', 'D', 'B') "
    "OR 'pg_catalog.uuid'::pg_catalog.regtype IN (oid, typbasetype))"
)
_SERVER = "(SELECT system_identifier FROM pg_catalog.pg_control_system())"


def told_key(column: str) -> str:
    """Return SQL for a value of a primary key as text that may be shown and stored.

    A value that is no number, date or uuid may be a secret (a session, a token, a mail address). It is replaced by its
    length and a digest that is different on every server.

    Args:
        column: the SQL of the value.
    """
    text = f"{column}::text"
    digest = f"lpad(to_hex(hashtextextended({text} COLLATE \"C\", {_SERVER})), 16, '0')"
    mark = f"'#' || {digest} || ' (' || length({text}) || ' characters)'"
    return f"CASE WHEN pg_typeof({column})::oid = ANY ({_TELLABLE}) THEN {text} ELSE {mark} END"


def row_hash(pairs: Sequence[Pair], row: str = "x") -> str:
    """Return SQL for a row's hash.

    Args:
        pairs: the columns, in the same order on both sides.
        row: the alias of the row in the query.
    """
    values = [part for pair in pairs for part in _parts(pair, row)]
    return f"hash_array_extended(ARRAY[record_send(ROW({', '.join(values)}))], 0)"


def select(source: Source, columns: str = "") -> str:
    """Return SQL that selects a source's hashes, or other columns."""
    asked = [f"{_filled(source.pairs[-1])} IS NOT NULL"] if source.filled else []
    asked += [f"({source.where})"] if source.where else []
    where = f" WHERE {' AND '.join(asked)}" if asked else ""
    return f"SELECT {columns or row_hash(source.pairs) + ' AS hash'} FROM ONLY {source.table} x{where}"


def _filled(pair: Pair) -> str:
    """Return SQL that is NULL without a value. A value that cannot be read as the given type counts as a value."""
    return value(pair, "x") if pair.link and pair.link.scalar else f"x.{identifier(pair.name)}"


def _parts(pair: Pair, row: str) -> list[str]:
    said = [value(pair, row)]
    return [*said, f"{row}.{identifier(pair.name)} IS NULL"] if pair.marked else said


def value(pair: Pair, row: str) -> str:
    """Return SQL for a value as it is read."""
    column = f"{row}.{identifier(pair.name)}"
    if pair.sql:
        return pair.sql.replace(ROW, row)
    if pair.link is not None:
        return _followed(pair.link, column, row + "x")
    there = f"{column}::{pair.read_as}"
    if pair.type:
        return f"CASE WHEN ({there})::{pair.type} IS NOT DISTINCT FROM {column} THEN {there} END"
    return there


def _followed(link: Link, column: str, inner: str) -> str:
    what = value(link.content[0], inner) if link.scalar else row_hash(link.content, inner)
    what = f"coalesce(sum({what}), 0)" if link.back else what
    return f"(SELECT {what} FROM ONLY {link.table} {inner} WHERE {inner}.{identifier(link.key)} = {column})"
