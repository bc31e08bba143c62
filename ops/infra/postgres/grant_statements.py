"""Parse GRANT and REVOKE as pg_dump writes them: reverse statements and grantors."""

from __future__ import annotations

import re

_TURNED = {"GRANT": ("REVOKE", "TO", "FROM"), "REVOKE": ("GRANT", "FROM", "TO")}
_STATEMENT = re.compile(r"(|.*? )(GRANT|REVOKE) (.*) (TO|FROM) (.*)$", re.S)
_BY = re.compile(r"SET SESSION AUTHORIZATION (.+?);\n(.*?)RESET SESSION AUTHORIZATION;", re.S)
_ANY = re.compile(r"^(?:ALTER DEFAULT PRIVILEGES|GRANT|REVOKE)\b.*?(?=;$)", re.S | re.M)


def reverse(statement: str) -> str:
    """Return the statement that reverses a GRANT, REVOKE or ALTER DEFAULT PRIVILEGES; empty for other statements."""
    match = _STATEMENT.match(statement.removesuffix(" WITH GRANT OPTION"))
    if match is None:
        return ""
    word, _, to = _TURNED[match[2]]
    return f"{match[1]}{word} {match[3]} {to} {match[5]}"


def statements(command: str) -> list[str]:
    """Return each GRANT and REVOKE of a command, without its semicolon."""
    return _ANY.findall(command)


def grantors(command: str) -> list[str]:
    """Return the grantors in a command."""
    return list(dict.fromkeys(grantor for grantor, _ in _BY.findall(command)))


def grant_anew(command: str) -> str:
    """Return the statements that grant rights of other grantors again as the owner."""
    said = []
    for grantor, text in _BY.findall(command):
        given = statements(text)
        taken = "; ".join(filter(None, map(reverse, given)))
        said.append(f"SET ROLE {grantor}; {taken}; RESET ROLE; {'; '.join(given)}")
    return "; ".join(said)
