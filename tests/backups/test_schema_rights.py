"""Owners that may create nothing in their schema get what is theirs, and have no right more at the end."""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from ops.backups import schema_rights
from tests.support.client import Client, quoted

Named = Callable[..., str]


def test_every_owner_may_create_until_the_restore_is_through(
    client: Client, role: str, other_role: str, named: Named
) -> None:
    name = named("rights")
    client.ask(f"ALTER DATABASE {name} OWNER TO {quoted(role)}; GRANT {quoted(other_role)} TO {quoted(role)}")
    objects = {
        ("owner", "schema public"): "pg_database_owner",
        ("owner", 'schema "S x"'): role,
        ("owner", "table public.mine"): other_role,
        ("owner", "table public.ours"): role,
        ("grants", 'schema "S x"'): f'["{other_role}=USAGE"]',
    }
    rights = (
        "SELECT nspname, has_schema_privilege($1, oid, 'USAGE'), has_schema_privilege($1, oid, 'CREATE') "
        "FROM pg_namespace WHERE nspname IN ('public', 'S x') ORDER BY 1"
    ).replace("$1", "%s")
    with psycopg.connect(client.server.url(name), user=role, password="x", autocommit=True) as connection:
        opened = schema_rights.open_schemas(connection, objects)
        assert connection.execute(rights.encode(), [other_role] * 2).fetchall() == [
            ("S x", True, True), ("public", True, True)]  # fmt: skip
        connection.execute(f"CREATE TABLE mine (); ALTER TABLE mine OWNER TO {quoted(other_role)}".encode())
        schema_rights.close_schemas(connection, objects, opened)
        after = connection.execute(rights.encode(), [other_role] * 2).fetchall()
    assert after == [("S x", True, False), ("public", True, False)], "USAGE of public is everybody's"


def test_one_owner_needs_nothing(client: Client, role: str, named: Named) -> None:
    name = named("alone")
    client.ask(f"ALTER DATABASE {name} OWNER TO {quoted(role)}")
    objects = {("owner", "schema s"): role, ("owner", "schema public"): "pg_database_owner"}
    with psycopg.connect(client.server.url(name), user=role, password="x", autocommit=True) as connection:
        assert schema_rights.open_schemas(connection, objects) == []
        assert connection.execute("SELECT to_regnamespace('s')").fetchone() == (None,), "pg_restore makes it"
