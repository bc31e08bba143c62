"""Numbers, sizes, times and lists as a person says them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime

# What a person types or pastes.
COMMAND = re.compile(r"\binv [a-z]|^ *(Try|Next): |^  rm ")
# How wide what stands before a line's text may be.
LABELS = 30
# A hint that fits into a line stays one.
ONE_LINE = 100
_WITHIN = r"`[^`]*`|\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)|\([^()]*\)|\{[^{}]*\}|\[[^][]*\]"
_BETWEEN = re.compile(
    rf"(?:{_WITHIN})|(?P<end>;)\s+|(?P<stop>\.) +(?=[A-Z])|"
    r"(?P<joint>,? {3}(?:or|and then|and|then)\b|, (?:or|then|and then)(?= {3}))(?: +|$)"
)


def laid_out(hint: str, lead: str = "Try: ") -> str:
    """Return what to type next as a terminal shows it: a long hint has one step, or one alternative, a line.

    Quotes and brackets are left as they are: a command may hold what looks like a joint.

    Args:
        hint: an error's hint.
        lead: what stands before its first line; the others begin below its first letter.
    """
    if len(hint) <= ONE_LINE:
        return lead + hint
    lines, begin, joint = [], 0, ""
    for found in _BETWEEN.finditer(hint):
        if found.lastgroup:
            end = found.end(found.lastgroup) if found.lastgroup != "joint" else found.start()
            lines.append(joint + hint[begin:end].strip())
            begin, joint = found.end(), (found["joint"] or "").strip(", ")
            joint = f"{joint}   " if joint else ""
    lines.append(joint + hint[begin:].strip())
    return lead + f"\n{'':{len(lead)}}".join(line for line in lines if line)


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


def folded(text: str, width: int) -> str:
    """Fold the lines of a text that are longer than a terminal is wide.

    The rest of a line stands below its text, behind its number or label. A line with a command stays whole, so that
    it can be copied.
    """
    return "\n".join(_folded(line, width) for line in text.split("\n"))


def _folded(line: str, width: int) -> str:
    if len(line) <= width or COMMAND.search(line):
        return line
    # An indent, a step's number, or labels with a column's gap behind them stand before the text.
    number = re.match(r"\[ *\d+/\d+\] \S |  \w+: +", line)
    indent = len(line) - len(line.lstrip())
    gaps = [gap.end() for gap in re.finditer(r" {2,}(?=\S)", line) if indent < gap.end() <= LABELS]
    hang = " " * (number.end() if number else max(gaps, default=indent + 2))
    return textwrap.fill(line, width, subsequent_indent=hang, break_on_hyphens=False, break_long_words=False)


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
