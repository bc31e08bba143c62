"""Define the verdict on tables, columns and objects, and the queries that a verdict needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ops.verdict.row_hash import Pair, Proof, Source

# Django maintains these tables: migrate adds rows, and renaming a model renames its content type.
BOOKKEEPING = ("django_content_type", "auth_permission", "django_migrations")
REMADE = ("django_content_type", "auth_permission")
SAMPLES = 5

Aligned = tuple[int, tuple[int | None, ...]]
Numbers = tuple[int, dict[str, int]]


@dataclass(frozen=True)
class Profile:
    """Hold a column's number of values, the sum of their hashes, and the lowest and highest hash, without NULLs."""

    filled: int
    total: int
    low: int
    high: int

    @property
    def constant(self) -> bool:
        """Return True if all values are equal, so that finding equal values elsewhere proves nothing."""
        return self.low == self.high


class Look(Protocol):
    """Define the queries of a verdict to the two databases. ``side`` is ``before`` or ``after``."""

    def checksum(self, side: str, sources: Sequence[Source]) -> tuple[int, int] | None:
        """Return number and checksum of these rows, or None if a value cannot be read as the given type."""

    def parts(self, side: str, sources: Sequence[Source], key: Sequence[Pair] = ()) -> dict[int, tuple[int, int]]:
        """Return number and checksum of the rows in each part, by the lowest bits of the row's or its key's hash."""

    def hashes(
        self, side: str, sources: Sequence[Source], parts: Sequence[int] | None = None
    ) -> Generator[int, None, None]:
        """Yield the rows' hashes in ascending order, of all or of some parts."""

    def absent(self, side: str, one: Source, two: Source) -> int | None:
        """Return how many rows of one source are not in another source of the same side.

        Return None if a value cannot be read as the given type.
        """

    def profile(self, side: str, table: str, pairs: Sequence[Pair], key: Sequence[Pair] = ()) -> list[Profile] | None:
        """Return the profile of each column. With a key, hash each value together with the row's key.

        Return None if a value cannot be read as the given type.
        """

    def aligned(
        self, side: str, sources: Sequence[Source], keys: int, parts: Sequence[int] | None = None
    ) -> Generator[Aligned, None, None]:
        """Yield the hash of each row's key (the first ``keys`` pairs) and of each other value, or None for NULL.

        The rows are in ascending order of the key's hash.
        """

    def texts(self, side: str, source: Source, column: str, hashes: Sequence[int]) -> dict[int, str | None]:
        """Return a column of the rows with these hashes, as text."""

    def numbers(self, side: str) -> dict[str, Numbers]:
        """Return the oid of every table, and the numbers of its columns by name."""

    def generated(self, side: str, table: str) -> dict[str, str]:
        """Return the generated columns with their expressions."""

    def keys(self, side: str, table: str, pairs: Sequence[Pair], hashes: Sequence[int]) -> list[str]:
        """Return the primary keys of the rows with these hashes, or nothing without a primary key."""


@dataclass
class ColumnVerdict:
    """Hold the verdict on a column.

    ``lost``: values that were not NULL and are found nowhere. ``changed``: values replaced by another value.
    ``note``: how the values changed. ``by``: the operation that did it.
    ``proof``: the comparison in which the lost values are missing, if the other values moved.
    ``dangling``: the lost values are links to lost rows.
    ``never``: SQL for values that a re-expressed column must not have on production.
    ``blank``: the column had only one empty value.
    ``rule``, ``held``: the rule that holds for the other values of the column, and their number.
    ``examples``: old and new values of a few rows, for the terminal only. The JSON form omits them.
    """

    column: str
    verdict: str
    to: str = ""
    lost: int = 0
    changed: int = 0
    note: str = ""
    by: str = ""
    proof: Proof | None = None
    dangling: bool = False
    never: str = ""
    blank: bool = False
    rule: str = ""
    held: int = 0
    examples: list[tuple[str | None, str | None]] = field(default_factory=list, repr=False, compare=False)

    @property
    def excepted(self) -> bool:
        """Return True if a rule holds for the other values, but not for the lost or changed ones."""
        return bool(self.rule and (self.lost or self.changed))

    @property
    def others(self) -> str:
        """Return how many other values a rule re-expresses, as text."""
        return f"{self.held:,} {'is' if self.held == 1 else 'are'} re-expressed ({self.rule})" if self.excepted else ""


