"""A rich database before and after a release, a rollback and its undo, compared by the server's own programs.

The role has what docs/how-to/rights.md asks for and nothing more; an administrator is somebody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ops.infra.postgres.embedded_server import Server
from tests.backups.test_deferred_checks import OLD
from tests.support.database_state import compare, state
from tests.support.servers import QUICK, SERVER, own_server
from tests.system.recovery.test_whole_way_back import LOGICAL, OWNER, ask, made, ran

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module", params=[None, OLD], ids=["newest", "15"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """With roles that own and read, and an extension in the template that only an administrator may create."""
    programs: Path | None = request.param
    if programs and not programs.is_dir():
        pytest.skip("PostgreSQL 15 is not installed: apt-get install postgresql-15")
    with own_server("rich", (QUICK if programs else SERVER) | LOGICAL, programs) as found:
        ask(found, "CREATE ROLE shop_owner LOGIN CREATEDB BYPASSRLS PASSWORD 'x'")
        ask(found, 'CREATE ROLE analyst; CREATE ROLE clerk; CREATE ROLE "Ä b"; CREATE ROLE sleeper NOLOGIN')
        ask(found, "GRANT sleeper TO shop_owner; GRANT pg_read_all_data TO shop_owner")
        ask(found, "CREATE EXTENSION pageinspect; CREATE EXTENSION postgres_fdw", "template1")
        ask(found, "GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO shop_owner, sleeper", "template1")
        yield found


# Objects of a role that may create nothing in their schema, made by an administrator; the owner's own; what only the
# newest server knows; what belongs to the database.
FOREIGN, RICH, NEWEST, ABOUT = (
    (Path(__file__).parent / f"rich/{name}.sql").read_text(encoding="utf-8")
    for name in ("foreign", "rich", "newest", "about")
)


def test_a_rich_database_is_after_rollback_and_undo_what_it_was(server: Server, tmp_path: Path) -> None:
    name = "rich"
    shop = made(server, tmp_path / "project", name, django=True)
    ask(server, FOREIGN, name)
    ask(server, "GRANT sleeper TO shop_owner")
    newest = server.bin != OLD
    ask(server, f"SET search_path = public; {RICH}{NEWEST if newest else ''}", name, **OWNER)
    ask(server, ABOUT.format(name=name), name, **OWNER)
    ask(server, "ANALYZE", name)
    before = state(server, name, **OWNER)
    ran(shop, "release", "--confirm=shop")
    ask(server, "ANALYZE", name)
    migrated = state(server, name, **OWNER)
    assert any("lessons_session" in line for line in compare(before, migrated))
    said = ran(shop, "rollback", "--backup=latest", "--confirm=shop")
    named(compare(before, state(server, name, **OWNER)), said)
    said = ran(shop, "undo", "--confirm=shop")
    named(compare(migrated, state(server, name, **OWNER)), said)


def named(differences: list[str], said: str) -> None:
    """Only what the text names may differ: numbers that were given out, and what an administrator has of his own."""
    moved = [line for line in differences if line.startswith("sequences: ")]
    rest = [line for line in differences if line not in moved and not _administrators(line)]
    assert rest == [], rest
    if any(line.startswith("extensions: ") for line in differences):
        assert "extension citext belongs to shop_owner, and not to postgres" in said, said
    for line in moved:
        assert line.split("'")[3] in said, (line, said)


def _administrators(line: str) -> bool:
    """What ``made`` has of an administrator, which a restore does in another way and names."""
    return "SCHEMA public" in line or "EXTENSION pageinspect" in line or line.startswith("extensions: ")


THEIRS = """
CREATE SCHEMA s; GRANT CREATE, USAGE ON SCHEMA s TO sleeper; SET ROLE sleeper;
CREATE TABLE s.t (id serial PRIMARY KEY, v text); INSERT INTO s.t (v) SELECT n FROM generate_series(1, 50) n;
CREATE MATERIALIZED VIEW s.m AS SELECT * FROM s.t;
"""


def test_a_drill_and_a_salvage_need_no_other_rights(server: Server, tmp_path: Path) -> None:
    """The rows belong to a role of which production's is a member."""
    shop = made(server, tmp_path, "theirs")
    ask(server, THEIRS, "theirs", **OWNER)
    before = state(server, "theirs", **OWNER)
    ran(shop, "backup")
    assert "were restored beside production as shop_owner" in ran(shop, "drill")
    ask(server, "DELETE FROM s.t WHERE id <= 20", "theirs")
    ran(shop, "salvage", "--backup=latest", "--table=s.t", "--confirm=shop")
    after = state(server, "theirs", **OWNER)
    assert (after["rows"], after["schema"]) == (before["rows"], before["schema"])
    ran(shop, "undo", "--confirm=shop")
    assert ask(server, "SELECT count(*) FROM s.t", "theirs") == [(30,)]


