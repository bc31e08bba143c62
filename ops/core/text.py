"""Numbers, sizes, times and lists as a person says them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime


def counted(number: int, noun: str, ending: str = "s") -> str:
    """Return a number with its noun: ``1 row``, ``2,000 rows``."""
    return f"{number:,} {noun}{ending if number != 1 else ''}"


def listed(names: Sequence[str], most: int = 3, joint: str = ", ") -> str:
    """Return the first names of a list, and how many more there are."""
    more = f"{joint.strip(' ,')} and {len(names) - most:,} more" if len(names) > most else ""
    return joint.join(names[:most]) + more


def duration(seconds: float) -> str:
    """Return a duration: ``4.2 s``, ``2 min 5 s``."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


def age(moment: datetime) -> str:
    """Return how long ago a moment was, in one unit."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def megabytes(size: float) -> str:
    """Return bytes in the one unit of a table's column."""
    return f"{size / 1e6:,.1f} MB"


def amount(size: float) -> str:
    """Return bytes in the unit that fits them."""
    for unit, length in (("GB", 1e9), ("MB", 1e6)):
        if size >= length:
            return f"{size / length:,.1f} {unit}"
    return f"{size / 1e3:,.0f} kB"
