"""Names and texts as SQL quotes them; names of tables and columns as the inventory and YAML write them. Pure.

``schema.table.column``: each part stands as it is, without folding case; one with a dot or a quote in it stands in
double quotes, as in SQL: ``public."a.b".c``, and a quote within them is doubled.
"""

from __future__ import annotations

import re
from functools import cache

Name = tuple[str, ...]

_PART = re.compile(r'"((?:[^"]|"")*)"|([^".]+)')
# PostgreSQL cuts names that are longer.
MOST_BYTES = 63


def parse(text: str) -> Name:
    """The parts of a name.

    Raises:
        ValueError: it is none; the message says why, and goes on a sentence.
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
            raise ValueError("is not well-formed: between two parts stands one dot")
        at += 1
    for part in parts:
        if not part or "\0" in part:
            raise ValueError("is not well-formed: a part is empty, or holds what no name can")
        if len(part.encode("utf-8", "surrogatepass")) > MOST_BYTES:
            raise ValueError(f"has a part of more than {MOST_BYTES} bytes, which PostgreSQL would have cut")
    return tuple(parts)


def written(name: Name) -> str:
    """The name as the inventory writes it; ``parse`` gives it back."""
    return ".".join(part if re.fullmatch(r"[\w$-]+", part) else identifier(part) for part in name)


def sql(name: Name) -> str:
    """The name as SQL takes it, every part quoted."""
    return ".".join(map(identifier, name))


def identifier(name: str) -> str:
    """Quote one part of a name. (psycopg.sql needs a connection for this.)"""
    return '"' + name.replace('"', '""') + '"'


def quoted(name: str) -> str:
    """Quote one part of a name where it needs that; PostgreSQL's reserved words are not known here, which harms
    nobody."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) or not name else identifier(name)


def unquoted(name: str) -> str:
    """Return one part of a name without its quotes."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


@cache
def bare(name: str) -> str:
    """Return a table's name without its schema and quotes, as Django knows it."""
    if '."' in name:
        return unquoted(name[name.index('."') + 1 :])
    return unquoted(name if name.endswith('"') else name.split(".")[-1])


def split_names(listed: str) -> tuple[str, ...]:
    """Split names of tables that are joined by a comma; one that is quoted may hold commas itself."""
    return tuple(name.strip() for name in re.findall(r'(?:[^",]|"(?:[^"]|"")*")+', listed))


def literal(text: str) -> str:
    """A text as SQL takes it where strings conform to the standard."""
    return "'" + text.replace("'", "''") + "'"


def yaml(text: str) -> str:
    """A text as one word of YAML, plain where that is safe."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+", text):
        return text
    if text.isprintable():
        return literal(text)
    spelled = (c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return '"' + "".join(spelled) + '"'