ORDERED = """
CREATE TABLE up (a int); CREATE TABLE down (b int) INHERITS (up); ALTER TABLE up ADD c int;
INSERT INTO down VALUES (1, 2, 3);
"""
COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = 'down'::regclass AND attnum > 0 ORDER BY attnum"
EXTENDER = "SELECT extowner::regrole::text FROM pg_extension WHERE extname = 'citext'"


def test_an_order_of_columns_and_an_extension_s_owner_that_no_dump_has_are_named(
    server: Server, tmp_path: Path
) -> None:
    shop = made(server, tmp_path, "ordered")
    ask(server, ORDERED, "ordered", **OWNER)
    owner = "extension citext belongs to shop_owner, and not to postgres"
    ordered = "another order: a, c, b, before a, b, c"
    assert ask(server, EXTENDER, "ordered") == [("postgres",)]
    ran(shop, "backup")
    said = ran(shop, "drill")
    assert owner in said and f"the columns of table public.down are in {ordered}" in said, said
    said = ran(shop, "rollback", "--backup=latest", "--confirm=shop")
    assert owner in said and ordered in said and "table public.up" not in said, said
    assert ask(server, COLUMNS, "ordered") == [("a",), ("c",), ("b",)]
    assert ask(server, EXTENDER, "ordered") == [("shop_owner",)]
    assert ask(server, "SELECT a, b, c FROM down", "ordered") == [(1, 2, 3)]


HINDERED = """
CREATE EXTENSION pg_buffercache; CREATE FUNCTION plain(int) RETURNS int LANGUAGE internal IMMUTABLE AS 'int4abs';
ALTER FUNCTION plain OWNER TO shop_owner; CREATE VIEW buffers AS SELECT count(*) FROM pg_buffercache;
CREATE FUNCTION hear() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER hearer ON ddl_command_end EXECUTE FUNCTION hear();
"""
NEEDED = """
CREATE TABLE lost (id serial PRIMARY KEY, n int DEFAULT plain(-3) CHECK (plain(n) > 0), v numeric(9, 2));
CREATE INDEX ON lost (plain(n)); ALTER TABLE lost ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON lost USING (plain(n) > 0); INSERT INTO lost (v) SELECT n FROM generate_series(1, 50) n;
CREATE TABLE other (id int, n int GENERATED ALWAYS AS (plain(id)) STORED); INSERT INTO other VALUES (1), (2);
"""


def test_a_salvage_stops_at_nothing_that_it_does_not_need(server: Server, tmp_path: Path) -> None:
    """An administrator made functions and an extension that production's role may not create."""
    shop = made(server, tmp_path, "hindered")
    ask(server, HINDERED, "hindered")
    ask(server, NEEDED, "hindered", **OWNER)
    ran(shop, "backup")
    before = ask(server, "SELECT * FROM lost ORDER BY 1", "hindered")
    ask(server, "DELETE FROM lost WHERE id > 20; DELETE FROM other", "hindered")
    said = ran(shop, "salvage", "--backup=latest", "--table=lost", "--confirm=shop")
    assert ask(server, "SELECT * FROM lost ORDER BY 1", "hindered") == before
    [line] = [line for line in said.splitlines() if "left out, since no row needs it: " in line]
    assert "extension pg_buffercache" in line and "function public.plain" in line, said
    assert "restored with their columns only: public.lost" in line, said
    said = ran(shop, "salvage", "--backup=latest", "--table=other", "--confirm=shop")
    lacks = "public.other is restored without its generated column n: function public.plain(integer) does not exist"
    assert lacks in said, said
    assert ask(server, "SELECT * FROM other ORDER BY 1", "hindered") == [(1, 1), (2, 2)]
    ask(server, "DELETE FROM other; ALTER TABLE other ALTER n DROP EXPRESSION", "hindered")
    done = shop.inv("salvage", "--backup=latest", "--table=other", "--confirm=shop")
    assert done.code == 3 and "public.other: its generated column n can't be computed, and production" in done.out
    assert ask(server, "SELECT * FROM other", "hindered") == [], "no value is lost"


