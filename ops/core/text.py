"""Format numbers, sizes, times, lists and hints for people."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime

# A line with a command that a person copies.
COMMAND = re.compile(r"\binv [a-z]|^ *(Try|Next): |^  rm ")
# The maximum width of the labels before the text of a line.
LABELS = 30
# A hint up to this length is not split.
ONE_LINE = 100
_WITHIN = r"`[^`]*`|\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)|\([^()]*\)|\{[^{}]*\}|\[[^][]*\]"
_BETWEEN = re.compile(
    rf"(?:{_WITHIN})|(?P<end>;)\s+|(?P<stop>\.) +(?=[A-Z])|"
    r"(?P<joint>,? {3}(?:or|and then|and|then)\b|, (?:or|then|and then)(?= {3}))(?: +|$)"
)


def laid_out(hint: str, lead: str = "Try: ") -> str:
    """Format a hint for a terminal. Split a long hint so that each step or alternative has its own line.

    Do not split within quotes or brackets: a command may contain a separator.

    Args:
        hint: an error's hint.
        lead: the prefix of the first line; the other lines are indented by its width.
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
    """Format a number with its noun: ``1 row``, ``2,000 rows``."""
    return f"{number:,} {noun}{ending if number != 1 else ''}"


def listed(names: Sequence[str], most: int = 3, joint: str = ", ") -> str:
    """Format the first names of a list, and the number of the other names."""
    more = f"{joint.strip(' ,')} and {len(names) - most:,} more" if len(names) > most else ""
    return joint.join(names[:most]) + more


def duration(seconds: float) -> str:
    """Format a duration in seconds: ``4.2 s``, ``2 min 5 s``."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


def folded(text: str, width: int) -> str:
    """Wrap the lines of a text that are longer than a terminal is wide.

    Indent the continuation lines to the start of the text, behind a number or label. Do not wrap a line with a
    command, so that a person can copy it.
    """
    return "\n".join(_folded(line, width) for line in text.split("\n"))


def _folded(line: str, width: int) -> str:
    if len(line) <= width or COMMAND.search(line):
        return line
    # The text begins behind an indent, a step's number, or labels that are followed by two or more spaces.
    number = re.match(r"\[ *\d+/\d+\] \S |  \w+: +", line)
    indent = len(line) - len(line.lstrip())
    gaps = [gap.end() for gap in re.finditer(r" {2,}(?=\S)", line) if indent < gap.end() <= LABELS]
    hang = " " * (number.end() if number else max(gaps, default=indent + 2))
    return textwrap.fill(line, width, subsequent_indent=hang, break_on_hyphens=False, break_long_words=False)


def age(moment: datetime) -> str:
    """Format how long ago a time was, in one unit."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def megabytes(size: float) -> str:
    """Format bytes as MB, the unit of a table's column."""
    return f"{size / 1e6:,.1f} MB"


def amount(size: float) -> str:
    """Format bytes as kB, MB or GB."""
    for unit, length in (("GB", 1e9), ("MB", 1e6)):
        if size >= length:
            return f"{size / length:,.1f} {unit}"
    return f"{size / 1e3:,.0f} kB"
