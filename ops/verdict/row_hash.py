"""Rows as hashes: which columns are read, as what, and the SQL of it.

The same hash as a fingerprint's (``ops/sql/tables.sql``) over chosen columns: ``hash_array_extended`` over
``record_send(ROW(…))``. Two rows have the same hash where every value that is read is the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ops.core.sql_names import identifier

# Stands for the row at hand in an expression; no name can hold it.
ROW = "\ue000"


@dataclass(frozen=True)
class Link:
    """Where a column leads, read instead of the column's own value.

    Args:
        table: the table that it leads to.
        key: the column there that holds the same value.
        content: what is read of the row there: its hash, so that keys of its own do not matter.
        scalar: the one value of ``content`` as it is, instead of a hash.
        back: the other way round: ``key`` holds the value of many rows there; the sum of their hashes.
    """

    table: str
    key: str
    content: tuple[Pair, ...]
    scalar: bool = False
    back: bool = False


@dataclass(frozen=True)
class Pair:
    """A column as it goes into a row's hash.

    Args:
        name: the column.
        read_as: the type to which it is cast; may be a chain of casts.
        link: what is read in its place.
        type: the column's own type where it is read as another one: what does not survive the way there and back
            (5.3 as an integer) is read as NULL, so that it is never taken for the old value.
        sql: an expression in its place, with ``ROW`` for the row at hand.
        marked: whether it is NULL goes into the hash, too: then what did not survive is not taken for NULL.
    """

    name: str
    read_as: str
    link: Link | None = None
    type: str = ""
    marked: bool = False
    sql: str = ""


@dataclass(frozen=True)
class Source:
    """Rows of one table, read through pairs. With ``filled``, only those whose last value is not NULL; ``where`` is SQL
    over ``x`` that chooses rows."""

    table: str
    pairs: tuple[Pair, ...]
    filled: bool = False
    where: str = ""


@dataclass(frozen=True)
class Proof:
    """A comparison that held: every row of ``before`` is found as one row of ``after``; ``exact``: and no other is."""

    before: tuple[Source, ...]
    after: tuple[Source, ...]
    exact: bool = False


def present(column: str) -> Pair:
    """Whether a column holds a value at all, read in its place."""
    return Pair(column, "boolean", sql=f"nullif({ROW}.{identifier(column)} IS NOT NULL, false)")


# Numbers, dates and truth values; a type of one's own over such a type is of its kind.
_TELLABLE = (
    "ARRAY(SELECT oid FROM pg_catalog.pg_type WHERE typcategory IN ('N', 'D', 'B') "
    "OR 'pg_catalog.uuid'::pg_catalog.regtype IN (oid, typbasetype))"
)
_SERVER = "(SELECT system_identifier FROM pg_catalog.pg_control_system())"


def told_key(column: str) -> str:
    """The SQL of one value of a primary key as it is told and kept: what is no number, date or uuid may be a secret (a
    session, a token, a mail address), so of that only its length and a digest, which is the same on one server only.

    Args:
        column: the SQL of the value.
    """
    text = f"{column}::text"
    digest = f"lpad(to_hex(hashtextextended({text} COLLATE \"C\", {_SERVER})), 16, '0')"
    mark = f"'#' || {digest} || ' (' || length({text}) || ' characters)'"
    return f"CASE WHEN pg_typeof({column})::oid = ANY ({_TELLABLE}) THEN {text} ELSE {mark} END"


def row_hash(pairs: Sequence[Pair], row: str = "x") -> str:
    """The SQL of one row's hash.

    Args:
        pairs: in the order of the other side.
        row: what the row is called in the query.
    """
    values = [part for pair in pairs for part in _parts(pair, row)]
    return f"hash_array_extended(ARRAY[record_send(ROW({', '.join(values)}))], 0)"


def select(source: Source, columns: str = "") -> str:
    """The SQL that reads a source's hashes, or other columns of it."""
    asked = [f"{_filled(source.pairs[-1])} IS NOT NULL"] if source.filled else []
    asked += [f"({source.where})"] if source.where else []
    where = f" WHERE {' AND '.join(asked)}" if asked else ""
    return f"SELECT {columns or row_hash(source.pairs) + ' AS hash'} FROM ONLY {source.table} x{where}"


def _filled(pair: Pair) -> str:
    """What says whether there is a value: the column itself, since a value that can't be read as asked is one, too."""
    return value(pair, "x") if pair.link and pair.link.scalar else f"x.{identifier(pair.name)}"


def _parts(pair: Pair, row: str) -> list[str]:
    said = [value(pair, row)]
    return [*said, f"{row}.{identifier(pair.name)} IS NULL"] if pair.marked else said


def value(pair: Pair, row: str) -> str:
    """The SQL of one value as it is read."""
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
