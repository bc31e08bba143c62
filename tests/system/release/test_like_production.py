"""A clone is like production in what a migration can see, and in nothing reaches what production reaches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import psycopg
import pytest

from ops.infra.postgres.embedded_server import Server
from tests.conftest import Project, admin
from tests.support.servers import own_server

Make = Callable[..., Project]

# What production has: each of these stopped a clone, or left it another database than production is.
PRODUCTION = (
    "CREATE ROLE {name}_reader NOLOGIN",
    "CREATE POLICY readers ON lessons_teacher TO {name}_reader USING (true)",
    "CREATE SUBSCRIPTION news CONNECTION 'host=nowhere.invalid' PUBLICATION p WITH (connect = false, slot_name = 'p')",
    "CREATE EXTENSION postgres_fdw",
    "CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid')",
    "CREATE USER MAPPING FOR {name}_reader SERVER there OPTIONS (user 'x', password 'y')",
    "ALTER DATABASE {name} SET search_path = public, extensions",
    "ALTER DATABASE {name} SET default_transaction_isolation = serializable",
)


def test_a_clone_is_like_production_and_reaches_nothing(project: Make, server: Server) -> None:
    shop = project("b")
    name, test = shop.production.rsplit("/", 1)[1], shop.test.rsplit("/", 1)[1]
    try:
        for words in PRODUCTION:
            shop.query(words.format(name=name))
        shop.query("INSERT INTO lessons_teacher (name) VALUES ('Frau 1')")
        with contextlib.suppress(psycopg.errors.UniqueViolation):
            shop.query("CREATE UNIQUE INDEX CONCURRENTLY broken ON lessons_teacher (name)")
        done = shop.inv("clone-prod-to-test")
        assert done.code == 0, done.out + done.err
        assert "schema, encoding and locale (UTF8, C) are production's" in done.out, done.out
        assert shop.query("SHOW search_path", test) == [("public, extensions",)]
        assert shop.query("SHOW default_transaction_isolation", test) == [("serializable",)]
        assert shop.query("SELECT count(*) > 5 FROM pg_stats WHERE schemaname = 'public'", test) == [(True,)]
        assert shop.query("SELECT reltuples FROM pg_class WHERE relname = 'lessons_lesson'", test) == [(1000.0,)]
        assert shop.query("SELECT FROM pg_user_mappings", test) == []
        here = "SELECT FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = current_database()"
        assert shop.query(here, test) == []
        done = shop.inv("drill")
        assert done.code == 0, done.out + done.err
        assert [db for (db,) in shop.query("SELECT datname FROM pg_database", "postgres") if "_drill_" in db] == []
    finally:
        with admin(server) as c:
            c.execute(f"DROP DATABASE IF EXISTS {test} WITH (FORCE)".encode())
        for words in ("DROP POLICY IF EXISTS readers ON lessons_teacher", "DROP SERVER IF EXISTS there CASCADE",
                      "ALTER SUBSCRIPTION news SET (slot_name = NONE)", "DROP SUBSCRIPTION news",
                      f"DROP ROLE {name}_reader"):  # fmt: skip
            shop.query(words)


def test_a_copy_with_another_schema_is_refused_with_what_differs(scene: Make) -> None:
    shop = scene("cloned")
    test = shop.test.rsplit("/", 1)[1]
    [before] = (shop.folder / "backups").rglob("fingerprint.jsonl")
    words = ["tool.match-clone", "--target=shop", "--test=shop-test", f"--database={test}", f"--before={before}"]
    assert shop.inv(*words).code == 0
    shop.query("ALTER TABLE lessons_teacher ADD COLUMN born date", test)
    done = shop.inv(*words)
    assert done.code == 3, done.out + done.err
    assert "only the clone has: column public.lessons_teacher born date" in done.out + done.err


def test_checks_that_write_fail_on_the_clone_as_on_production(scene: Make) -> None:
    shop = scene("rehearsed")
    path = shop.folder / "shop/lessons/management/commands/check_lessons_data.py"
    path.write_text(path.read_text() + "        Booking.objects.all().delete()\n")
    done = shop.inv("verify", "--json")
    assert done.code == 4, done.out + done.err
    assert "read-only" in done.outcome["reason"]
    assert shop.query("SELECT count(*) > 0 FROM lessons_booking", shop.test.rsplit("/", 1)[1]) == [(True,)]


@pytest.mark.slow
def test_a_release_is_rehearsed_on_a_server_that_knows_neither_roles_nor_tablespaces(
    project: Make, server: Server
) -> None:
    shop = project("b")
    name = shop.production.rsplit("/", 1)[1]
    with own_server("elsewhere") as other:
        shop.test = shop.env["TEST_DATABASE_URL"] = other.url("shop_test")
        with admin(server) as c:
            c.execute("SET allow_in_place_tablespaces = on")
            c.execute(f"CREATE TABLESPACE {name} LOCATION ''".encode())
            c.execute(f"CREATE ROLE {name}_reader NOLOGIN".encode())
        try:
            shop.query(f"CREATE POLICY readers ON lessons_teacher TO {name}_reader USING (true)")
            shop.query(f"ALTER TABLE lessons_teacher SET TABLESPACE {name}")
            done = shop.inv("release", "--confirm=shop")
            assert done.code == 0, done.out + done.err
            with admin(other) as c:
                roles = "SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname !~ '^(pg_|postgres)'"
                assert c.execute(roles).fetchall() == [(f"{name}_reader", False)]
        finally:
            shop.query("DROP POLICY readers ON lessons_teacher")
            shop.query("ALTER TABLE lessons_teacher SET TABLESPACE pg_default")
            with admin(server) as c:
                for old in shop.beside("replaced"):
                    c.execute(f"DROP DATABASE {old}".encode())
                c.execute(f"DROP TABLESPACE {name}".encode())
                c.execute(f"DROP ROLE {name}_reader".encode())
