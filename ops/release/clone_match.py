"""Whether a clone is like production in what a migration can see: schema, encoding, locale, settings, versions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from ops.core.sql_files import SQL_FOLDER

Connection = psycopg.Connection[Any]

# Of what kind a database's text is.
LOCALE = ("encoding", "provider", "locale", "collate", "ctype", "rules")
# A frozen production's own, which its copy must not have; and what would make our session another role's.
NEVER = ("default_transaction_read_only", "role", "session_authorization")
# Settings of a server that a migration can see, and that a database or role may not have of its own.
SEEN = (
    *("TimeZone", "DateStyle", "IntervalStyle", "default_text_search_config", "standard_conforming_strings"),
    *("search_path", "default_transaction_isolation", "default_table_access_method", "default_toast_compression"),
    *("lc_messages", "lc_monetary", "lc_numeric", "lc_time", "statement_timeout", "row_security", "bytea_output"),
    *("session_replication_role", "check_function_bodies", "array_nulls", "transform_null_equals", "xmloption"),
)
# Which settings of production's own a session there has, the ones that win last.
OWN = """
SELECT setting FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
ORDER BY s.setrole <> 0, s.setdatabase <> 0"""


def about(connection: Connection) -> dict[str, Any]:
    """What ``about.sql`` says of the database of a connection."""
    row = connection.execute(Path(SQL_FOLDER / "about.sql").read_text().encode()).fetchone()
    return dict(row[0]["about"]) if row else {}


# Servers before 15 have no word for the only provider that they know.
_OLD = {"provider": "c"}


def locale_differs(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """In what the text of two databases is of another kind, a few words each."""
    both = ((name, wanted.get(name) or _OLD.get(name, ""), found.get(name) or _OLD.get(name, "")) for name in LOCALE)
    return [f"{name} {two or 'none'} instead of {one or 'none'}" for name, one, two in both if wanted and one != two]


def schema_lines(connection: Connection) -> list[str]:
    """The lines of which ``schema.sql`` makes its digest, sorted."""
    text = Path(SQL_FOLDER / "schema.sql").read_text().rsplit("SELECT json_build_object('schema'", 1)[0]
    return [str(line) for (line,) in connection.execute(f"{text} SELECT line FROM lines ORDER BY 1".encode())]


def lines_differ(production: list[str], clone: list[str]) -> list[str]:
    """What only one of two schemas has, the first words of each."""
    only = [f"only production has: {line}" for line in sorted(set(production) - set(clone))]
    return only + [f"only the copy has: {line}" for line in sorted(set(clone) - set(production))]


def own_settings(production: Connection) -> dict[str, str]:
    """The settings that production's database and role have of their own, as the server keeps them."""
    found = [str(setting).partition("=") for (setting,) in production.execute(OWN.encode())]
    return {name: value for name, _, value in found if name not in NEVER}


def carry_settings(settings: Mapping[str, str], clone: Connection, *, private: bool) -> list[str]:
    """Make settings those of a clone's database, and name those that it can't be given.

    Args:
        private: names that the server does not know stay out: their values may be secrets of the application.
    """
    left = []
    for name, value in settings.items():
        if private and "." in name:
            left.append(name)
            continue
        try:
            # As the server keeps it, a list is one already; so it goes through this session.
            clone.execute("SELECT set_config(%s, %s, false)", [name, value])
            words = sql.SQL("ALTER DATABASE {} SET {} FROM CURRENT")
            clone.execute(words.format(sql.Identifier(clone.info.dbname), sql.Identifier(*name.split("."))))
        except psycopg.Error:
            left.append(name)
    clone.execute("RESET ALL")
    return left


def settings_differ(production: Connection, clone: Connection) -> list[str]:
    """Which settings that a migration can see differ between two new sessions, with both values."""
    query = "SELECT name, setting FROM pg_settings WHERE name = ANY (%s)"
    one, two = (dict(c.execute(query, [list(SEEN)]).fetchall()) for c in (production, clone))
    return [f"{name} is {two[name]}, there {one[name]}" for name in SEEN if name in two and two[name] != one.get(name)]


def versions_differ(production: Mapping[str, Any], clone: Mapping[str, Any]) -> list[str]:
    """In which versions two servers and their extensions differ, a few words each."""
    said = []
    if production["number"] != clone["number"]:
        said.append(f"PostgreSQL is {_version(clone['number'])}, there {_version(production['number'])}")
    if (old := production.get("collation_version")) != (new := clone.get("collation_version")):
        ordered = "text may be ordered in another way"
        said.append(f"the collation version is {new or 'unknown'}, there {old or 'unknown'}: {ordered}")
    extensions = clone["extensions"]
    for name, version in production["extensions"].items():
        if extensions.get(name) != version:
            said.append(f"extension {name} is {extensions.get(name) or 'missing'}, there {version}")
    return said


def _version(number: int) -> str:
    return f"{number // 10000}.{number % 10000}"
