"""The tables of a database, with what a mask has to know of each column. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ops.core.sql_names import Name

# What a type is to a mask: below all domains, by the catalog's name of it.
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
        name: its name.
        base: its type below all domains.
        limit: how many characters it takes; None where it takes any number.
        required: it takes no NULL.
        made: the server makes its values; they can't be set.
        inherited: the parent has it, too, and what is done there is done here.
        single: a unique index, or an exclusion, names it.
        linked: a foreign key names it.
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
        """What its type is to a mask; the type itself where nothing more is known."""
        return next((name for name, types in CLASSES.items() if self.base in types), self.base)


@dataclass(frozen=True)
class Table:
    """A table. ``part``: its rows are a partitioned table's; ``referenced``: whose foreign keys lead to it."""

    name: Name
    columns: dict[str, Column]
    part: bool = False
    referenced: tuple[Name, ...] = ()

    @property
    def names(self) -> dict[Name, Column]:
        """Its columns by their whole names."""
        return {(*self.name, name): column for name, column in self.columns.items()}


Catalog = dict[Name, Table]


def read_catalog(lines: list[dict[str, Any]]) -> Catalog:
    """What ``defang_catalog.sql`` printed, as tables by their names."""
    found: Catalog = {}
    for line in lines:
        columns = {column["name"]: Column(**column) for column in line["columns"]}
        name = (line["schema"], line["name"])
        found[name] = Table(name, columns, line["part"], tuple((one, two) for one, two in line["referenced"]))
    return found
