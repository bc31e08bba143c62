"""The tables of a database, with the properties of each column that masks need. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ops.core.sql_names import Name

# The class of a base type (below all domains), by the type's name in pg_type.
CLASSES = {
    "text": ("text", "varchar", "bpchar", "citext"),
    "number": ("int2", "int4", "int8", "numeric", "float4", "float8"),
    "date": ("date", "timestamp", "timestamptz"),
    "address": ("inet", "cidr", "macaddr", "macaddr8"),
    "json": ("json", "jsonb", "hstore"),
}


@dataclass(frozen=True)
class Column:
    """A column.

    Args:
        name: the column's name.
        base: the type below all domains.
        limit: the maximum number of characters; None if unlimited.
        required: NOT NULL.
        made: the server generates the values, so they cannot be set.
        inherited: the parent table has the column, so a change of the parent changes the column.
        single: a unique index or an exclusion constraint contains the column.
        linked: a foreign key contains the column.
    """

    name: str
    base: str
    limit: int | None = None
    required: bool = False
    made: bool = False
    inherited: bool = False
    single: bool = False
    linked: bool = False

    @property
    def kind(self) -> str:
        """The class of the type; the type itself if it has no class."""
        return next((name for name, types in CLASSES.items() if self.base in types), self.base)


@dataclass(frozen=True)
class Table:
    """A table. ``part``: a partition; ``referenced``: the tables whose foreign keys reference the table."""

    name: Name
    columns: dict[str, Column]
    part: bool = False
    referenced: tuple[Name, ...] = ()

    @property
    def names(self) -> dict[Name, Column]:
        """The columns by their qualified names."""
        return {(*self.name, name): column for name, column in self.columns.items()}


Catalog = dict[Name, Table]


def read_catalog(lines: list[dict[str, Any]]) -> Catalog:
    """Convert the output of ``defang_catalog.sql`` to tables by their names."""
    found: Catalog = {}
    for line in lines:
        columns = {column["name"]: Column(**column) for column in line["columns"]}
        name = (line["schema"], line["name"])
        found[name] = Table(name, columns, line["part"], tuple((one, two) for one, two in line["referenced"]))
    return found
