"""The named rules: what of well-known applications reaches real people or lets somebody in; rules.toml has them. Pure.

A rule is made of parts. A part concerns tables and, where it does not empty them, columns; of those that are there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ops.defang.catalog import Catalog, Column, Table
from ops.defang.masks import MASKS, read_toml


@dataclass(frozen=True)
class Part:
    """A part of a rule.

    Args:
        table: a regular expression for the table's whole name.
        column: likewise for its columns; empty where all rows go.
        masks: the masks that would do, the best first: the first that fits is taken.
        value: in the place of a mask: the SQL expression, of the column ``{v}``.
        undone: with ``value``: the condition that is true of a row of which it did not become that.
        beside: columns that tell the table from another one of that name.
    """

    table: str
    column: str = ""
    masks: Sequence[str] = ()
    value: str = ""
    undone: str = ""
    beside: Sequence[str] = ()

    def tables(self, catalog: Catalog) -> list[Table]:
        """The tables that it concerns; a partition's rows are its partitioned table's."""
        return [
            table
            for table in catalog.values()
            if not table.part and re.fullmatch(self.table, table.name[-1]) and set(self.beside) <= set(table.columns)
        ]

    def columns(self, table: Table) -> list[Column]:
        """The columns of a table that it concerns."""
        if not self.column:
            return []
        found = [column for name, column in table.columns.items() if re.fullmatch(self.column, name)]
        return [one for one in found if not one.made and (self.value or self.mask(one) or one.kind == "text")]

    def mask(self, column: Column) -> str:
        """The mask for a column; empty where none of its fits."""
        return next((name for name in self.masks if not MASKS[name].refuses(column)), "")


@dataclass(frozen=True)
class Rule:
    """A rule: what it does, why, and its parts."""

    what: str
    why: str
    parts: Sequence[Part]


def _rule(what: str, why: str, empties: Sequence[str] = (), parts: Sequence[dict[str, Any]] = ()) -> Rule:
    return Rule(what, why, [*map(Part, empties), *(Part(**part) for part in parts)])


RULES = {name: _rule(**given) for name, given in read_toml("rules").items()}
