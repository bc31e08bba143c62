"""Masks, which replace a column's values; defined in masks.toml. Pure.

A mask is a hash of the salted value, in a form that the application accepts and that is clearly not real. Equal values
get equal masks within one clone, so that joins by value still match. The salt exists only inside the transaction. NULL
and the empty text are not masked, since they contain no personal data.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.defang.catalog import Column

# The setting that contains the salt until the transaction ends.
SALT = "generalprobe.salt"
# With fewer digits of the hash, different values would get equal masks by chance even in small tables.
FEWEST = 8


@dataclass(frozen=True)
class Mask:
    """A mask.

    Args:
        does: the form of a masked value, for people.
        before, after: the text before and after the digits of the hash; None if the mask does not fit text.
        digits: the number of digits of the hash; the mask refuses a unique column that has space for fewer digits.
        fewest: the minimum number of digits in other columns.
        decimal: the digits are decimal.
        others: by type or class of types: the SQL expression of the value ``{v}`` and its hash ``{h}`` (64 hex
            digits), and the condition that is true for every masked ``{v}``.
        keeps: different values remain different.
    """

    does: str
    before: str | None = None
    after: str = ""
    digits: int = 16
    fewest: int = FEWEST
    decimal: bool = False
    others: Mapping[str, Sequence[str]] = field(default_factory=dict)
    keeps: bool = True

    def other(self, column: Column) -> Sequence[str] | None:
        """Return expression and condition for a type other than text; None if the mask does not fit the type."""
        return self.others.get(column.base) or self.others.get(column.kind) or self.others.get("")

    def room(self, column: Column) -> int:
        """Return the number of digits of the hash that fit into a text column."""
        around = len((self.before or "") + self.after)
        return self.digits if column.limit is None else min(self.digits, column.limit - around)

    def refuses(self, column: Column) -> str:
        """Return why the mask does not fit a column; empty if it fits."""
        if column.made:
            return "the server generates its values: mask the columns from which they are generated"
        if self is MASKS["null"] and column.required:
            return "the column is NOT NULL"
        if column.single and not self.keeps:
            return "the column must be unique, and this mask makes all values equal"
        if self.other(column):
            return ""
        if self.before is None or column.kind != "text":
            return f"the mask does not support the type {column.base}"
        least = self.digits if column.single else self.fewest
        if self.room(column) < least:
            needed = least + len(self.before + self.after)
            unique = ", since the column must be unique" if column.single else ""
            return f"the column holds {column.limit} characters, and the mask needs {needed}{unique}"
        return ""

    def expression(self, column: Column, name: str) -> str:
        """Return the SQL expression of the masked value; ``name`` is the quoted column."""
        value = f"lower({name}::text)" if column.base == "citext" else f"{name}::text"
        salted = f"current_setting('{SALT}') || {value}"
        digits = f"encode(sha256(convert_to({salted}, 'UTF8')), 'hex')"
        if given := self.other(column):
            return given[0].format(v=name, h=digits)
        digits = f"translate({digits}, 'abcdef', '012345')" if self.decimal else digits
        words = f"'{self.before}' || left({digits}, {self.room(column)}) || '{self.after}'"
        return f"CASE WHEN {name}::text = '' THEN '' ELSE {words} END"

    def undone(self, column: Column, name: str) -> str:
        """Return the SQL condition that is true for a value that is not masked; ``name`` is the quoted column."""
        if given := self.other(column):
            return f"{name} IS NOT NULL AND NOT ({given[1].format(v=name)})"
        digit = "[0-9]" if self.decimal else "[0-9a-f]"
        form = f"^{_plain(self.before or '')}{digit}{{{max(self.room(column), 0)}}}{_plain(self.after)}$"
        return f"{name}::text <> '' AND {name}::text !~ '{form}'"

    def counted(self, column: Column, name: str) -> str:
        """Return the SQL condition that is true for a value to mask; ``name`` is the quoted column."""
        return f"{name} IS NOT NULL" + (f" AND {name}::text <> ''" if column.kind == "text" else "")


def read_toml(name: str) -> dict[str, Any]:
    """Read a TOML file of this package."""
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))


def _plain(text: str) -> str:
    """Escape a text for a regular expression of PostgreSQL."""
    return re.sub(r"([^\w@ -])", r"[\1]", text)


MASKS = {name: Mask(**given) for name, given in read_toml("masks").items()}
