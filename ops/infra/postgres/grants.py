"""Find the missing right in a server's message, and the statement that grants it (docs/how-to/rights.md)."""

from __future__ import annotations

import re

from ops.core.sql_names import identifier

RELATION = "(?:table|relation|schema|sequence|view|materialized view|foreign table)"
# Patterns of the server's English messages, and the statement that grants the right.
MISSING = (
    (r"permission denied for database \"?([^\"\n]+)", "GRANT CONNECT ON DATABASE {0} TO {role}"),
    (r"permission denied for large object (\d+)", "GRANT SELECT ON LARGE OBJECT {0} TO {role}"),
    (rf"permission denied for {RELATION} ", "GRANT pg_read_all_data TO {role}"),
    (r"query would be affected by row-level security policy", "ALTER ROLE {role} BYPASSRLS"),
    (r"permission denied to create database", "ALTER ROLE {role} CREATEDB"),
    (r"must be owner of database \"?([^\"\n]+)", "ALTER DATABASE {0} OWNER TO {role}"),
    (rf"must be owner of {RELATION} \"?([^\"\n]+)", "make {role} the owner of {0}, or a member of the owner"),
)


def grant(role: str, said: str) -> str:
    """Return the statement that grants a missing right; empty if the message is about something else.

    Args:
        role: the role of the session.
        said: the server's message.
    """
    for pattern, words in MISSING:
        if found := re.search(pattern, said):
            names = [name if name.isdigit() else identifier(name) for name in found.groups()]
            return words.format(*names, role=identifier(role or "the role")) + "   (docs/how-to/rights.md)"
    return ""


def membership(role: str, member: str, number: int) -> str:
    """Return the statement that makes a role a full member of another role.

    Since PostgreSQL 16 a member may lack INHERIT or SET, and a GRANT without options does not change that.

    Args:
        role: the role's unquoted name.
        member: the new member as in SQL.
        number: the server's version number (160000 for 16.0).
    """
    again = " WITH INHERIT TRUE, SET TRUE" if number >= 160000 else ""
    return f"GRANT {identifier(role)} TO {member}{again}"
