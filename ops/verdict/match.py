"""Define where an old table's rows are now (a home), and what a comparison must know of the operations (a plan)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ops.verdict.fingerprint import Column, Table

SURROGATE = ("smallint", "integer", "bigint", "uuid")

Where = tuple[str, str]


class Coded(Protocol):
    """Define an operation that is known only by its code and the name of its class."""

    @property
    def kind(self) -> str:
        """Return the name of its class."""

    @property
    def code(self) -> str:
        """Return the source of its function and everything the function calls, or its SQL."""


class Plan(Protocol):
    """Define what is known of the pending operations: certain renames, and whether an operation may copy data."""

    @property
    def links_before(self) -> Sequence[tuple[str, str, str, str, bool]]:
        """Return the links of the old release: table, column, referenced table and column, and if constrained."""

    @property
    def links_after(self) -> Sequence[tuple[str, str, str, str, bool]]:
        """Return the links of the new release."""

    @property
    def generic(self) -> Sequence[tuple[str, str, str]]:
        """Return the generic links: table, column of the content type, column of the number."""

    @property
    def models_before(self) -> Mapping[str, str]:
        """Map the label of each model of the old release to its table."""

    @property
    def models_after(self) -> Mapping[str, str]:
        """Map the label of each model of the new release to its table."""

    @property
    def opaque(self) -> Sequence[Coded]:
        """Return the operations whose effect on data is unknown."""

    def renamed_tables(self) -> Mapping[str, str]:
        """Map the old name of each renamed table to its new name."""

    def renamed_columns(self) -> Mapping[tuple[str, str], str]:
        """Map the old table and column of each renamed column to its new name."""

    def may_have_copied(self, table: str, column: str = "") -> bool:
        """Return True if an operation with unknown effect runs before the table or column is dropped."""

    def akin(self, old_table: str, old: str, new_table: str, new: str) -> bool:
        """Return True if an old column and a new column had the same name at some point of the plan."""

    def mentions(self, *words: str) -> bool:
        """Return True if the code of an operation contains all of these words."""


@dataclass
class Home:
    """Hold where rows of an old table are now.

    Args:
        new: the table that has the rows.
        mapping: old column to new column, including the identity.
        identity: the old columns that identify a row on both sides.
        keyed: the identity is the primary key. Otherwise the rows were found by content and have other keys.
        rows: the number of rows whose identity was not found.
        whole: the number of rows that were not found with equal values in all mapped columns.
        extra: the number of further rows in the new table.
        sample: hashes of a few rows that were not found.
    """

    new: Table
    mapping: dict[str, str]
    identity: tuple[str, ...]
    keyed: bool
    rows: int = 0
    whole: int = 0
    extra: int = 0
    sample: list[int] = field(default_factory=list)


def column_of(table: Table, name: str) -> Column:
    """Return a column by its name."""
    return next(column for column in table.columns if column.name == name)


def surrogate(table: Table) -> bool:
    """Return True if a table's key is one number or UUID, which may differ in a copy of the row."""
    return len(table.key) == 1 and column_of(table, table.key[0]).read_as in SURROGATE
