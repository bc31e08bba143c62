"""Define how much a declaration allows: a count, a share of the table's rows, or all. Pure."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

Amount = int | str

ALL = "all"
FORMS = "120   or   5 %   or   all   (rows or values, at most)"
_SHARE = re.compile(r"(\d{1,3}(?:\.\d+)?) ?%")
# Rounding of a share must not add a row.
_EXACT = 9


class Limit(BaseModel):
    """Hold a limit of ``count`` rows plus ``per_cent`` of a table's rows. Limits of several migrations add up."""

    model_config = ConfigDict(frozen=True)

    count: int = 0
    per_cent: float = 0

    @classmethod
    def read(cls, amount: Amount) -> Limit | None:
        """Parse an amount of the file, or return None."""
        if isinstance(amount, bool) or not isinstance(amount, int | str):
            return None
        if isinstance(amount, int):
            return cls(count=amount) if amount >= 1 else None
        if amount.strip() == ALL:
            return cls(per_cent=100)
        match = _SHARE.fullmatch(amount.strip())
        return cls(per_cent=float(match[1])) if match and 0 < float(match[1]) <= 100 else None

    @property
    def lasting(self) -> bool:
        """Return True if the limit has no count, so that it fits any number of rows, including zero."""
        return bool(self.per_cent) and not self.count

    def __bool__(self) -> bool:
        return bool(self.count or self.per_cent)

    def __add__(self, other: Limit) -> Limit:
        return Limit(count=self.count + other.count, per_cent=min(self.per_cent + other.per_cent, 100))

    def of(self, rows: int) -> int:
        """Return how many rows a table with ``rows`` rows may lose or change."""
        return self.count + math.ceil(round(rows * self.per_cent / 100, _EXACT))

    def most(self, rows: int) -> int:
        """Return the same for a table that may grow: ``all`` means any number of rows."""
        return sys.maxsize if self.per_cent >= 100 else self.of(rows)

    def __str__(self) -> str:
        if self.per_cent >= 100:
            return ALL
        said = [f"{self.count:,}"] if self.count else []
        return " and ".join([*said, f"{self.per_cent:g} %"] if self.per_cent else said) or "0"


NOTHING = Limit()


def total(limits: Iterable[Limit]) -> Limit:
    """Add up limits."""
    return sum(limits, NOTHING)


def drafted(found: int, rows: int) -> Amount:
    """Return the amount, ``all`` or a share, that covers a loss with a margin for rows written later.

    Args:
        found: lost or changed rows or values.
        rows: rows of the table, or values of the column.
    """
    per_cent = 110 * found / rows if rows else 100.0
    if per_cent >= 100:
        return ALL
    places = max(1 - math.floor(math.log10(per_cent)), 0)
    share = f"{math.ceil(per_cent * 10**places) / 10**places:.{places}f}"
    return f"{share.rstrip('0').rstrip('.') if places else share} %"


@dataclass
class Allowed:
    """Hold how much a table may lose or change as declared: rows, and values by column."""

    rows: dict[str, Limit] = field(default_factory=dict)
    columns: dict[str, dict[str, Limit]] = field(default_factory=dict)
