"""Quote names and strings for SQL; parse and write names of tables and columns as the inventory has them. Pure.

A name is ``schema.table.column``. Its parts are case-sensitive. A part that contains a dot or a quote is written in
double quotes, with each quote doubled, as in SQL: ``public."a.b".c``.
"""

from __future__ import annotations

import re
from functools import cache

Name = tuple[str, ...]

_PART = re.compile(r'"((?:[^"]|"")*)"|([^".]+)')
# PostgreSQL truncates longer names.
MOST_BYTES = 63


def parse(text: str) -> Name:
    """Split a name into its parts.

    Raises:
        ValueError: the name is not well-formed. The message is a predicate: ``is not well-formed: …``.
    """
    parts, at = [], 0
    while True:
        found = _PART.match(text, at)
        if found is None:
            raise ValueError("is not well-formed: a part is empty, or a quote is not closed or not doubled")
        parts.append(found[2] if found[1] is None else found[1].replace('""', '"'))
        at = found.end()
        if at == len(text):
            break
        if text[at] != ".":
            raise ValueError("is not well-formed: parts are separated by one dot")
        at += 1
    for part in parts:
        if not part or "\0" in part:
            raise ValueError("is not well-formed: a part is empty, or contains a null character")
        if len(part.encode("utf-8", "surrogatepass")) > MOST_BYTES:
            raise ValueError(f"has a part of more than {MOST_BYTES} bytes, which PostgreSQL truncates")
    return tuple(parts)


def written(name: Name) -> str:
    """Return a name as the inventory writes it: the inverse of ``parse``."""
    return ".".join(part if re.fullmatch(r"[\w$-]+", part) else identifier(part) for part in name)


def sql(name: Name) -> str:
    """Return a name for SQL, with every part quoted."""
    return ".".join(map(identifier, name))


def identifier(name: str) -> str:
    """Quote one part of a name. Unlike ``psycopg.sql``, this needs no connection."""
    return '"' + name.replace('"', '""') + '"'


def quoted(name: str) -> str:
    """Quote one part of a name if it contains characters that need quotes. Reserved words are not recognized."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) or not name else identifier(name)


def unquoted(name: str) -> str:
    """Return one part of a name without its quotes."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


@cache
def bare(name: str) -> str:
    """Return a table's name without its schema and quotes, as in Django's ``db_table``."""
    if '."' in name:
        return unquoted(name[name.index('."') + 1 :])
    return unquoted(name if name.endswith('"') else name.split(".")[-1])


def split_names(listed: str) -> tuple[str, ...]:
    """Split a list of table names at its commas. A quoted name may contain commas."""
    return tuple(name.strip() for name in re.findall(r'(?:[^",]|"(?:[^"]|"")*")+', listed))


def literal(text: str) -> str:
    """Quote a string for SQL, with ``standard_conforming_strings`` on."""
    return "'" + text.replace("'", "''") + "'"


def yaml(text: str) -> str:
    """Return a string as a YAML scalar, without quotes if that is safe."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+", text):
        return text
    if text.isprintable():
        return literal(text)
    spelled = (c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return '"' + "".join(spelled) + '"'