@dataclass
class TableVerdict:
    """Hold the verdict on a table.

    ``lost``: rows that are found nowhere. ``changed``: rows with other values. ``duplicated``: new rows that are equal
    to an old row except for the key. ``sample``: keys of a few of these rows.
    ``proofs``: the comparisons that held. ``proof``: the comparison in which the lost rows are missing, if the other
    rows are in several tables. ``pairs``: how each mapped column was read on both sides, if all rows are in one table.
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
    proof: Proof | None = None
    pairs: dict[str, tuple[Pair, Pair]] = field(default_factory=dict)

    @property
    def tolerated(self) -> bool:
        """Return True if Django maintains this table and may change its rows."""
        return self.table.split(".")[-1] in BOOKKEEPING

    @property
    def kept_by_django(self) -> bool:
        """Return True if Django recreates missing rows of this table. Links to the rows are judged separately."""
        return self.table.split(".")[-1] in REMADE

    @property
    def lost_values(self) -> int:
        """Return the number of lost values in all columns."""
        return sum(column.lost for column in self.columns)

    @property
    def changed_values(self) -> int:
        """Return the number of changed values in all columns."""
        return sum(column.changed for column in self.columns)

    @property
    def refused(self) -> bool:
        """Return True if the table's losses or changes prevent a promotion."""
        if self.lost or self.lost_values:
            return not self.kept_by_django
        return bool(self.changed or self.changed_values or self.duplicated) and not self.tolerated

    def data(self) -> dict[str, object]:
        """Return the JSON form (docs/reference/json.md)."""
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
                    **({"rule": c.rule, "re_expressed": c.held} if c.excepted else {}),
                }
                for c in self.columns
            ],
            "by": self.by or None,
            "sample": self.sample,
            "mapping": self.mapping,
        }


@dataclass
class ObjectVerdict:
    """Hold the verdict on an object that is not a table: ``large objects``, ``sequence public.a_seq`` and so on.

    ``lost`` and ``changed`` are counts as for tables. ``note`` describes the change, ``fix`` is the statement that the
    migration lacks. ``refused``: the change prevents a promotion, unless it is ``declarable`` and declared.
    """

    what: str
    verdict: str
    before: int = 1
    lost: int = 0
    changed: int = 0
    note: str = ""
    fix: str = ""
    refused: bool = True
    declarable: bool = True

    @property
    def against(self) -> bool:
        """Return True if the change prevents a promotion."""
        return self.refused and bool(self.lost or self.changed)

    @property
    def told(self) -> bool:
        """Return True if the change must be reported."""
        return self.verdict != "declared"

    @property
    def sentence(self) -> str:
        """Return the change as a sentence."""
        if self.what.startswith(("sequence ", "column ", "content type ")):
            return f"{self.what}: {self.note}" + (f"; {self.fix}" if self.fix else "")
        counts = {"lost": self.lost, "changed": self.changed}
        parts = [f"{n:,} {'is' if n == 1 else 'are'} {how}" for how, n in counts.items() if n]
        said = f"{self.what}: of {self.before:,}, {' and '.join(parts)}"
        return said + (f": {self.note}" if self.note else "") + (f"; {self.fix}" if self.fix else "")

    def data(self) -> dict[str, object]:
        """Return the JSON form (docs/reference/json.md)."""
        return {
            "object": self.what,
            "verdict": self.verdict,
            "before": self.before,
            "lost": self.lost,
            "changed": self.changed,
            "note": self.note,
            "fix": self.fix or None,
        }


@dataclass
class Verdict:
    """Hold the verdict on all tables and objects.

    ``excluded``: tables whose rows are not in the backup, with their estimated rows. ``remarks``: sentences that are no
    reason for a refusal.
    """

    tables: list[TableVerdict]
    excluded: Mapping[str, int] = field(default_factory=dict)
    objects: list[ObjectVerdict] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def lost_rows(self) -> int:
        """Return the number of lost rows."""
        return sum(table.lost for table in self.tables if not table.kept_by_django)

    @property
    def lost_values(self) -> int:
        """Return the number of lost values and links in rows that still exist."""
        return sum(table.lost_values for table in self.tables)

    @property
    def grown(self) -> dict[str, int]:
        """Return the tables with rows that came from no old table, and their number, without Django's own tables."""
        came: Counter[str] = Counter()
        there: dict[str, int] = {}
        for table in self.tables:
            if not table.tolerated and table.mapping:
                came[table.to or table.table] += table.rows_before
                there[table.to or table.table] = table.rows_after
        return {name: there[name] - rows for name, rows in came.items() if there[name] > rows}

    @property
    def refused(self) -> list[TableVerdict]:
        """Return the tables that prevent a promotion."""
        return [table for table in self.tables if table.refused]

    @property
    def against(self) -> list[ObjectVerdict]:
        """Return the objects that prevent a promotion."""
        return [one for one in self.objects if one.against]

    def data(self) -> dict[str, object]:
        """Return the JSON form (docs/reference/json.md)."""
        return {
            "lost_rows": self.lost_rows,
            "lost_values": self.lost_values,
            "tables": [
                table.data() | ({"verdict": "excluded"} if table.table in self.excluded else {})
                for table in self.tables
            ],
            **({"objects": [one.data() for one in self.objects]} if self.objects else {}),
            **({"excluded": dict(self.excluded)} if self.excluded else {}),
        }


def difference(before: Iterable[int], after: Iterable[int]) -> tuple[int, int, list[int]]:
    """Compare two ascending streams of hashes as multisets, in constant memory.

    Returns:
        The number of hashes only in the first, the number only in the second, and a few of the missing hashes.
    """
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