# pg_restore sets no search_path, so it can fill none of these tables; the last function reads another table.
BY_PATH = """
CREATE SCHEMA f; ALTER DATABASE found SET search_path = public, f; SET search_path = public, f;
CREATE TABLE rate (n int); INSERT INTO rate VALUES (3);
CREATE FUNCTION f.twice(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i * 2';
CREATE FUNCTION f.deep(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT f.twice(twice(i))';
CREATE FUNCTION f.high(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN twice(i) + 1; END';
CREATE FUNCTION f.rated(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN i * n FROM rate; END';
"""
BY_PATH_TABLES = """
CREATE TABLE a (id int PRIMARY KEY, d int NOT NULL GENERATED ALWAYS AS (f.deep(id)) STORED);
CREATE TABLE b (id int PRIMARY KEY, d int NOT NULL GENERATED ALWAYS AS (f.high(id)) STORED CHECK (d > 0));
CREATE TABLE c (id int PRIMARY KEY, d int GENERATED ALWAYS AS (f.rated(id)) STORED);
INSERT INTO a SELECT n FROM generate_series(1, 50) n; INSERT INTO b SELECT n FROM generate_series(1, 50) n;
INSERT INTO c SELECT n FROM generate_series(1, 50) n;
"""


def test_a_salvage_computes_generated_columns_as_production_does(server: Server, tmp_path: Path) -> None:
    shop = made(server, tmp_path, "found")
    ask(server, BY_PATH, "found", **OWNER)
    ask(server, BY_PATH_TABLES, "found", **OWNER)
    ran(shop, "backup")
    before = [ask(server, f"SELECT * FROM {table} ORDER BY 1", "found") for table in "abc"]
    ask(server, "DELETE FROM a WHERE id > 5; DELETE FROM b; DELETE FROM c WHERE id < 9", "found")
    said = ran(shop, "salvage", "--backup=latest", "--table=a,b,c", "--confirm=shop")
    [line] = [line for line in said.splitlines() if "without its generated column" in line]
    assert "public.c is restored without its generated column d: its function has other results now" in line
    assert [ask(server, f"SELECT * FROM {table} ORDER BY 1", "found") for table in "abc"] == before
    ran(shop, "undo", "--confirm=shop")
    assert ask(server, "SELECT count(*) FROM b", "found") == [(0,)]


SPREAD = """
CREATE TYPE color AS ENUM ('red', 'green', 'blue'); ALTER TYPE color ADD VALUE 'orange' BEFORE 'green';
CREATE TABLE h (c color, n int) PARTITION BY HASH (c);
CREATE TABLE h0 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE h1 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE h2 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 2);
"""
FILLED = """
INSERT INTO h SELECT (ARRAY['red', 'green', 'blue', 'orange']::color[])[1 + n % 4], n FROM generate_series(1, 100) n;
CREATE TABLE n (v int); INSERT INTO n VALUES (1); CREATE MATERIALIZED VIEW q AS SELECT 10 / v AS x FROM n;
UPDATE n SET v = 0; CREATE MATERIALIZED VIEW q2 AS SELECT * FROM q;
"""


def test_rows_that_lie_elsewhere_and_views_that_stay_empty_are_named(server: Server, tmp_path: Path) -> None:
    """PostgreSQL hashes a label of an enum by its number; a restore numbers labels anew."""
    shop = made(server, tmp_path, "spread")
    for text in (SPREAD, FILLED):
        ask(server, text, "spread", **OWNER)
    ask(server, "ANALYZE", "spread")
    before = state(server, "spread", **OWNER)
    ran(shop, "backup")
    said = ran(shop, "rollback", "--backup=latest", "--confirm=shop")
    after = state(server, "spread", **OWNER)
    assert before["schema"] != [] and ask(server, "SELECT count(*), sum(n) FROM h", "spread") == [(100, 5050)]
    moved = {row[0] for row in before["rows"] if row not in after["rows"] and row[0].startswith("public.h")}
    assert moved <= {"public.h0", "public.h1", "public.h2"}
    assert "rows of public.h0, public.h1, public.h2 may be in another of these partitions" in said, said
    assert "materialized view public.q is restored empty: division by zero: REFRESH MATERIALIZED VIEW public.q" in said
    assert "materialized view public.q2 is restored empty: the statement reads the materialized view q, " in said
    ran(shop, "undo", "--confirm=shop")
    assert compare(before, state(server, "spread", **OWNER)) == []


SPLIT = """
CREATE TABLE place (id int PRIMARY KEY); INSERT INTO place VALUES (1);
CREATE TABLE visit (id int, place int) PARTITION BY RANGE (id);
CREATE TABLE visit1 PARTITION OF visit FOR VALUES FROM (1) TO (9); INSERT INTO visit VALUES (1, 1);
CREATE TABLE visit2 PARTITION OF visit FOR VALUES FROM (9) TO (99); INSERT INTO visit VALUES (11, 1);
ALTER TABLE visit ADD CONSTRAINT visited FOREIGN KEY (place) REFERENCES place ON DELETE CASCADE;
"""
BROKEN = "SET session_replication_role = replica; INSERT INTO visit VALUES (10, 4711)"


