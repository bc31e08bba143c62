"""Read the live database's tables with the properties that a salvage needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from pydantic import BaseModel, ConfigDict

from ops.core.sql_files import SQL_FOLDER


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class LiveColumn(_Frozen):
    """A column. ``filled``: it gets a value if an insert omits it. ``generated``: it is computed."""

    name: str
    type: str
    not_null: bool
    filled: bool
    generated: bool


class Unique(_Frozen):
    """A unique index: its parts as SQL over the table's columns, and the condition of a partial index."""

    name: str
    parts: tuple[str, ...]
    condition: str
    nulls_equal: bool


class LiveLink(_Frozen):
    """A foreign key."""

    columns: tuple[str, ...]
    to: str
    to_columns: tuple[str, ...]


class LiveTable(_Frozen):
    """A table.

    ``sequences`` are pairs of column and sequence, ``triggers`` of name and ``pg_trigger.tgenabled``, ``rules`` of
    name and ``pg_rewrite.ev_enabled``."""

    name: str
    partitioned: bool
    partitions: tuple[str, ...]
    columns: tuple[LiveColumn, ...]
    key: tuple[str, ...]
    uniques: tuple[Unique, ...]
    links: tuple[LiveLink, ...]
    sequences: tuple[tuple[str, str], ...]
    triggers: tuple[tuple[str, str], ...]
    rules: tuple[tuple[str, str], ...] = ()

    @property
    def rows(self) -> str:
        """Return the SQL to read the table's own rows from."""
        return self.name if self.partitioned else f"ONLY {self.name}"

    def column(self, name: str) -> LiveColumn:
        """Return a column by its name."""
        return next(column for column in self.columns if column.name == name)

    def sequence(self, column: str) -> str:
        """Return the sequence that fills a column; empty without one."""
        return dict(self.sequences).get(column, "")


Catalog = dict[str, LiveTable]


def read_catalog(connection: psycopg.Connection[Any]) -> Catalog:
    """Read every table of the connected database. Restores the ``search_path``."""
    query = Path(SQL_FOLDER / "salvage_catalog.sql").read_text()
    with connection.transaction():
        connection.execute("SET LOCAL search_path = pg_catalog")
        tables = [LiveTable.model_validate_json(text) for (text,) in connection.execute(query.encode())]
    return {table.name: table for table in tables}
