"""Open the schemas of a database to every owner of dumped objects while the database is restored.

The owner of an object needs CREATE on the object's schema. pg_restore grants rights only at its end, and production
may have no such right for an owner whose object a superuser created. A restore without superuser rights would fail
there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

Opened = list[tuple[str, str, str]]
_DEFAULT = "pg_database_owner"
_SCHEMA = "schema "
_CREATE = "CREATE SCHEMA {} AUTHORIZATION {}"
# The missing rights of these roles on these schemas. A superuser lacks none.
_LACKING = """
SELECT s, r, p FROM unnest(%s::text[]) s, unnest(%s::text[]) r, unnest(ARRAY['USAGE', 'CREATE']) p
WHERE to_regnamespace(s) IS NOT NULL AND EXISTS (SELECT FROM pg_roles WHERE rolname = r AND NOT rolsuper)
  AND NOT has_schema_privilege(r, to_regnamespace(s)::oid, p)
"""


def open_schemas(connection: psycopg.Connection[Any], objects: Mapping[tuple[str, str], str]) -> Opened:
    """Create the schemas of a backup in an empty database, and let every owner create in them.

    Statements that the server refuses are left to pg_restore, whose error says more.

    Args:
        objects: the backup's objects (``ops.backups.restored_objects``).

    Returns:
        the granted rights: schema, role, right.
    """
    owned = {name: role for (kind, name), role in objects.items() if kind == "owner"}
    owners = sorted({role for name, role in owned.items() if not name.startswith("large objects")} - {_DEFAULT})
    alone = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (True,)
    if alone or len(owners) < 2:
        return []
    schemas = {name.removeprefix(_SCHEMA): role for name, role in owned.items() if name.startswith(_SCHEMA)}
    for name, role in schemas.items():
        if connection.execute("SELECT to_regnamespace(%s)", [name]).fetchone() == (None,):
            _tried(connection, sql.SQL(_CREATE).format(sql.SQL(name), sql.Identifier(role)))
    lacking = connection.execute(_LACKING, [list(schemas), owners]).fetchall()
    return [
        (name, role, right) for name, role, right in lacking if _tried(connection, _given("GRANT", name, role, right))
    ]


def close_schemas(connection: psycopg.Connection[Any], objects: Mapping[tuple[str, str], str], opened: Opened) -> None:
    """Revoke the rights that the backup does not have."""
    for name, role, right in opened:
        granted = json.loads(objects.get(("grants", f"{_SCHEMA}{name}"), "[]") or "[]")
        if not any(str(one).removesuffix(" WITH GRANT OPTION") == f"{role}={right}" for one in granted):
            connection.execute(_given("REVOKE", name, role, right))


def _given(word: str, name: str, role: str, right: str) -> sql.Composed:
    """Return the statement that grants or revokes a right. The schema's name is written as in SQL."""
    to = "TO" if word == "GRANT" else "FROM"
    text = f"{word} {right} ON SCHEMA {{}} {to} {{}}"
    return sql.SQL(text).format(sql.SQL(name), sql.Identifier(role))


def _tried(connection: psycopg.Connection[Any], statement: sql.Composed) -> bool:
    """Run a statement; return False if the server refuses it."""
    try:
        connection.execute(statement)
    except psycopg.OperationalError:
        raise
    except psycopg.Error:
        return False
    return True
