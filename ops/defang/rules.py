"""The named rules for data of well-known applications that reaches real people or grants access. Pure.

rules.toml defines the rules. A rule has parts. A part applies to the existing tables that match: it empties them, or
masks their matching columns.
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
        table: a regular expression for the table's complete name.
        column: a regular expression for the column's complete name; empty to delete all rows.
        masks: the suitable masks, the best first; the first that fits is used.
        value: instead of a mask: the SQL expression for the column ``{v}``.
        undone: with ``value``: the condition that is true for a row that still has another value.
        beside: columns that the table must have, to distinguish it from other tables of the same name.
    """

    table: str
    column: str = ""
    masks: Sequence[str] = ()
    value: str = ""
    undone: str = ""
    beside: Sequence[str] = ()

    def tables(self, catalog: Catalog) -> list[Table]:
        """Return the matching tables, without partitions."""
        return [
            table
            for table in catalog.values()
            if not table.part and re.fullmatch(self.table, table.name[-1]) and set(self.beside) <= set(table.columns)
        ]

    def columns(self, table: Table) -> list[Column]:
        """Return the matching columns of a table."""
        if not self.column:
            return []
        found = [column for name, column in table.columns.items() if re.fullmatch(self.column, name)]
        return [one for one in found if not one.made and (self.value or self.mask(one) or one.kind == "text")]

    def mask(self, column: Column) -> str:
        """Return the mask for a column; empty if none fits."""
        return next((name for name in self.masks if not MASKS[name].refuses(column)), "")


@dataclass(frozen=True)
class Rule:
    """A rule: its effect, its reason, and its parts."""

    what: str
    why: str
    parts: Sequence[Part]


def _rule(what: str, why: str, empties: Sequence[str] = (), parts: Sequence[dict[str, Any]] = ()) -> Rule:
    return Rule(what, why, [*map(Part, empties), *(Part(**part) for part in parts)])


RULES = {name: _rule(**given) for name, given in read_toml("rules").items()}
