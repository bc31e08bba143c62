"""Compare a clone with production: schema, encoding, locale, settings and versions, as a migration sees them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from ops.core.sql_files import SQL_FOLDER

Connection = psycopg.Connection[Any]

# The properties that decide how a database stores and compares text.
LOCALE = ("encoding", "provider", "locale", "collate", "ctype", "rules")
# Not copied: the setting that freezes production, and settings that change the role of a session.
NEVER = ("default_transaction_read_only", "role", "session_authorization")
# Server settings that a migration can see, even if neither the database nor the role sets them.
SEEN = (
    *("TimeZone", "DateStyle", "IntervalStyle", "default_text_search_config", "standard_conforming_strings"),
    *("search_path", "default_transaction_isolation", "default_table_access_method", "default_toast_compression"),
    *("lc_messages", "lc_monetary", "lc_numeric", "lc_time", "statement_timeout", "row_security", "bytea_output"),
    *("session_replication_role", "check_function_bodies", "array_nulls", "transform_null_equals", "xmloption"),
)
# The settings of production's database and role, in order of increasing precedence.
OWN = """
SELECT setting FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
ORDER BY s.setrole <> 0, s.setdatabase <> 0"""


def about(connection: Connection) -> dict[str, Any]:
    """Return the result of ``about.sql`` for a connection's database."""
    row = connection.execute(Path(SQL_FOLDER / "about.sql").read_text().encode()).fetchone()
    return dict(row[0]["about"]) if row else {}


# Servers before version 15 do not report the provider: they have only libc.
_OLD = {"provider": "c"}


def locale_differs(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return the differences in encoding and locale of two databases, a few words each."""
    both = ((name, wanted.get(name) or _OLD.get(name, ""), found.get(name) or _OLD.get(name, "")) for name in LOCALE)
    return [f"{name} {two or 'none'} instead of {one or 'none'}" for name, one, two in both if wanted and one != two]


def schema_lines(connection: Connection) -> list[str]:
    """Return the sorted lines of the digest of ``schema.sql``."""
    text = Path(SQL_FOLDER / "schema.sql").read_text().rsplit("SELECT json_build_object('schema'", 1)[0]
    return [str(line) for (line,) in connection.execute(f"{text} SELECT line FROM lines ORDER BY 1".encode())]


def lines_differ(production: list[str], clone: list[str]) -> list[str]:
    """Return the lines that only one of two schemas has."""
    only = [f"only production has: {line}" for line in sorted(set(production) - set(clone))]
    return only + [f"only the clone has: {line}" for line in sorted(set(clone) - set(production))]


def own_settings(production: Connection) -> dict[str, str]:
    """Return the settings of production's database and role, as the server stores them."""
    found = [str(setting).partition("=") for (setting,) in production.execute(OWN.encode())]
    return {name: value for name, _, value in found if name not in NEVER}


def carry_settings(settings: Mapping[str, str], clone: Connection, *, private: bool) -> list[str]:
    """Set settings on a clone's database. Return the names of settings that could not be set.

    Args:
        private: skip settings that the server does not define: their values may be secrets of the application.
    """
    left = []
    for name, value in settings.items():
        if private and "." in name:
            left.append(name)
            continue
        try:
            # The server stores a list as one text, which ALTER DATABASE would quote again: set it in this session.
            clone.execute("SELECT set_config(%s, %s, false)", [name, value])
            words = sql.SQL("ALTER DATABASE {} SET {} FROM CURRENT")
            clone.execute(words.format(sql.Identifier(clone.info.dbname), sql.Identifier(*name.split("."))))
        except psycopg.Error:
            left.append(name)
    clone.execute("RESET ALL")
    return left


def settings_differ(production: Connection, clone: Connection) -> list[str]:
    """Return the settings that differ between two new sessions, with both values."""
    query = "SELECT name, setting FROM pg_settings WHERE name = ANY (%s)"
    one, two = (dict(c.execute(query, [list(SEEN)]).fetchall()) for c in (production, clone))
    return [
        f"{name} is {two[name]}, on production {one[name]}"
        for name in SEEN
        if name in two and two[name] != one.get(name)
    ]


def versions_differ(production: Mapping[str, Any], clone: Mapping[str, Any]) -> list[str]:
    """Return the differences in versions of two servers and their extensions, a few words each."""
    said = []
    if production["number"] != clone["number"]:
        said.append(f"PostgreSQL is {_version(clone['number'])}, on production {_version(production['number'])}")
    if (old := production.get("collation_version")) != (new := clone.get("collation_version")):
        ordered = "text may sort differently"
        said.append(f"the collation version is {new or 'unknown'}, on production {old or 'unknown'}: {ordered}")
    extensions = clone["extensions"]
    for name, version in production["extensions"].items():
        if extensions.get(name) != version:
            said.append(f"extension {name} is {extensions.get(name) or 'missing'}, on production {version}")
    return said


def _version(number: int) -> str:
    return f"{number // 10000}.{number % 10000}"
