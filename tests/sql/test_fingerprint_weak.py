"""Each weaker query that was measured, with a difference that it misses, or sees where there is none; ours does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import pytest

from tests.support.client import Client

Named = Callable[..., str]

HASHTEXT = "sum(hashtext(ROW({columns})::text)::bigint)"
RECORD = "sum(hash_record_extended(x, 0))"
TEXT = "sum(hashtextextended(x::text, 0))"
JOINED = "sum(hashtextextended(concat_ws(',', {columns}), 0))"
ROW_TEXT = "sum(hashtextextended(ROW({columns})::text, 0))"
BINARY = "sum(hash_array_extended(ARRAY[record_send(x)], 0))"
XOR = "bit_xor(hashtextextended(ROW({columns})::text, 0))"


@dataclass(frozen=True)
class Missed:
    """A weak aggregate with two contents of one table that it takes for equal."""

    weak: str
    columns: str
    one: str
    two: str
    settings: str = "SELECT"


MISSED = {
    "sum per column: a value swapped": Missed(
        "(sum(hashint4extended(x.id, 0)), sum(hashtextextended(x.v, 0)))",
        "id int, v text", "(1, 'a'), (2, 'b')", "(1, 'b'), (2, 'a')"),
    "sum per column: a row of nothing": Missed(
        "(sum(hashint4extended(x.id, 0)), sum(hashtextextended(x.v, 0)))",
        "id int, v text", "(1, 'a')", "(1, 'a'), (NULL, NULL)"),
    "record hash: 1.0 and 1.00": Missed(RECORD, "v numeric", "(1.0)", "(1.00)"),
    "record hash: minus zero": Missed(RECORD, "v float8", "(0.0)", "('-0.0')"),
    "record hash: a day and 24 hours": Missed(RECORD, "v interval", "('1 day')", "('24 hours')"),
    "record hash: bounds of an array": Missed(RECORD, "v int[]", "('{1,2}')", "('[0:1]={1,2}')"),
    "record hash: citext": Missed(RECORD, "v citext", "('a')", "('A')"),
    "exclusive or: another row twice": Missed(XOR, "v int", "(1), (1)", "(2), (2)"),
    "exclusive or: twice and not at all": Missed(XOR, "v int", "(1), (2), (2)", "(1), (3), (3)"),
    "concat_ws: null and empty": Missed(JOINED, "a int, v text, w text", "(1, NULL, 'b')", "(1, 'b', NULL)"),
    "concat_ws: the separator in a value": Missed(JOINED, "v text, w text", "('a', 'b')", "('a,b', NULL)"),
    "the row as text, with a column of its name": Missed(TEXT, "x int, v text", "(1, 'a')", "(1, 'b')"),
    "few digits": Missed(ROW_TEXT, "v float8", "(0.1)", "(0.10000000000000002)", "SET extra_float_digits = 0"),
}  # fmt: skip


def ask(client: Client, database: str, weak: str, table: str, settings: str = "SELECT") -> str:
    """What a weak aggregate says of a table, as text."""
    names = client.ask(
        f"SELECT string_agg(format('x.%I', attname), ', ' ORDER BY attnum) FROM pg_attribute "
        f"WHERE attrelid = '{table}'::regclass AND attnum > 0",
        database,
    )[0][0]
    return str(client.ask(f"{settings}; SELECT {weak.format(columns=names)}::text FROM {table} x", database)[0][0])


@pytest.fixture(scope="module")
def weak(client: Client, shared: Named) -> str:
    """Every pair as tables ``one_N`` and ``two_N``."""
    name = shared("missed", "CREATE EXTENSION citext")
    for number, case in enumerate(MISSED.values()):
        for side, rows in (("one", case.one), ("two", case.two)):
            table = f"{side}_{number}"
            client.ask(f"CREATE TABLE {table} ({case.columns}); INSERT INTO {table} VALUES {rows}", name)
    return name


@pytest.mark.parametrize("what", MISSED)
def test_the_weak_query_misses_it_and_ours_does_not(client: Client, weak: str, what: str) -> None:
    number, case = list(MISSED).index(what), MISSED[what]
    theirs = {ask(client, weak, case.weak, f"{side}_{number}", case.settings) for side in ("one", "two")}
    assert len(theirs) == 1
    ours = client.fingerprint(weak).tables
    one, two = (ours[f"public.{side}_{number}"] for side in ("one", "two"))
    assert (one.rows, one.checksum) != (two.rows, two.checksum)
    assert one.checksum != two.checksum


def test_32_bits_collide_and_64_do_not(client: Client, named: Named) -> None:
    name = named("narrow")
    pair = client.ask(
        "SELECT min(n), max(n) FROM generate_series(1, 300000) n GROUP BY hashtext(ROW(n)::text) "
        "HAVING count(*) > 1 LIMIT 1"
    )[0]
    client.ask(f"CREATE TABLE one (v) AS VALUES ({pair[0]}); CREATE TABLE two (v) AS VALUES ({pair[1]})", name)
    assert ask(client, name, HASHTEXT, "one") == ask(client, name, HASHTEXT, "two")
    ours = client.fingerprint(name).tables
    assert ours["public.one"].checksum != ours["public.two"].checksum


@pytest.mark.parametrize("weak", [RECORD, "sum(hash_record_extended(ROW({columns}), 0))"])
def test_of_all_swaps_in_a_table_ours_misses_none(client: Client, named: Named, weak: str) -> None:
    """A table of 64 rows in which two rows exchange a value, for every pair of rows; the record hash is linear."""
    name = named("swaps", "CREATE TABLE t AS SELECT n AS id, n % 16 AS v FROM generate_series(0, 63) n")
    swapped = (
        "(SELECT i, j, id, CASE id WHEN i THEN (SELECT v FROM t WHERE id = j) "
        "WHEN j THEN (SELECT v FROM t WHERE id = i) ELSE v END AS v "
        "FROM t, generate_series(0, 63) i, generate_series(0, 63) j WHERE i < j AND i % 16 <> j % 16)"
    )
    ours = "sum(hash_array_extended(ARRAY[record_send(ROW(x.id::int4, x.v::int4))], 0))"
    theirs = weak.format(columns="x.id, x.v")
    by_pair = (
        f"SELECT i, j, {ours} AS ours, {theirs} AS weak FROM {swapped} s, LATERAL (SELECT s.id, s.v) x GROUP BY i, j"
    )
    before = client.fingerprint(name).tables["public.t"].checksum
    weak_before = ask(client, name, weak, "t")
    seen = client.ask(
        f"SELECT count(*), count(*) FILTER (WHERE ours = {before}), count(*) FILTER (WHERE weak = {weak_before}) "
        f"FROM ({by_pair}) s", name)[0]  # fmt: skip
    assert seen[0] > 1800
    assert seen[1] == 0
    assert seen[2] > 0


FAILS = {
    "json": "{}", "xml": "<a/>", "money": "1", "point": "(0,0)", "bit(3)": "101", "tsvector": "a:1",
}  # fmt: skip


@pytest.mark.parametrize("kind", FAILS)
def test_the_record_hash_fails_on_a_type_that_ours_reads(client: Client, named: Named, kind: str) -> None:
    name = named("fails")
    try:
        client.ask(f"CREATE TABLE t (v {kind}); INSERT INTO t VALUES (NULL), ('{FAILS[kind]}')", name)
    except psycopg.errors.FeatureNotSupported:
        pytest.skip(f"the server was built without {kind}: run the tests on a PostgreSQL that has it")
    with pytest.raises(psycopg.errors.UndefinedFunction):
        ask(client, name, RECORD, "t")
    assert client.fingerprint(name).tables["public.t"].rows == 2


# The other way round: one content that a weaker query takes for two.
ALARMS = {
    "timezone": ("v timestamptz", "('2026-01-01 00:00+00')", "timezone = 'Asia/Kolkata'"),
    "datestyle": ("v date", "('2026-01-02')", "datestyle = 'German'"),
    "intervalstyle": ("v interval", "('1 day 2 hours')", "intervalstyle = 'sql_standard'"),
    "extra_float_digits": ("v float8", "(1.23456789012345678)", "extra_float_digits = -15"),
    "bytea_output": ("v bytea", "('\\x00ff')", "bytea_output = 'escape'"),
}


@pytest.mark.parametrize("setting", ALARMS)
def test_a_setting_changes_the_text_and_not_our_checksum(client: Client, named: Named, setting: str) -> None:
    columns, rows, changed = ALARMS[setting]
    name = named("alarm", f"CREATE TABLE t ({columns}); INSERT INTO t VALUES {rows}")
    before = ask(client, name, ROW_TEXT, "t"), client.fingerprint(name)
    client.ask(f"ALTER DATABASE {name} SET {changed}")
    assert ask(client, name, ROW_TEXT, "t") != before[0]
    assert client.fingerprint(name) == before[1]


SAME = {
    "an enum, by its number": (
        "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE t (v mood)", "'happy'", "'happy'", RECORD),
    "an array that once held a NULL": (
        "CREATE TABLE t (v int[])", "'{1,2}'", "(array[1,2,NULL])[1:2]", BINARY),
    "a NaN with a sign": (
        "CREATE TABLE t (v float8)", "'NaN'", "float8 'inf' - float8 'inf'",
        BINARY),
    "a NaN with a sign in a point": (
        "CREATE TABLE t (v point)", "point(float8 'NaN', 0)", "point(float8 'inf' - float8 'inf', 0)",
        BINARY),
}  # fmt: skip


@pytest.mark.parametrize("what", SAME)
def test_equal_values_that_differ_in_binary_are_equal(client: Client, named: Named, what: str) -> None:
    """A restore writes them anew, so a fingerprint that saw it would refuse every restored copy."""
    made, one, two, weak = SAME[what]
    names = [
        named("same_one", made, f"INSERT INTO t VALUES ({one})"),
        named("same_two", "CREATE TYPE burnt AS ENUM ()", made, f"INSERT INTO t VALUES ({two})"),
    ]
    assert len({ask(client, name, weak, "t") for name in names}) == 2
    assert client.fingerprint(names[0]).tables == client.fingerprint(names[1]).tables
