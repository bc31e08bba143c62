"""Masks: what becomes of a column's values; masks.toml has them. Pure.

A mask is a hash of the salted value, in a form that an application takes and nobody takes for real. Equal values get
equal masks within one clone, so that joins by value still meet; the salt is made inside the transaction and ends with
it. NULL and the empty text stay, since they say nothing of anybody.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.defang.catalog import Column

# The setting in which the salt lies until the transaction ends.
SALT = "generalprobe.salt"
# With fewer digits of the hash, masks of different values would meet by chance even in small tables.
FEWEST = 8


@dataclass(frozen=True)
class Mask:
    """A mask.

    Args:
        does: what it makes of a value, for people.
        before, after: in a text: what stands around the digits of the hash; None where it takes no text.
        digits: how many those are; with fewer of them a column that must be unique is refused.
        fewest: with fewer it is refused everywhere.
        decimal: the digits are decimal.
        others: by type, or class of types: the expression of the value ``{v}`` and its hash ``{h}`` (64 hex digits),
            and the condition that holds of every masked ``{v}``.
        keeps: different values stay different.
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
        """Expression and condition for a type that is no text; None where it does not take it."""
        return self.others.get(column.base) or self.others.get(column.kind) or self.others.get("")

    def room(self, column: Column) -> int:
        """How many digits of the hash a text column has room for."""
        around = len((self.before or "") + self.after)
        return self.digits if column.limit is None else min(self.digits, column.limit - around)

    def refuses(self, column: Column) -> str:
        """Why it does not fit a column; empty where it does."""
        if column.made:
            return "its values are made by the server: mask what they are made of"
        if self is MASKS["null"] and column.required:
            return "it takes no NULL"
        if column.single and not self.keeps:
            return "it must stay unique, and this mask makes all values equal"
        if self.other(column):
            return ""
        if self.before is None or column.kind != "text":
            return f"this mask is not for the type {column.base}"
        least = self.digits if column.single else self.fewest
        if self.room(column) < least:
            needed = least + len(self.before + self.after)
            unique = ", since it must stay unique" if column.single else ""
            return f"it takes {column.limit} characters, and the mask needs {needed}{unique}"
        return ""

    def expression(self, column: Column, name: str) -> str:
        """SQL that gives the mask of a column's value; ``name`` is the column, quoted."""
        value = f"lower({name}::text)" if column.base == "citext" else f"{name}::text"
        salted = f"current_setting('{SALT}') || {value}"
        digits = f"encode(sha256(convert_to({salted}, 'UTF8')), 'hex')"
        if given := self.other(column):
            return given[0].format(v=name, h=digits)
        digits = f"translate({digits}, 'abcdef', '012345')" if self.decimal else digits
        words = f"'{self.before}' || left({digits}, {self.room(column)}) || '{self.after}'"
        return f"CASE WHEN {name}::text = '' THEN '' ELSE {words} END"

    def undone(self, column: Column, name: str) -> str:
        """SQL that is true of a value that is not masked; ``name`` is the column, quoted."""
        if given := self.other(column):
            return f"{name} IS NOT NULL AND NOT ({given[1].format(v=name)})"
        digit = "[0-9]" if self.decimal else "[0-9a-f]"
        form = f"^{_plain(self.before or '')}{digit}{{{max(self.room(column), 0)}}}{_plain(self.after)}$"
        return f"{name}::text <> '' AND {name}::text !~ '{form}'"

    def counted(self, column: Column, name: str) -> str:
        """SQL that is true of a value that there is to mask."""
        return f"{name} IS NOT NULL" + (f" AND {name}::text <> ''" if column.kind == "text" else "")


def read_toml(name: str) -> dict[str, Any]:
    """Read a file of data beside this one."""
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))


def _plain(text: str) -> str:
    """A text within a regular expression of PostgreSQL."""
    return re.sub(r"([^\w@ -])", r"[\1]", text)


MASKS = {name: Mask(**given) for name, given in read_toml("masks").items()}
