"""The verdict as data: what became of every table and column, and what is asked of the two databases to find out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ops.verdict.row_hash import Pair, Proof, Source

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

    def absent(self, side: str, one: Source, two: Source) -> int | None:
        """How many rows of one source are not in another one of the same side; None where a value can't be read as
        asked."""

    def profile(self, side: str, table: str, pairs: Sequence[Pair], key: Sequence[Pair] = ()) -> list[Profile] | None:
        """Every column at a glance, each value hashed together with the row's key where one is given; None where a
        value can't be read as asked."""

    def aligned(
        self, side: str, sources: Sequence[Source], keys: int, parts: Sequence[int] | None = None
    ) -> Generator[Aligned, None, None]:
        """Per row of all these the hash of its key, which is the first ``keys`` pairs, and of each other value (None
        for NULL), by ascending hash of the key."""

    def texts(self, side: str, source: Source, column: str, hashes: Sequence[int]) -> dict[int, str | None]:
        """A column of the rows with these hashes, as text."""

    def numbers(self, side: str) -> dict[str, Numbers]:
        """The server's own number of every table, and of its columns by name."""

    def generated(self, side: str, table: str) -> dict[str, str]:
        """The columns that the server makes of others, each with its expression."""

    def keys(self, side: str, table: str, pairs: Sequence[Pair], hashes: Sequence[int]) -> list[str]:
        """The primary keys of the rows with these hashes; empty where there is no key."""


@dataclass
class ColumnVerdict:
    """What became of a column. ``lost`` counts values that were not NULL and are found nowhere, ``changed`` those in
    whose place there is another one; ``note`` says how they changed, ``by`` which operation did it. ``proof`` is the
    comparison in which those that are lost are missing, where the others are somewhere else. ``dangling``: what is lost
    are links that lead to rows which are gone. Of one that is re-expressed, ``never`` is what it must not hold on
    production, as SQL, and ``blank`` says that it held one empty value and no other. ``examples`` are old and new
    values of some rows, for the terminal only: they are in no JSON form."""

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
    examples: list[tuple[str | None, str | None]] = field(default_factory=list, repr=False, compare=False)


@dataclass
class TableVerdict:
    """What became of a table.

    ``lost``, ``changed`` and ``duplicated`` count rows: gone and found nowhere; there, with other content; new ones
    that are equal to an old one but for their key. ``sample`` holds keys of some of them, ``proofs`` the comparisons
    that held, ``proof`` the one in which the lost rows are missing, where the others are in several tables.
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
        """Its JSON form (docs/reference/json.md)."""
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
class ObjectVerdict:
    """What became of something beside tables: ``large objects``, ``sequence public.a_seq``, ``grants on public.a``.

    ``lost`` and ``changed`` count as with tables. ``note`` says how, ``fix`` is the statement that a migration lacks.
    ``refused``: it stands against a promotion, unless it is ``declarable`` and declared.
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
        """Whether it stands against a promotion."""
        return self.refused and bool(self.lost or self.changed)

    @property
    def told(self) -> bool:
        """Whether there is anything to say of it."""
        return self.verdict != "declared"

    @property
    def sentence(self) -> str:
        """What happened to it, in words."""
        if self.what.startswith(("sequence ", "column ", "content type ")):
            return f"{self.what}: {self.note}" + (f"; {self.fix}" if self.fix else "")
        counts = {"gone": self.lost, "other than before": self.changed}
        parts = [f"{n:,} {'is' if n == 1 else 'are'} {how}" for how, n in counts.items() if n]
        said = f"{self.what}: of {self.before:,}, {' and '.join(parts)}"
        return said + (f": {self.note}" if self.note else "") + (f"; {self.fix}" if self.fix else "")

    def data(self) -> dict[str, object]:
        """Its JSON form (docs/reference/json.md)."""
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
    """All tables, and what there is beside them. ``excluded`` are tables whose rows stayed out of the backup, with
    about how many those were: nothing is known of them. ``remarks`` are worth knowing, and refuse nothing."""

    tables: list[TableVerdict]
    excluded: Mapping[str, int] = field(default_factory=dict)
    objects: list[ObjectVerdict] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def lost_rows(self) -> int:
        """Rows that are gone and were found nowhere."""
        return sum(table.lost for table in self.tables if not table.kept_by_django)

    @property
    def lost_values(self) -> int:
        """Values and links that are gone, in rows that are still there."""
        return sum(table.lost_values for table in self.tables)

    @property
    def grown(self) -> dict[str, int]:
        """Tables that have more rows than came there, with how many; Django's own are left out."""
        came: Counter[str] = Counter()
        there: dict[str, int] = {}
        for table in self.tables:
            if not table.tolerated and table.mapping:
                came[table.to or table.table] += table.rows_before
                there[table.to or table.table] = table.rows_after
        return {name: there[name] - rows for name, rows in came.items() if there[name] > rows}

    @property
    def refused(self) -> list[TableVerdict]:
        """The tables that stand against a promotion."""
        return [table for table in self.tables if table.refused]

    @property
    def against(self) -> list[ObjectVerdict]:
        """What stands against a promotion beside tables."""
        return [one for one in self.objects if one.against]

    def data(self) -> dict[str, object]:
        """Its JSON form (docs/reference/json.md)."""
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
