"""List migrations in the order in which they run, and mark those that block readers or writers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ops.core.text import counted

MARKED, PLAIN = "LOCK  ", "      "
# The number of lines that a step prints; a listing prints all.
MOST = 12


def head(pending: Sequence[str]) -> str:
    """Return the line above the list of pending migrations."""
    return f"{counted(len(pending), 'pending migration')}, in the order in which they run:"


def in_order(names: Sequence[str], blocks: Mapping[str, str], most: int = 0) -> list[str]:
    """Return a line for each migration.

    Args:
        names: the migrations in the order in which they run.
        blocks: what each migration blocks, by name.
        most: list only blocking migrations if there are more migrations than this; 0 lists all.
    """
    few = [name for name in names if name in blocks] if 0 < most < len(names) else list(names)
    lines = [f"{MARKED}{name}: {blocks[name]}" if name in blocks else PLAIN + name for name in few]
    rest = len(names) - len(few)
    return [*lines, f"{PLAIN}{rest:,} others, which block nobody"] if rest else lines
