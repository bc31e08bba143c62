"""Servers that are set up in another way than most: it works, or is told ahead with what to type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from ops.infra.postgres.embedded_server import Server
from tests.conftest import Project, project_env
from tests.support.servers import own_server

pytestmark = pytest.mark.slow
LONG = "a:b\\" * 375


@pytest.fixture(scope="module")
def odd() -> Iterator[Server]:
    """A server of our own, with a role whose password is a token of 1,500 characters, and its database."""
    with own_server("odd") as made:
        with psycopg.connect(made.url("postgres"), autocommit=True) as connection:
            password = "'" + LONG + "'"
            connection.execute(f"CREATE ROLE long LOGIN SUPERUSER PASSWORD {password}")
            connection.execute("CREATE DATABASE shop OWNER long")
        yield made


def shop_at(server: Server, folder: Path, database: str, *, test: str = "", **role: str) -> Project:
    """A project without an application on that server; with a test target where ``test`` names its database."""
    url = psycopg.conninfo.make_conninfo(server.url(database), **role)
    hosts = {"shop": {"database": "env:DATABASE_URL"} | ({"test": "shop-test"} if test else {})}
    given = {"all": {"vars": {"store": "backups"}, "children": {"production": {"hosts": hosts}}}}
    if test:
        given["all"]["children"]["test"] = {"hosts": {"shop-test": {"database": "env:TEST_DATABASE_URL"}}}  # type: ignore
    (folder / "inventory.yaml").write_text(yaml.safe_dump(given))
    (folder / "tasks.py").write_text("from ops.tasks import namespace\n")
    other = server.url(test) if test else url
    return Project(folder, url, other, project_env(server, url, other))


def test_a_password_of_1500_characters(odd: Server, tmp_path: Path) -> None:
    shop = shop_at(odd, tmp_path, "shop", user="long", password=LONG)
    for words in (["backup"], ["freeze", "--confirm=shop"], ["unfreeze", "--confirm=shop"]):
        done = shop.inv(*words)
        assert done.code == 0, done.out + done.err
    assert not any(LONG.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_dropped_schema_public_stays_dropped(odd: Server, tmp_path: Path) -> None:
    with psycopg.connect(odd.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE without")
    with psycopg.connect(odd.url("without"), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public; CREATE SCHEMA app; CREATE TABLE app.t AS SELECT 1 AS v")
    shop = shop_at(odd, tmp_path, "without", test="without_test")
    for words in (["backup"], ["clone-prod-to-test"], ["drill"], ["rollback", "--backup=latest", "--confirm=shop"]):
        done = shop.inv(*words)
        assert done.code == 0, done.out + done.err
    for name in ("without", "without_test"):
        with psycopg.connect(odd.url(name)) as connection:
            assert connection.execute("SELECT to_regnamespace('public'), v FROM app.t").fetchone() == (None, 1)


def test_bytes_of_no_encoding_come_back(odd: Server, tmp_path: Path) -> None:
    """A SQL_ASCII database takes any bytes; and all that a backup is for has to work with them."""
    with psycopg.connect(odd.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    shop = shop_at(odd, tmp_path, "ascii", test="ascii_test")
    make = r"CREATE TABLE t AS SELECT n AS id, convert_from('\x4dfc', 'SQL_ASCII') AS v FROM generate_series(1, 3) n"
    held = "SELECT id, v::bytea FROM t ORDER BY 1"
    with psycopg.connect(odd.url("ascii"), autocommit=True) as connection:
        connection.execute(f"{make}; CREATE TABLE told AS SELECT v FROM t".encode())
        rows = connection.execute(held).fetchall()
    for words in (
        ["backup"], ["clone-prod-to-test"], ["drill"],
        ["salvage", "--backup=latest", "--table=t,told", "--confirm=shop"],
        ["rollback", "--backup=latest", "--confirm=shop"],
    ):  # fmt: skip
        with psycopg.connect(odd.url("ascii"), autocommit=True) as connection:
            if words[0] in ("salvage", "rollback"):
                connection.execute("DELETE FROM t WHERE id < 3; DELETE FROM told")
        done = shop.inv(*words)
        assert done.code == 0, done.out + done.err
        with psycopg.connect(odd.url("ascii"), autocommit=True) as connection:
            assert connection.execute(held).fetchall() == rows, words
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*.json*") if path.is_file())
    assert b"M\xfc" not in kept and b"M\\udcfc" not in kept, "no value of a row is kept"


def test_production_is_named_postgres(odd: Server, tmp_path: Path) -> None:
    shop = shop_at(odd, tmp_path, "postgres")
    assert shop.inv("backup").code == 0
    for words in (["freeze"], ["rollback", "--backup=latest"]):
        done = shop.inv(*words, "--confirm=shop")
        assert done.code == 3 and "is named postgres" in done.out + done.err, done.out + done.err
    assert "the database is named postgres" in shop.inv("doctor", "--all").out


def test_a_role_that_only_reads_is_told_ahead(odd: Server, tmp_path: Path) -> None:
    """It is no freeze; and where the role makes clones, there would be none."""
    with psycopg.connect(odd.url("postgres"), autocommit=True) as connection:
        connection.execute("ALTER ROLE long SET default_transaction_read_only = on")
    try:
        shop = shop_at(odd, tmp_path, "shop", test="shop_test", user="long", password=LONG)
        shop.env["TEST_DATABASE_URL"] = psycopg.conninfo.make_conninfo(odd.url("shop_test"), user="long", password=LONG)
        assert shop.inv("backup").code == 0
        assert "FROZEN" not in shop.inv("status").out
        said = shop.inv("doctor").out
        assert "has its own read-only setting: no release" in said and "read-only setting: no clone" in said, (
            said
        )
        assert 'ALTER ROLE "long" RESET default_transaction_read_only' in said
    finally:
        with psycopg.connect(odd.url("postgres"), autocommit=True) as connection:
            connection.execute("ALTER ROLE long RESET default_transaction_read_only")


def test_the_server_names_databases_in_pg_hba(odd: Server, tmp_path: Path) -> None:
    (path,) = odd.home.rglob("pg_hba.conf")
    former = path.read_text()
    path.write_text("".join(f"host {name} all 127.0.0.1/32 scram-sha-256\n" for name in ("postgres", "shop")))
    with psycopg.connect(odd.url("postgres"), autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")
    try:
        said = shop_at(odd, tmp_path, "shop").inv("doctor").out
    finally:
        path.write_text(former)
        with psycopg.connect(odd.url("postgres"), autocommit=True) as connection:
            connection.execute("SELECT pg_reload_conf()")
    assert "pg_hba.conf rejects the role for databases that a rollback creates" in said
    assert "Try: write `all` for the database in pg_hba.conf" in said


def test_there_is_no_database_postgres(odd: Server, tmp_path: Path) -> None:
    with psycopg.connect(odd.url("shop"), autocommit=True) as connection:
        connection.execute("DROP DATABASE postgres WITH (FORCE)")
        try:
            shop = shop_at(odd, tmp_path, "shop")
            assert shop.inv("backup").code == 0
            for done in (shop.inv("doctor"), shop.inv("freeze", "--confirm=shop")):
                assert done.code == 4 and "CREATE DATABASE postgres" in done.out + done.err, done.out + done.err
        finally:
            connection.execute("CREATE DATABASE postgres")


@pytest.mark.parametrize(("limit", "jobs"), [(20, 4), (8, 2), (7, 1)])
def test_jobs_are_as_many_as_there_are_connections_for(odd: Server, tmp_path: Path, limit: int, jobs: int) -> None:
    with psycopg.connect(odd.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE few LOGIN PASSWORD 'x' CONNECTION LIMIT {limit + 1}".encode())
        try:
            shop = shop_at(odd, tmp_path, "shop", user="few", password="x")
            path = tmp_path / "inventory.yaml"
            given = yaml.safe_load(path.read_text())
            given["all"]["children"]["production"]["hosts"]["shop"]["dump"] = {"jobs": 4}
            path.write_text(yaml.safe_dump(given))
            done = shop.inv("backup")
        finally:
            connection.execute("DROP ROLE few")
    assert done.code == 0, done.out + done.err
    assert (f"{jobs} instead of 4 jobs" in done.out) == (jobs < 4), done.out
