"""What people report of pg_dump and pg_restore ends with all of it as it was, or in one line that says what to type.

Each case names a public report. Production's role is no superuser.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.infra.postgres.embedded_server import Server
from tests.support.database_state import compare, state
from tests.system.recovery.test_independent import named, server
from tests.system.recovery.test_whole_way_back import OWNER, ask, made, ran

__all__ = ["server"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
# What restores as it was.
WHOLE = {
    # xataio/pgstream#757, QGEP/QGEP#473
    "views by a primary key": """
        CREATE TABLE p (id int PRIMARY KEY, n text); CREATE VIEW v AS SELECT p.id, p.n, count(*) FROM p GROUP BY p.id;
        CREATE RULE r AS ON INSERT TO v DO INSTEAD NOTHING; CREATE MATERIALIZED VIEW m AS SELECT id, n FROM v;
        CREATE FUNCTION f() RETURNS SETOF v LANGUAGE sql BEGIN ATOMIC SELECT * FROM v; END;
        CREATE VIEW v2 AS SELECT * FROM f()""",
    # dimitri/pgcopydb#1009
    "a query within a text": """
        CREATE TABLE documents (title text); INSERT INTO documents VALUES ('a b');
        CREATE MATERIALIZED VIEW words AS SELECT word, ndoc FROM ts_stat(
            'SELECT to_tsvector(''simple'', title) FROM public.documents')""",
    # hasura/graphql-engine#6482: a type whose text depends on settings, and settings that a session inherits
    "settings of the role": """
        CREATE TABLE paid (m money, i interval); INSERT INTO paid VALUES (1234.5, '1 day -2:03');
        ALTER ROLE shop_owner SET xmloption = document; ALTER ROLE shop_owner SET backslash_quote = off;
        ALTER DATABASE settingsoftherole SET lc_monetary = 'C'""",
    "tables of a type, without columns, without log": """
        CREATE TYPE row_t AS (id int, n text); CREATE TABLE ty OF row_t (PRIMARY KEY (id)); CREATE TABLE none ();
        INSERT INTO none DEFAULT VALUES; CREATE UNLOGGED TABLE u (id int GENERATED ALWAYS AS IDENTITY, n text);
        INSERT INTO u (n) VALUES ('x'); CREATE SEQUENCE cyc MAXVALUE 3 CYCLE""",
}


def name_of(case: str) -> str:
    return "".join(filter(str.isalpha, case))[:30].lower()


@pytest.mark.parametrize("case", WHOLE)
def test_it_restores_as_it_was(server: Server, tmp_path: Path, case: str) -> None:
    name = name_of(case)
    shop = made(server, tmp_path, name)
    ask(server, f"SET search_path = public; {WHOLE[case]}", name, **OWNER)
    ask(server, "ANALYZE", name)
    before = state(server, name, **OWNER)
    ran(shop, "backup")
    said = ran(shop, "rollback", "--backup=latest", "--confirm=shop")
    named(compare(before, state(server, name, **OWNER)), said)
    ran(shop, "undo", "--confirm=shop")
    ask(server, "ALTER ROLE shop_owner RESET ALL")
    assert compare(before, state(server, name, **OWNER)) == [] or "ROLE" in WHOLE[case]


# What no restore can make of these rows: what is said, and what to type.
REFUSED = {
    # getsentry/self-hosted#4504, matrix-org/synapse#6696: what an index holds is no longer what its function gives
    "an exclusion constraint": (
        """CREATE FUNCTION norm(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
        CREATE TABLE t (a int, EXCLUDE USING btree ((norm(a)) WITH =)); INSERT INTO t VALUES (1), (2);
        CREATE OR REPLACE FUNCTION norm(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'""",
        "rows violate exclusion constraint t_norm_excl, also on production",
        'REINDEX INDEX "t_norm_excl"   on production',
    ),
    # ankane/pgsync#71
    "a row of another partition": (
        """CREATE FUNCTION k(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 2';
        CREATE TABLE t (a int) PARTITION BY LIST (k(a)); CREATE TABLE t0 PARTITION OF t FOR VALUES IN (0);
        CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); INSERT INTO t SELECT generate_series(1, 9);
        CREATE OR REPLACE FUNCTION k(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT ($1 + 1) % 2'""",
        "rows belong to another partition than t",
        "DETACH PARTITION t",
    ),
    "an index whose function fails": (
        """CREATE FUNCTION short(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';
        CREATE TABLE t (a text); INSERT INTO t VALUES ('hush'), ('2'); CREATE INDEX ti ON t (short(a));
        CREATE OR REPLACE FUNCTION short(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1::int; END'""",
        "index ti: function public.short of the index fails for a row of production",
        "REINDEX INDEX ti   on production",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_ends_in_one_line_that_says_what_to_type(server: Server, tmp_path: Path, case: str) -> None:
    statements, cause, then = REFUSED[case]
    name = name_of(case)
    shop = made(server, tmp_path, name)
    ask(server, statements, name, **OWNER)
    ran(shop, "backup")
    done = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    assert done.code == 4 and cause in done.out and then in done.out, done.out
    assert "inv resume" not in done.out and "hush" not in done.out, done.out
    ran(shop, "undo", "--confirm=shop")


def test_a_grant_to_a_dropped_role_is_restored_after_what_is_typed(server: Server, tmp_path: Path) -> None:
    """pg_dump names such a role by its number."""
    shop = made(server, tmp_path, "orphan")
    ask(server, "CREATE ROLE goner")
    ask(server, "CREATE TABLE t (id int); GRANT SELECT ON t TO goner", "orphan", **OWNER)
    [(number,)] = ask(server, "SELECT oid FROM pg_roles WHERE rolname = 'goner'")
    ask(server, "DELETE FROM pg_shdepend WHERE refobjid = 'goner'::regrole; DROP ROLE goner", "orphan")
    ran(shop, "backup")
    done = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    then = f'CREATE ROLE "{number}" NOLOGIN'
    assert done.code == 3 and then in done.out, done.out
    assert then in shop.inv("doctor", "--restore").out
    ask(server, then)
    ran(shop, "resume", "--confirm=shop")
    assert (str(number),) in ask(server, "SELECT grantee FROM information_schema.role_table_grants", "orphan")


# A foreign server that is gone, and a check of a domain within an array.
LEFT = """
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'x');
CREATE USER MAPPING FOR shop_owner SERVER far OPTIONS (user 'a', password 'b');
CREATE FOREIGN TABLE ft (id int) SERVER far; CREATE MATERIALIZED VIEW fm AS SELECT * FROM ft WITH NO DATA;
CREATE TABLE allowed (v int); INSERT INTO allowed VALUES (1);
CREATE FUNCTION ok(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN EXISTS (SELECT FROM allowed WHERE v = $1); END';
CREATE DOMAIN dv AS int CHECK (ok(VALUE)); CREATE TABLE t (a dv, b dv[]); INSERT INTO t VALUES (1, '{1}');
"""


def test_what_is_restored_in_another_way_is_named(server: Server, tmp_path: Path) -> None:
    shop = made(server, tmp_path, "other")
    ask(server, LEFT, "other", **OWNER)
    ask(server, "UPDATE pg_class SET relispopulated = true WHERE relname = 'fm'", "other")
    ran(shop, "backup")
    assert "materialized view public.fm is restored empty: a foreign server does not answer" in ran(shop, "drill")
    said = ran(shop, "rollback", "--backup=latest", "--confirm=shop")
    assert "materialized view public.fm is restored empty: a foreign server does not answer" in said, said
    assert "check dv_check of public.dv is restored NOT VALID, so only new rows are checked: a column" in said, said
    assert ask(server, "SELECT a::int, b::text FROM t", "other") == [(1, "{1}")]
