"""Whatever role, database and server have set for their sessions: the tool's own begin with settings of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import yaml

from ops.infra.postgres.embedded_server import Server
from tests.conftest import Project, admin
from tests.projects import write_project
from tests.support.project import project_env
from tests.support.servers import own_server

# What an administrator may have set, each with a value that makes a session fail, wait, or read something else.
HOSTILE = {
    "statement_timeout": "'40ms'",
    "lock_timeout": "'1ms'",
    "idle_in_transaction_session_timeout": "'40ms'",
    "idle_session_timeout": "'100ms'",
    "transaction_timeout": "'300ms'",
    "search_path": "evil, pg_catalog, public",
    "client_encoding": "'LATIN1'",
    "client_min_messages": "'debug1'",
    "default_transaction_isolation": "'serializable'",
    "default_transaction_deferrable": "on",
    "quote_all_identifiers": "on",
    "standard_conforming_strings": "off",
    "row_security": "off",
    "DateStyle": "'SQL, DMY'",
    "IntervalStyle": "'sql_standard'",
    "TimeZone": "'Pacific/Kiritimati'",
    "extra_float_digits": "-15",
    "bytea_output": "'escape'",
}
# Names that hide the server's own, and values that each of those settings writes in another way.
EVIL = (
    "CREATE SCHEMA evil",
    "CREATE FUNCTION evil.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS 'SELECT ''evil''::text'",
    "CREATE FUNCTION evil.current_database() RETURNS name LANGUAGE sql AS 'SELECT ''evil''::name'",
    "CREATE TABLE evil.pg_class (oid oid)",
    "CREATE TABLE public.told (id int PRIMARY KEY, at timestamptz, lasts interval, f float8, raw bytea, word text)",
    "INSERT INTO told SELECT n, '2026-03-29 02:30+01', '1 mon 2 days 03:04:05.6', 0.1::float8 + 0.2, '\\x00ff5c', "
    "'€ ł ' || n FROM generate_series(1, 50) n",
)
# An application with these would not answer anybody: its own sessions are left as they are.
NOT_FOR_APPLICATIONS = {
    *("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"),
    *("transaction_timeout", "search_path", "DateStyle", "IntervalStyle"),
}


@pytest.fixture(scope="module")
def hostile() -> Iterator[Server]:
    """A server of our own: what a server has set is set for everybody, but for its administrator."""
    with own_server("hostile") as made:
        with admin(made) as c:
            c.execute("CREATE ROLE ops LOGIN SUPERUSER PASSWORD 'ops'")
            for name in HOSTILE:
                c.execute(f"ALTER ROLE postgres SET {name} = DEFAULT".encode())
                own = f"SELECT set_config('{name}', boot_val, false) FROM pg_settings WHERE name = '{name}'"
                c.execute(own.encode())
                c.execute(f"ALTER ROLE postgres SET {name} FROM CURRENT".encode())
        yield made


@contextmanager
def set_for(server: Server, where: str, database: str, names: Iterable[str]) -> Iterator[None]:
    """What is hostile is set for the server, the role, or the database."""
    head = {"server": "ALTER SYSTEM", "role": "ALTER ROLE ops", "database": f"ALTER DATABASE {database}"}[where]
    with admin(server) as c:
        for name in names:
            c.execute(f"{head} SET {name} = {HOSTILE[name]}".encode())
        c.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        with admin(server) as c:
            c.execute("ALTER SYSTEM RESET ALL")
            c.execute("ALTER ROLE ops RESET ALL")
            c.execute("SELECT pg_reload_conf()")


def as_ops(server: Server, shop: Project) -> Project:
    """The project, reached by the role that has it all set for itself."""
    urls = [url.replace(server.url("").rsplit("@")[0], "postgresql://ops:ops") for url in (shop.production, shop.test)]
    return Project(shop.folder, shop.production, shop.test, project_env(server, urls[0], urls[1]))


def content(server: Server, database: str) -> list[tuple[object, ...]]:
    """Every value, in its binary form."""
    with psycopg.connect(server.url(database)) as c:
        return c.execute("SELECT * FROM told ORDER BY id", binary=True).fetchall()


def did(shop: Project, *words: str) -> str:
    """A call that must succeed."""
    done = shop.inv(*words)
    assert done.code == 0, done.out + done.err
    return done.out


@pytest.mark.slow
@pytest.mark.parametrize("where", ["server", "role", "database"])
def test_all_of_it_works_whatever_is_set(hostile: Server, tmp_path: Path, where: str) -> None:
    """Backup, clone, drill, rollback, its undo, salvage: without an application, which would have to live with it."""
    name = f"odd_{where}"
    with admin(hostile) as c:
        c.execute(f"CREATE DATABASE {name} OWNER ops".encode())
    with psycopg.connect(hostile.url(name), autocommit=True) as c:
        for words in EVIL:
            c.execute(words.encode())
    before = content(hostile, name)
    given = {"all": {"vars": {"store": "backups"}, "children": {
        "production": {"hosts": {"shop": {"database": "env:DATABASE_URL", "test": "shop-test"}}},
        "test": {"hosts": {"shop-test": {"database": "env:TEST_DATABASE_URL"}}}}}}  # fmt: skip
    (tmp_path / "inventory.yaml").write_text(yaml.safe_dump(given))
    (tmp_path / "tasks.py").write_text("from ops.tasks import namespace\n")
    shop = as_ops(hostile, Project(tmp_path, hostile.url(name), hostile.url(f"{name}_test"), {}))
    with set_for(hostile, where, name, HOSTILE):
        did(shop, "backup")
        did(shop, "clone-prod-to-test")
        assert content(hostile, f"{name}_test") == before
        did(shop, "drill")
        with psycopg.connect(hostile.url(name), autocommit=True) as c:
            c.execute("DELETE FROM told WHERE id <= 20")
        did(shop, "salvage", "--backup=latest", "--table=told", "--confirm=shop")
        assert content(hostile, name) == before
        with psycopg.connect(hostile.url(name), autocommit=True) as c:
            c.execute("DELETE FROM told WHERE id <= 20")
        did(shop, "rollback", "--backup=latest", "--confirm=shop")
        assert content(hostile, name) == before
        did(shop, "undo", "--confirm=shop")
        assert len(content(hostile, name)) == len(before) - 20
        did(shop, "doctor")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["server", "role", "database"])
def test_a_release_works_whatever_is_set(hostile: Server, tmp_path: Path, where: str) -> None:
    stem = f"app_{where}"
    write_project(tmp_path / "project", "b", {})
    with admin(hostile) as c:
        c.execute(f"CREATE DATABASE {stem}_shop OWNER ops".encode())
    shop = as_ops(hostile, Project.at(tmp_path / "project", hostile, stem))
    for words in (["migrate", "lessons", "0001"], ["migrate", "contenttypes"], ["migrate", "auth"], ["fill"]):
        shop.manage(*words)
    with set_for(hostile, where, f"{stem}_shop", set(HOSTILE) - NOT_FOR_APPLICATIONS):
        did(shop, "release", "--confirm=shop")
        assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)]
        did(shop, "rollback", "--backup=latest", "--confirm=shop")
        assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]
