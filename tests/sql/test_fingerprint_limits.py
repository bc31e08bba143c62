"""The fingerprint's limits: what a role needs, many tables and columns, large values, a server without workers."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.client import Client, as_role, quoted, succeeded

Named = Callable[..., str]

CONTENT = """
CREATE SCHEMA other; CREATE TABLE other.t (id bigserial, v text); INSERT INTO other.t (v) VALUES ('a'), ('b');
CREATE TABLE t (v int); INSERT INTO t VALUES (1); CREATE MATERIALIZED VIEW m AS SELECT 1;
CREATE SEQUENCE unused;
"""
LARGE = """
SELECT lo_from_bytea(0, decode(repeat('00ab', 5000), 'hex')), lo_create(0),
    lo_from_bytea(0, decode(repeat('ab', 2048), 'hex'))
"""


def lines(client: Client, database: str, **given: Any) -> list[dict[str, Any]]:
    """What the fingerprint prints."""
    return [json.loads(line) for line in client.must("fingerprint.sql", database, **given).splitlines()]


def grant(client: Client, role: str, database: str) -> None:
    """What a role needs that may only read, as docs/explanation/fingerprint.md says it."""
    for schema in ("public", "other"):
        for words in ("USAGE ON SCHEMA", "SELECT ON ALL TABLES IN SCHEMA", "SELECT ON ALL SEQUENCES IN SCHEMA"):
            client.ask(f"GRANT {words} {schema} TO {quoted(role)}", database)


def test_a_role_that_may_only_read_finds_the_same(role: str, client: Client, named: Named) -> None:
    name = named("readable", CONTENT)
    grant(client, role, name)
    assert lines(client, name, env=as_role(role)) == lines(client, name)
    client.must("identity.sql", name, env=as_role(role))
    client.must("schema_digest.sql", name, env=as_role(role))


def test_a_member_of_pg_read_all_data_finds_the_same(role: str, client: Client, named: Named) -> None:
    name = named("readable", CONTENT, LARGE)
    client.ask(f"GRANT pg_read_all_data TO {quoted(role)}")
    found = lines(client, name, env=as_role(role))
    assert found == lines(client, name)
    assert [line["large_objects"] for line in found if "large_objects" in line] == [3]


def test_large_objects_are_the_same_without_the_catalog(role: str, client: Client, named: Named) -> None:
    """A role that may read each object, and not pg_largeobject: lo_get gives the same pages, holes and lengths."""
    name = named("objects", LARGE, "SELECT lo_put(lo_create(0), 9000, '\\xff00')", CONTENT)
    grant(client, role, name)
    for (number,) in client.ask("SELECT oid FROM pg_largeobject_metadata", name):
        client.ask(f"GRANT SELECT ON LARGE OBJECT {number} TO {quoted(role)}", name)
    assert client.ask(f"SELECT has_table_privilege('{role}', 'pg_largeobject', 'SELECT')", name) == [(False,)]
    assert lines(client, name, env=as_role(role)) == lines(client, name)


FORBIDDEN = {
    "REVOKE SELECT ON other.t FROM {role}": "permission denied for table t",
    "REVOKE SELECT ON SEQUENCE unused FROM {role}": "permission denied for sequence unused",
    "SELECT lo_create(4711)": "permission denied for large object 4711",
    "REVOKE USAGE ON SCHEMA other FROM {role}": "permission denied for schema other",
}


@pytest.mark.parametrize("harm", FORBIDDEN)
def test_what_a_role_may_not_read_is_an_error_and_not_left_out(
    role: str, client: Client, named: Named, harm: str
) -> None:
    name = named("forbidden", CONTENT)
    grant(client, role, name)
    client.ask(harm.format(role=quoted(role)), name)
    done = client.run("fingerprint.sql", name, env=as_role(role))
    assert done.returncode
    assert FORBIDDEN[harm] in done.stderr
    assert '"complete"' not in done.stdout


def test_a_table_of_1600_columns_is_read(client: Client, named: Named) -> None:
    columns = ", ".join(f"c{n} {('int', 'text', 'float4', 'bool')[n % 4]}" for n in range(1600))
    wide = f"CREATE TABLE wide ({columns}); INSERT INTO wide (c0, c1599) VALUES (1, true)"
    small = "; ".join(f"CREATE TABLE t{n} AS SELECT * FROM wide" for n in range(3))
    name = named("wide", wide, small, "UPDATE t1 SET c1599 = false", "SET max_stack_depth = '100kB'")
    client.ask(f"ALTER DATABASE {name} SET max_stack_depth = '100kB'")
    found = client.fingerprint(name).tables
    assert len(found["public.wide"].columns) == 1600
    assert found["public.t0"].checksum == found["public.t2"].checksum != found["public.t1"].checksum


def test_hundreds_of_tables_and_partitions_fit_a_small_stack(client: Client, named: Named) -> None:
    made = [f"CREATE TABLE t{n} (a int, b text, c int[]); INSERT INTO t{n} VALUES ({n})" for n in range(120)]
    made += ["CREATE TABLE p (v int) PARTITION BY LIST (v)"]
    made += [f"CREATE TABLE p{n} PARTITION OF p FOR VALUES IN ({n})" for n in range(200)]
    name = named("stack", "; ".join(made), "INSERT INTO p SELECT generate_series(0, 199)")
    client.ask(f"ALTER DATABASE {name} SET max_stack_depth = '100kB'")
    found = client.fingerprint(name)
    assert (len(found.tables), found.rows) == (320, 320)


@pytest.fixture(scope="module")
def large(shared: Named) -> str:
    """Large enough that several workers read it."""
    rows = "SELECT n AS id, md5(n::text) AS v, n / 7.0::float8 AS f, ARRAY[n] AS a FROM generate_series(1, 120000) n"
    return shared("workers", f"CREATE TABLE t AS {rows}", "VACUUM ANALYZE t", f"CREATE TABLE never_analyzed AS {rows}")


def test_a_table_never_analyzed_is_hashed_by_itself_too(client: Client, large: str) -> None:
    client.ask("UPDATE pg_class SET relpages = 0, reltuples = -1 WHERE relname = 'never_analyzed'", large)
    found = [line for line in lines(client, large) if "table" in line]
    assert len(found) == 2
    assert found[0]["checksum"] == found[1]["checksum"]


@pytest.mark.parametrize("setting", ["max_parallel_workers", "parallel_leader_participation", "enable_seqscan"])
def test_a_server_without_workers_finds_the_same(client: Client, large: str, setting: str) -> None:
    before = client.fingerprint(large)
    given = {"PGOPTIONS": f"-c {setting}=0" if setting == "max_parallel_workers" else f"-c {setting}=off"}
    assert [json.loads(line) for line in client.must("fingerprint.sql", large, env=given).splitlines()] == lines(
        client, large
    )
    assert client.fingerprint(large) == before


def test_both_cores_are_used(client: Client, large: str) -> None:
    """The plan of the statement that is made for a large table, under the settings that are made."""
    settings = succeeded(client.call("cat", str(client_sql("settings.sql")))).replace("\\;", ";")
    plan = client.ask(
        f"BEGIN; {settings}; EXPLAIN SELECT json_build_object('rows', count(*), 'checksum', "
        "coalesce(sum(hash_array_extended(ARRAY[record_send(ROW(x.id::integer, x.v::text))], 0)), 0)::text) "
        "FROM ONLY public.t x",
        large,
    )
    assert any("Workers Planned" in line for (line,) in plan), plan


def client_sql(name: str) -> str:
    """The path of one of the shipped files."""
    from ops.core.sql_files import SQL_FOLDER

    return str(SQL_FOLDER / name)


@pytest.mark.huge
def test_a_value_of_600_mb_is_read_and_our_process_stays_small(client: Client, named: Named) -> None:
    make = "SELECT 1 AS id, decode(repeat('00', 314572800), 'hex') || decode(repeat('ff', 314572800), 'hex') AS v"
    name = named("huge", f"CREATE TABLE t AS {make}")
    found = client.fingerprint(name).tables["public.t"]
    client.ask("UPDATE t SET v = set_byte(v, 600000000, 1)", name)
    assert client.fingerprint(name).tables["public.t"].checksum != found.checksum
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 200_000