def test_a_broken_key_of_a_partitioned_table_checks_new_rows_and_is_whole_after_what_is_typed(
    server: Server, tmp_path: Path
) -> None:
    shop = made(server, tmp_path, "split")
    ask(server, SPLIT, "split", **OWNER)
    ask(server, "ANALYZE", "split")
    before = state(server, "split", **OWNER)
    ask(server, BROKEN, "split")
    ran(shop, "backup")
    said = ran(shop, "rollback", "--backup=latest", "--confirm=shop")
    [line] = [line for line in said.splitlines() if "foreign key visited of public.visit is restored" in line]
    assert "1 row refers to no row: correct or delete them, then   ALTER TABLE public.visit" in line, said
    assert ("on its 2 partitions" in line) == (server.bin == OLD), line
    for row in ("3, 5", "30, 5"):
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            ask(server, f"INSERT INTO visit VALUES ({row})", "split", **OWNER)
    ran(shop, "backup")
    ran(shop, "rollback", "--backup=latest", "--confirm=shop")
    ask(server, "DELETE FROM visit WHERE place = 4711", "split", **OWNER)
    ask(server, line.split("then   ")[1], "split", **OWNER)
    ask(server, "ANALYZE", "split")
    owner = "extension citext belongs to shop_owner, and not to postgres"
    named(compare(before, state(server, "split", **OWNER)), owner)
    ask(server, "DELETE FROM place", "split", **OWNER)
    assert ask(server, "SELECT count(*) FROM visit", "split") == [(0,)]


def test_a_release_with_such_a_key_needs_the_newest_server(server: Server, tmp_path: Path) -> None:
    shop = made(server, tmp_path / "project", "parted", django=True)
    ask(server, SPLIT, "parted", **OWNER)
    ask(server, BROKEN, "parted")
    done = shop.inv("release", "--confirm=shop")
    if server.bin != OLD:
        assert done.code == 0, done.out + done.err
        return
    assert done.code == 3 and "rows break foreign key visited on table public.visit, and a server bef" in done.out
    assert "Try: correct or delete these rows on production" in done.out, done.out
    ran(shop, "undo", "--confirm=shop")
    ask(server, "DELETE FROM visit WHERE place = 4711", "parted")
    ran(shop, "release", "--confirm=shop")


ASKED = {
    "CREATE TABLE t (id int); ALTER TABLE t OWNER TO shop_owner; GRANT SELECT ON t TO analyst WITH GRANT OPTION;"
    "SET ROLE analyst; GRANT SELECT ON t TO clerk": "SET ROLE analyst; REVOKE SELECT ON TABLE public.t FROM clerk",
    "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO clerk": "REVOKE ALL ON FUNCTION pg_catalog.pg_read_",
    "CREATE FUNCTION sure(int) RETURNS bool LANGUAGE sql IMMUTABLE LEAKPROOF AS 'SELECT true';"
    "ALTER FUNCTION sure OWNER TO shop_owner": "ALTER FUNCTION public.sure NOT LEAKPROOF",
    "CREATE FUNCTION quiet() RETURNS int LANGUAGE sql SET log_statement = 'none' AS 'SELECT 1';"
    "ALTER FUNCTION quiet OWNER TO shop_owner": "GRANT SET ON PARAMETER log_statement TO shop_owner",
    "CREATE EXTENSION hstore; REVOKE EXECUTE ON FUNCTION akeys(hstore) FROM PUBLIC": "SUPERUSER",
}


def test_each_right_that_only_an_administrator_restores_is_told_ahead_with_what_to_type(
    server: Server, tmp_path: Path
) -> None:
    shop = made(server, tmp_path, "asked")
    for statement in ASKED:
        ask(server, statement, "asked")
    ran(shop, "backup")
    said = shop.inv("doctor", "--restore").out
    for statement, then in ASKED.items():
        assert then in said, (statement, said)
    assert "does not exist" not in said and "not enough memory" not in said, said
    assert shop.beside("tried") == []


def test_what_an_administrator_types_makes_the_restore_possible(server: Server, tmp_path: Path) -> None:
    shop = made(server, tmp_path, "typed")
    typed = "SET ROLE analyst; REVOKE SELECT ON TABLE public.t FROM clerk; RESET ROLE; "
    typed += "GRANT SELECT ON TABLE public.t TO clerk"
    ask(server, next(iter(ASKED)), "typed")
    ran(shop, "backup")
    assert f"{typed}   on production" in shop.inv("doctor", "--restore").out
    with psycopg.connect(server.url("typed"), autocommit=True) as connection:
        connection.execute(typed.encode())
    ran(shop, "backup")
    assert "were restored beside production as shop_owner" in ran(shop, "doctor", "--restore", "--all")
