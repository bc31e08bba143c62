"""Checks that depend on more than their row, put aside and held at the end; views that are filled there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ops.backups import deferred_checks
from ops.backups.restored_objects import LOOSE, left_open, missing
from ops.core.records import dump_records
from ops.core.sql_files import SQL_FOLDER
from tests.support.client import Client
from tests.support.servers import QUICK, own_server

Named = Callable[..., str]
OLD = Path("/usr/lib/postgresql/15/bin")

MADE = """
CREATE TABLE allowed (n int);
CREATE FUNCTION held(int) RETURNS bool LANGUAGE plpgsql
AS 'BEGIN RETURN $1 IS NULL OR EXISTS (SELECT FROM allowed WHERE n = $1); END';
CREATE DOMAIN small AS int CONSTRAINT tiny CHECK (held(VALUE));
CREATE TABLE told (id int CHECK (id > 0), n int CONSTRAINT known CHECK (held(n)), s small, at timestamptz,
                   CONSTRAINT later CHECK (at > now()), CONSTRAINT today CHECK (at::date >= CURRENT_DATE));
CREATE TABLE old (CONSTRAINT never CHECK (held(1)) NO INHERIT) INHERITS (told);
CREATE TABLE parted (id int, CONSTRAINT part CHECK (held(id))) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
"""
LATE = {"tiny", "known", "later", "today", "never", "part"}
_STATE = """
SELECT conname, coalesce(nullif(conrelid, 0)::regclass::text, contypid::regtype::text), pg_get_constraintdef(oid),
       coninhcount, conislocal, connoinherit, obj_description(oid, 'pg_constraint')
FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace ORDER BY 1, 2
"""


def noted(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """What is marked as to be restored in a way of its own."""
    connection.execute("SET search_path = pg_catalog")
    rows = connection.execute((SQL_FOLDER / "loose.sql").read_bytes()).fetchall()
    connection.execute("RESET search_path")
    return {line["name"]: line["is"] for (line,) in rows}


def test_what_depends_on_more_than_its_row_is_found(client: Client, named: Named) -> None:
    with client.connect(named("found", MADE)) as connection:
        found = noted(connection)
    assert {name.split(" ")[0] for name in found} == LATE, "a check of its own row only is none of them"


def test_they_are_put_aside_for_rows_in_any_order_and_come_back_as_they_were(client: Client, named: Named) -> None:
    with client.connect(named("aside", MADE)) as connection:
        before = connection.execute(_STATE.encode()).fetchall()
        aside = deferred_checks.loosen(connection)
        assert {one.name for one in aside} == LATE
        connection.execute("RESET search_path")
        connection.execute("COMMENT ON CONSTRAINT later ON told IS 'it''s later'")  # as the rest of a dump does
        connection.execute("INSERT INTO told VALUES (1, 7, 7, now() + interval '1 day')")
        connection.execute("INSERT INTO parted VALUES (7)")
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("INSERT INTO told VALUES (0)")
        connection.execute("INSERT INTO allowed VALUES (7)")
        read = [deferred_checks.Check(**one) for one in json.loads(dump_records(aside))]
        said = deferred_checks.tighten(connection, read, [], '"$user", public')
        assert "WARNING" not in said and said.startswith(f"{len(aside)} of {len(aside)} checks"), said
        connection.execute("RESET search_path")
        after = connection.execute(_STATE.encode()).fetchall()
        assert [row[:-1] for row in after] == [row[:-1] for row in before]
        assert [(name, said) for name, *_, said in after if said] == [("later", "it's later")]
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("INSERT INTO told (id, n) VALUES (1, 8)")


def test_what_does_not_hold_is_not_valid_and_named_without_values(client: Client, named: Named) -> None:
    with client.connect(named("time", MADE)) as connection:
        aside = deferred_checks.loosen(connection)
        connection.execute("RESET search_path")
        connection.execute("INSERT INTO told (id, at) VALUES (4711, '2020-01-02 03:04:05')")
        said = deferred_checks.tighten(connection, aside, [], "public")
        lines = [line for line in said.splitlines() if line.startswith("WARNING: ")]
        assert len(lines) == 2 and "check later of public.told is restored NOT VALID" in lines[0], said
        assert "ALTER TABLE public.told VALIDATE CONSTRAINT later" in lines[0] and "4711" not in said
        state = connection.execute("SELECT conname FROM pg_constraint WHERE NOT convalidated ORDER BY 1").fetchall()
        # The child's own copies of them are as valid as its parent's.
        assert {name for (name,) in state} == {"later", "today"}, state


WITHIN = """
CREATE FUNCTION sure(int) RETURNS bool LANGUAGE sql AS 'SELECT $1 > 0'; CREATE DOMAIN plus AS int CHECK (sure(VALUE));
CREATE TABLE told (id int, parts plus[]); CREATE EXTENSION postgres_fdw;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'x', password 'y');
CREATE FOREIGN TABLE away (id int) SERVER far;
CREATE MATERIALIZED VIEW seen AS SELECT * FROM away WITH NO DATA;
"""


def test_a_domain_within_an_array_and_a_view_of_a_foreign_server_are_named(client: Client, named: Named) -> None:
    with client.connect(named("within", WITHIN)) as connection:
        aside = deferred_checks.loosen(connection)
        connection.execute("INSERT INTO public.told VALUES (1, '{1}')")
        one, two = deferred_checks.tighten(connection, aside, ["public.seen"], "public").split("WARNING: ")[1:]
        assert "check plus_check of public.plus is restored NOT VALID" in one and "within an array or a comp" in one
        assert "view public.seen is restored empty: a foreign server does not answer: make the foreign server" in two
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("INSERT INTO public.told VALUES (1, '{-1}')")


def test_a_function_that_needs_search_path_has_productions(client: Client, named: Named) -> None:
    with client.connect(named("path", MADE)) as connection:
        connection.execute(
            "CREATE SCHEMA shop; ALTER TABLE allowed SET SCHEMA shop; INSERT INTO shop.allowed VALUES (1)"
        )
        for path, holds in (("shop, public", True), ("public", False)):
            aside = deferred_checks.loosen(connection)
            connection.execute("RESET search_path; TRUNCATE told; INSERT INTO told (n) VALUES (1)")
            said = deferred_checks.tighten(connection, aside, [], path)
            assert ("WARNING" not in said) == holds, said
        assert 'function held finds "allowed" by search_path only' in said, said
        assert "ALTER FUNCTION held SET search_path = …" in said, said


def test_the_proof_takes_a_check_that_is_not_valid_for_whole_only_where_it_is_one_of_them() -> None:
    before = {
        ("constraint", "a on table t"): "c t",
        ("constraint", "b on table t"): "c t",
        (LOOSE, "a on table t"): "1",
    }
    after = {("constraint", "a on table t"): "c f", ("constraint", "b on table t"): "c f"}
    assert missing(before, after, (180000, 180000)) == ["constraint b on table t differs (c f, was c t)"]
    assert left_open(before, after) == ["check a on table t is NOT VALID"]
    gone = {("constraint", "b on table t"): "c t"}
    assert missing(before, gone, (180000, 180000)) == ["constraint a on table t is missing"]


def test_schema_public_may_belong_to_the_owner_of_the_database() -> None:
    before = {("object", "schema public"): "", ("owner", "schema public"): "postgres"}
    before |= {("grants", "schema public"): '["app=CREATE", "postgres=CREATE", "postgres=USAGE"]'}
    after = before | {("owner", "schema public"): "pg_database_owner"}
    after |= {("grants", "schema public"): '["app=CREATE", "pg_database_owner=CREATE", "pg_database_owner=USAGE"]'}
    assert missing(before, after, (180000, 180000)) == []
    assert left_open(before, after) == ["schema public belongs to pg_database_owner, and not to postgres"]
    less = after | {("grants", "schema public"): '["pg_database_owner=CREATE", "pg_database_owner=USAGE"]'}
    assert "app=CREATE" in missing(before, less, (180000, 180000))[0]


@pytest.mark.slow
@pytest.mark.skipif(not OLD.is_dir(), reason="PostgreSQL 15 is not installed: apt-get install postgresql-15")
def test_a_materialized_view_is_filled_under_search_path(tmp_path: Path) -> None:
    """Only a server before 17 gives a refresh the session's search_path: newer ones refuse it, which is named."""
    with own_server("loose", QUICK, OLD) as server, psycopg.connect(server.url("postgres"), autocommit=True) as c:
        c.execute("CREATE FUNCTION low(text) RETURNS text LANGUAGE sql AS 'SELECT lower($1)'")
        c.execute("CREATE FUNCTION tidy(text) RETURNS text LANGUAGE sql AS 'SELECT low($1)'")
        c.execute("CREATE VIEW seen AS SELECT tidy('X') AS t; CREATE MATERIALIZED VIEW kept AS SELECT * FROM seen")
        found = deferred_checks.views({(LOOSE, name): said for name, said in noted(c).items()})
        assert list(found.values()) == ["public.kept"]
        c.execute("REFRESH MATERIALIZED VIEW kept WITH NO DATA")
        said = deferred_checks.tighten(c, [], found.values(), "pg_catalog")
        assert "materialized view public.kept is restored empty: function tidy finds low(text)" in said, said
        assert "ALTER FUNCTION tidy SET search_path" in said and "REFRESH MATERIALIZED VIEW public.kept" in said, said
        said = deferred_checks.tighten(c, [], found.values(), '"$user", public')
        assert said == "1 of 1 materialized views were filled at the end"
        assert c.execute("SELECT t FROM public.kept").fetchall() == [("x",)]
