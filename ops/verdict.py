"""The verdict as data: what became of every table and column, and what is asked of the two databases to find out."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ops.rows import Pair, Proof, Source

# Django keeps these tables itself: migrate adds to them, and renaming a model renames its content type.
BOOKKEEPING = ("django_content_type", "auth_permission", "django_migrations")
REMADE = ("django_content_type", "auth_permission")
SAMPLES = 5

Aligned = tuple[int, tuple[int | None, ...]]
Numbers = tuple[int, dict[str, int]]


@dataclass(frozen=True)
class Profile:
    """A column at a glance: how many values are not NULL, the sum of their hashes, the lowest and the highest hash."""

    filled: int
    total: int
    low: int
    high: int

    @property
    def constant(self) -> bool:
        """Whether all of its values are the same, so that equal values prove nothing."""
        return self.low == self.high


class Look(Protocol):
    """What the verdict asks the two databases. ``side`` is ``before`` or ``after``."""

    def checksum(self, side: str, sources: Sequence[Source]) -> tuple[int, int] | None:
        """Rows and checksum of all these rows; None where a value can't be read as asked."""

    def parts(self, side: str, sources: Sequence[Source], key: Sequence[Pair] = ()) -> dict[int, tuple[int, int]]:
        """Rows and checksum of every part of the rows, by the lowest bits of their hash, or of their key's."""

    def hashes(
        self, side: str, sources: Sequence[Source], parts: Sequence[int] | None = None
    ) -> Generator[int, None, None]:
        """The rows' hashes, ascending; of some parts only."""

    def profile(self, side: str, table: str, pairs: Sequence[Pair], key: Sequence[Pair] = ()) -> list[Profile] | None:
        """Every column at a glance, each value hashed together with the row's key where one is given; None where a
        value can't be read as asked."""

    def aligned(
        self, side: str, table: str, key: Sequence[Pair], values: Sequence[Pair], parts: Sequence[int] | None = None
    ) -> Generator[Aligned, None, None]:
        """Per row the hash of its key and of each value (None for NULL), by ascending hash of the key."""

    def texts(self, side: str, source: Source, column: str, hashes: Sequence[int]) -> dict[int, str | None]:
        """A column of the rows with these hashes, as text."""

    def numbers(self, side: str) -> dict[str, Numbers]:
        """The server's own number of every table, and of its columns by name."""

    def keys(self, side: str, table: str, pairs: Sequence[Pair], hashes: Sequence[int]) -> list[str]:
        """The primary keys of the rows with these hashes; empty where there is no key."""


@dataclass
class ColumnVerdict:
    """What became of a column. ``lost`` counts values that were not NULL and are found nowhere, ``changed`` those in
    whose place there is another one; ``note`` says how they changed, ``by`` which operation did it."""

    column: str
    verdict: str
    to: str = ""
    lost: int = 0
    changed: int = 0
    note: str = ""
    by: str = ""


@dataclass
class TableVerdict:
    """What became of a table.

    ``lost``, ``changed`` and ``duplicated`` count rows: gone and found nowhere; there, with other content; new ones
    that are equal to an old one but for their key. ``sample`` holds keys of some of them, ``proofs`` the comparisons
    that held.
    """

    table: str
    verdict: str
    rows_before: int
    rows_after: int
    to: str = ""
    lost: int = 0
    changed: int = 0
    duplicated: int = 0
    columns: list[ColumnVerdict] = field(default_factory=list)
    by: str = ""
    sample: list[str] = field(default_factory=list)
    mapping: dict[str, str] = field(default_factory=dict)
    proofs: list[Proof] = field(default_factory=list)

    @property
    def tolerated(self) -> bool:
        """Whether Django keeps this table itself, and may change its rows."""
        return self.table.split(".")[-1] in BOOKKEEPING

    @property
    def kept_by_django(self) -> bool:
        """Whether Django makes its rows anew where they are missing; what links to them is accounted for by itself."""
        return self.table.split(".")[-1] in REMADE

    @property
    def lost_values(self) -> int:
        """Values lost in all of its columns."""
        return sum(column.lost for column in self.columns)

    @property
    def changed_values(self) -> int:
        """Values in whose place there is another one, in all of its columns."""
        return sum(column.changed for column in self.columns)

    @property
    def refused(self) -> bool:
        """Whether it stands against a promotion."""
        if self.lost or self.lost_values:
            return not self.kept_by_django
        return bool(self.changed or self.changed_values or self.duplicated) and not self.tolerated

    def data(self) -> dict[str, object]:
        """Its JSON form (docs/json.md)."""
        return {
            "table": self.table,
            "verdict": self.verdict,
            "to": self.to or None,
            "rows_before": self.rows_before,
            "rows_after": self.rows_after,
            "lost": self.lost,
            "changed": self.changed,
            "duplicated": self.duplicated,
            "columns": [
                {
                    "column": c.column,
                    "verdict": c.verdict,
                    "to": c.to or None,
                    "lost": c.lost,
                    "changed": c.changed,
                    "note": c.note,
                    "by": c.by or None,
                }
                for c in self.columns
            ],
            "by": self.by or None,
            "sample": self.sample,
            "mapping": self.mapping,
        }


@dataclass
class Verdict:
    """All tables. ``excluded`` are those whose rows stayed out of the backup, with about how many those were: nothing
    is known of them."""

    tables: list[TableVerdict]
    excluded: Mapping[str, int] = field(default_factory=dict)

    @property
    def lost_rows(self) -> int:
        """Rows that are gone and were found nowhere."""
        return sum(table.lost for table in self.tables if not table.kept_by_django)

    @property
    def lost_values(self) -> int:
        """Values and links that are gone, in rows that are still there."""
        return sum(table.lost_values for table in self.tables)

    @property
    def refused(self) -> list[TableVerdict]:
        """The tables that stand against a promotion."""
        return [table for table in self.tables if table.refused]

    def data(self) -> dict[str, object]:
        """Its JSON form (docs/json.md)."""
        return {
            "lost_rows": self.lost_rows,
            "lost_values": self.lost_values,
            "tables": [
                table.data() | ({"verdict": "excluded"} if table.table in self.excluded else {})
                for table in self.tables
            ],
            **({"excluded": dict(self.excluded)} if self.excluded else {}),
        }


def difference(before: Iterable[int], after: Iterable[int]) -> tuple[int, int, list[int]]:
    """Two ascending streams of hashes as multisets: how many of the first are not in the second, the other way round,
    and some of the missing ones. Memory is flat."""
    missing = extra = 0
    sample: list[int] = []
    one, two = iter(before), iter(after)
    left, right = next(one, None), next(two, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left < right):
            missing += 1
            if len(sample) < SAMPLES and left is not None:
                sample.append(left)
            left = next(one, None)
        elif left is None or right < left:
            extra += 1
            right = next(two, None)
        else:
            left, right = next(one, None), next(two, None)
    return missing, extra, sample
