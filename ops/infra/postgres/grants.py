"""The right that is missing where a server refuses, and what grants it (docs/how-to/rights.md)."""

from __future__ import annotations

import re

from ops.core.sql_names import identifier

RELATION = "(?:table|relation|schema|sequence|view|materialized view|foreign table)"
# What the server says, and what grants it; where its messages are not English, nothing is added to them.
MISSING = (
    (r"permission denied for database \"?([^\"\n]+)", "GRANT CONNECT ON DATABASE {0} TO {role}"),
    (r"permission denied for large object (\d+)", "GRANT SELECT ON LARGE OBJECT {0} TO {role}"),
    (rf"permission denied for {RELATION} ", "GRANT pg_read_all_data TO {role}"),
    (r"query would be affected by row-level security policy", "ALTER ROLE {role} BYPASSRLS"),
    (r"permission denied to create database", "ALTER ROLE {role} CREATEDB"),
    (r"must be owner of database \"?([^\"\n]+)", "ALTER DATABASE {0} OWNER TO {role}"),
    (rf"must be owner of {RELATION} \"?([^\"\n]+)", "let {role} own {0}, or be a member of the role that does"),
)


def grant(role: str, said: str) -> str:
    """What to type where a server refused for lack of a right; empty where that is not the reason.

    Args:
        role: who asked.
        said: the server's own words.
    """
    for pattern, words in MISSING:
        if found := re.search(pattern, said):
            names = [name if name.isdigit() else identifier(name) for name in found.groups()]
            return words.format(*names, role=identifier(role or "the role")) + "   (docs/how-to/rights.md)"
    return ""


def membership(role: str, member: str, number: int) -> str:
    """Return the statement that lets a role do all that another one may: since PostgreSQL 16 a member may lack that,
    and a GRANT without a word leaves it as it is.

    Args:
        role: the role, as a plain name.
        member: who is to be a member, as it is written in SQL.
        number: the server's version.
    """
    again = " WITH INHERIT TRUE, SET TRUE" if number >= 160000 else ""
    return f"GRANT {identifier(role)} TO {member}{again}"
