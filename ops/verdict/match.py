"""Where an old table's rows are now, and what is known of the pending operations: words of the comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ops.verdict.fingerprint import Column, Table

SURROGATE = ("smallint", "integer", "bigint", "uuid")

Where = tuple[str, str]


class Coded(Protocol):
    """An operation of which only its code, and the name of its class, can be read."""

    @property
    def kind(self) -> str:
        """The name of its class."""

    @property
    def code(self) -> str:
        """A function with all that it reaches, or SQL."""


class Plan(Protocol):
    """What is known of the pending operations: sure renames, and whether anything could have copied data."""

    @property
    def links_before(self) -> Sequence[tuple[str, str, str, str, bool]]:
        """Table, column, table and column that it leads to, whether a constraint says so: at the old release."""

    @property
    def links_after(self) -> Sequence[tuple[str, str, str, str, bool]]:
        """The same at the new one."""

    @property
    def generic(self) -> Sequence[tuple[str, str, str]]:
        """Table, column of the content type, column of the number."""

    @property
    def models_before(self) -> Mapping[str, str]:
        """Label of a model to its table: at the old release."""

    @property
    def models_after(self) -> Mapping[str, str]:
        """The same at the new one."""

    @property
    def opaque(self) -> Sequence[Coded]:
        """The operations of which can't be told what they do to data."""

    def renamed_tables(self) -> Mapping[str, str]:
        """Old name to new name."""

    def renamed_columns(self) -> Mapping[tuple[str, str], str]:
        """Old table and column to the new column."""

    def may_have_copied(self, table: str, column: str = "") -> bool:
        """Whether an operation whose doing can't be told runs before this is dropped."""

    def akin(self, old_table: str, old: str, new_table: str, new: str) -> bool:
        """Whether an old column and a new one had the same name at some moment of the plan."""

    def mentions(self, *words: str) -> bool:
        """Whether the code of such an operation names all of these."""


@dataclass
class Home:
    """Where rows of an old table are now.

    Args:
        new: the table that holds them.
        mapping: old column to new column, the identity included.
        identity: the old columns that tell a row apart on both sides.
        keyed: they are its primary key; else the rows were found by content, under keys of their own.
        rows: rows whose identity was not found there.
        whole: rows that were not found with all mapped columns.
        extra: rows there that are none of these.
        sample: hashes of some rows that were not found.
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
    """A column by its name."""
    return next(column for column in table.columns if column.name == name)


def surrogate(table: Table) -> bool:
    """Whether a table's key is a number (or UUID) that means nothing by itself, so that a copy may have another one."""
    return len(table.key) == 1 and column_of(table, table.key[0]).read_as in SURROGATE
