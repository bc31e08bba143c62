"""Parse names of tables as typed: ``lessons_lesson``, ``public.lessons_lesson``, ``shop."Order, old"``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from ops.core.errors import UsageError
from ops.core.sql_names import bare, quoted, unquoted

# The list of the generated columns, in the run's folder.
COLUMNS = "aside.columns"


def split(text: str, mark: str = ",") -> list[str]:
    """Split a text at marks outside double quotes, and strip blanks."""
    parts, quoted = [""], False
    for letter in text:
        quoted ^= letter == '"'
        if letter == mark and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def join(pairs: Iterable[tuple[str, str]]) -> str:
    """Join pairs of tables to one word for a command: ``a=b,c=d``. A source without a table is passed unchanged."""
    return ",".join(f"{source}={into}" if into else source for source, into in pairs)


def read_pairs(text: str) -> list[tuple[str, str]]:
    """Parse the output of ``join``.

    Raises:
        UsageError: a part is not a pair.
    """
    found = []
    for part in split(text):
        names = split(part, "=")
        if len(names) != 2 or not all(names):
            raise UsageError(f"--tables: {part!r} is not TABLE=TABLE", "--tables=public.old=public.new")
        found.append((names[0], names[1]))
    return found


def schema_and_name(table: str) -> tuple[str, str]:
    """Return schema and name without quotes: ``public."Old"`` is ``("public", "Old")``."""
    schema, name = split(table, ".")
    return unquoted(schema), unquoted(name)


def resolve(typed: str, known: Sequence[str], where: str) -> str:
    """Return the only table that matches a typed name.

    Args:
        typed: with or without schema, with or without quotes.
        known: qualified names.
        where: the owner of the tables, for the error.

    Raises:
        UsageError: no table matches, or several do.
    """
    if typed in known:
        return typed
    found = [name for name in known if typed in (bare(name), ".".join(schema_and_name(name)), quoted(bare(name)))]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{where}: {typed} matches several tables: {', '.join(found)}", f"--table={found[0]}")
    close = get_close_matches(typed, [*known, *map(bare, known)], 3, 0.5)
    listed = ", ".join(close or list(known)[:5]) or "none"
    raise UsageError(
        f"{where}: there is no table {typed}; similar names: {listed}", f"--table={close[0] if close else 'NAME'}"
    )
