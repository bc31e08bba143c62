"""The fingerprint on a real server: it sees every difference, nothing that is none, and every table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ops.verdict.fingerprint import Fingerprint, Table, differences
from tests.support.client import Client, as_role, succeeded

Plain = tuple[str, Fingerprint]
Named = Callable[..., str]

TYPES = """
CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE TYPE span AS RANGE (subtype = float8);
CREATE DOMAIN label AS text; CREATE DOMAIN amount AS numeric; CREATE DOMAIN moment AS timestamptz;
CREATE DOMAIN duration AS interval; CREATE DOMAIN ratio AS float8; CREATE DOMAIN numbers AS int[];
CREATE DOMAIN raw AS bytea;
"""

# what differs: columns, rows of the one table, rows of the other
DIFFERENCES = {
    "a value swapped between two rows": ("id int, v text", "(1, 'a'), (2, 'b')", "(1, 'b'), (2, 'a')"),
    "a number swapped between two rows": ("id int, v int", "(1, 7), (2, 9)", "(1, 9), (2, 7)"),
    "a value moved to the next column": ("a text, b text", "('ab', 'c')", "('a', 'bc')"),
    "two columns exchanged": ("a int, b int", "(1, 2)", "(2, 1)"),
    "null in the other column": ("a int, b int", "(1, NULL)", "(NULL, 1)"),
    "one row doubled instead of the other": ("v int", "(1), (1), (2)", "(1), (2), (2)"),
    "another row twice": ("v int", "(1), (1)", "(2), (2)"),
    "a row twice": ("v int", "(1)", "(1), (1)"),
    "an empty row": ("v int", "(NULL)", "(NULL), (NULL)"),
    "null and empty text": ("v text", "(NULL)", "('')"),
    "null and zero": ("v int", "(NULL)", "(0)"),
    "null and false": ("v bool", "(NULL)", "(false)"),
    "int": ("v int", "(2147483646)", "(2147483647)"),
    "bigint": ("v bigint", "(9007199254740992)", "(9007199254740993)"),
    "numeric without scale": ("v numeric", "(1.0)", "(1.00)"),
    "numeric beyond float8": ("v numeric", "(0.12345678901234567890)", "(0.12345678901234567891)"),
    "numeric NaN": ("v numeric", "(NULL)", "('NaN')"),
    "float8 minus zero": ("v float8", "(0.0)", "('-0.0')"),
    "float8 last digit": ("v float8", "(0.1)", "(0.10000000000000002)"),
    "float4 last digit": ("v float4", "(0.1)", "(0.10000001)"),
    "money": ("v money", "(1.00)", "(1.01)"),
    "varchar trailing blank": ("v varchar", "('a')", "('a ')"),
    "text trailing blank": ("v text", "('a')", "('a ')"),
    "text line break": ("v text", "(E'a\\nb')", "(E'a\\r\\nb')"),
    "text case": ("v text", "('a')", "('A')"),
    "text composed and decomposed": ("v text", "(U&'\\00e4')", "(U&'a\\0308')"),
    "char of a length": ("v char(3)", "('a')", "('b')"),
    "internal char": ('v "char"', "('a')", "('b')"),
    "name": ("v name", "('a')", "('b')"),
    "bytea": ("v bytea", "('\\x00ff')", "('\\x00fe')"),
    "bytea null byte": ("v bytea", "('\\x')", "('\\x00')"),
    "bit": ("v bit(3)", "('101')", "('100')"),
    "varbit length": ("v varbit", "('1')", "('10')"),
    "timestamptz by a microsecond": ("v timestamptz", "('2026-01-01 00:00:00.000001+00')", "('2026-01-01 00:00+00')"),
    "timestamp by a microsecond": ("v timestamp", "('2026-01-01 00:00:00.000001')", "('2026-01-01 00:00:00')"),
    "date infinity": ("v date", "('infinity')", "('-infinity')"),
    "time by a microsecond": ("v time", "('23:59:59.999999')", "('24:00')"),
    "timetz of the same moment": ("v timetz", "('12:00+00')", "('13:00+01')"),
    "interval day and hours": ("v interval", "('1 day')", "('24 hours')"),
    "interval month and days": ("v interval", "('1 month')", "('30 days')"),
    "array bounds": ("v int[]", "('{1,2}')", "('[0:1]={1,2}')"),
    "array dimensions": ("v int[]", "('{1,2}')", "('{{1},{2}}')"),
    "array null element": ("v int[]", "('{}')", "('{NULL}')"),
    "array of quoted text": ("v text[]", "('{a,b}')", "('{\"a,b\"}')"),
    "array null and the word": ("v text[]", "('{NULL}')", "('{\"NULL\"}')"),
    "array of numeric": ("v numeric[]", "('{1.0}')", "('{1.00}')"),
    "array of enum": ("v mood[]", "('{sad,happy}')", "('{happy,sad}')"),
    "array of composite": ("v pair[]", "(array[(1, '')::pair])", "(array[(1, NULL)::pair])"),
    "citext case": ("v citext", "('a')", "('A')"),
    "enum": ("v mood", "('sad')", "('happy')"),
    "domain of text": ("v label", "('a')", "('a ')"),
    "domain of numeric": ("v amount", "(1.0)", "(1.00)"),
    "domain of timestamptz": ("v moment", "('2026-01-01 00:00:00.000001+00')", "('2026-01-01 00:00:00+00')"),
    "domain of interval": ("v duration", "('1 day')", "('24 hours')"),
    "domain of float8": ("v ratio", "(0.0)", "('-0.0')"),
    "domain of array": ("v numbers", "('{1,2}')", "('[0:1]={1,2}')"),
    "composite of null": ("v pair", "(NULL)", "(ROW(NULL, NULL))"),
    "composite null and empty text": ("v pair", "(ROW(1, NULL))", "(ROW(1, ''))"),
    "range bound": ("v numrange", "('[1,2)')", "('[1,2]')"),
    "range empty": ("v int4range", "('empty')", "('[1,2)')"),
    "range of one's own": ("v span", "('[0,1]')", "('[-0,1]')"),
    "multirange": ("v int4multirange", "('{[1,3)}')", "('{[1,2),[4,5)}')"),
    "json blank": ("v json", "('{\"a\":1}')", "('{\"a\": 1}')"),
    "json key twice": ("v json", "('{\"a\":1,\"a\":1}')", "('{\"a\":1}')"),
    "jsonb": ("v jsonb", "('{\"a\":1}')", "('{\"a\":\"1\"}')"),
    "jsonb scale": ("v jsonb", "('1.0')", "('1.00')"),
    "jsonb null": ("v jsonb", "(NULL)", "('null')"),
    "jsonpath": ("v jsonpath", "('$.a')", "('$.b')"),
    "xml": ("v xml", "('<a/>')", "('<a></a>')"),
    "hstore": ("v hstore", "('a=>NULL')", "('a=>\"NULL\"')"),
    "ltree": ("v ltree", "('a.b')", "('a.c')"),
    "tsvector position": ("v tsvector", "('a:1')", "('a:2')"),
    "tsvector weight": ("v tsvector", "('a:1A')", "('a:1B')"),
    "tsquery": ("v tsquery", "('a & b')", "('a | b')"),
    "point minus zero": ("v point", "('(0,0)')", "('(-0,0)')"),
    "path open and closed": ("v path", "('[(0,0),(1,1)]')", "('((0,0),(1,1))')"),
    "polygon order": ("v polygon", "('((0,0),(1,1),(2,0))')", "('((1,1),(2,0),(0,0))')"),
    "circle": ("v circle", "('<(0,0),1>')", "('<(0,0),1.0000000000000002>')"),
    "inet network": ("v inet", "('10.0.0.1/24')", "('10.0.0.1/32')"),
    "cidr": ("v cidr", "('10.0.0.0/24')", "('10.0.0.0/25')"),
    "macaddr": ("v macaddr", "('08:00:2b:01:02:03')", "('08:00:2b:01:02:04')"),
    "uuid": ("v uuid", "('00000000-0000-0000-0000-000000000000')", "('00000000-0000-0000-0000-000000000001')"),
    "regclass": ("v regclass", "('pg_class')", "('pg_proc')"),
    "pg_lsn": ("v pg_lsn", "('0/1')", "('0/2')"),
}


@pytest.fixture(scope="module")
def tables(client: Client, shared: Named) -> dict[str, Table]:
    """Every pair as tables ``one N`` and ``two N``, by one fingerprint."""
    name = shared("pairs", TYPES)
    for number, (columns, one, two) in enumerate(DIFFERENCES.values()):
        pair = zip(("one", "two"), (one, two), strict=True)
        made = [(f'"{side} {number}"', rows) for side, rows in pair]
        try:
            for table, rows in made:
                client.ask(f"CREATE TABLE {table} ({columns}); INSERT INTO {table} VALUES {rows}", name)
        except psycopg.errors.FeatureNotSupported:
            continue
    return client.fingerprint(name).tables


@pytest.mark.parametrize("what", DIFFERENCES)
def test_a_difference_changes_the_checksum(tables: dict[str, Table], what: str) -> None:
    number = list(DIFFERENCES).index(what)
    if f'public."one {number}"' not in tables:
        pytest.skip(f"the server was built without {what}: run the tests on a PostgreSQL that has it")
    one, two = (tables[f'public."{side} {number}"'] for side in ("one", "two"))
    assert one.columns == two.columns
    assert one.checksum != two.checksum


# One table of every kind of type, in three spellings that hold the same.
COLUMNS = {
    "id": "int PRIMARY KEY", "v": "text", "t": "timestamptz", "d": "date", "i": "interval", "f": "float8",
    "n": "numeric", "b": "bytea", "m": "mood", "ms": "mood[]", "p": "pair", "s": "span", "l": "label", "o": "moment",
    "u": "duration",    "r": "ratio", "q": "numbers", "c": "citext", "h": "hstore", "k": "regclass", "j": "jsonb",
    "x": "point", "y": "money", "w": "raw",
}
VALUES = (
    "g, 'Zeile ä ' || g, timestamptz '2026-03-29 01:30+00' + g * interval '1 h', date '2026-01-31' + g,"
    " g * interval '1 day 25 h', g / 3.0, g / 8.0, decode(md5(g::text), 'hex'), 'happy', '{sad,happy}',"
    " ROW(g, 'a,b')::pair, span(g, g + 0.1), 'l' || g, timestamptz '2026-03-29 01:30+00' + g * interval '1 h',"
    " g * interval '1 day 25 h', g / 3.0, ARRAY[g, NULL], 'Ci' || g, hstore('a', g::text), 't',"
    " jsonb_build_object('a', g), point(g / 3.0, 0), g, decode(md5(g::text), 'hex')"
)


def fill(order: str = "g", columns: dict[str, str] = COLUMNS) -> str:
    """The table and its rows."""
    typed = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
    rows = f"SELECT {VALUES} FROM generate_series(1, 60) g ORDER BY {order}"
    return f"CREATE TABLE t ({typed}); INSERT INTO t ({', '.join(COLUMNS)}) {rows}"


@pytest.fixture(scope="module")
def plain(client: Client, shared: Named) -> Plain:
    """A database with the table, and its fingerprint."""
    name = shared("plain", TYPES, fill())
    return name, client.fingerprint(name)


def test_the_order_of_rows_does_not_count(client: Client, plain: Plain, named: Named) -> None:
    moved = named("moved", TYPES, fill("md5(g::text)"), "UPDATE t SET n = n WHERE id % 3 = 0", "VACUUM FULL t")
    assert client.fingerprint(moved).tables == plain[1].tables


def test_the_order_of_columns_does_not_count(client: Client, plain: Plain, named: Named) -> None:
    reversed_ = dict(reversed(COLUMNS.items()))
    again = "ALTER TABLE t DROP v; ALTER TABLE t ADD z int, ADD v text; UPDATE t SET v = 'Zeile ä ' || id, z = id;"
    other = named("columns", TYPES, fill(columns=reversed_), again, "ALTER TABLE t DROP z")
    assert client.fingerprint(other).tables == plain[1].tables


def test_values_of_another_server_number_do_not_count(client: Client, plain: Plain, named: Named) -> None:
    burnt = "; ".join(f"CREATE TYPE burnt{n} AS ENUM ('sad', 'happy'); CREATE DOMAIN gone{n} AS int" for n in range(9))
    gone = "; ".join(f"DROP TYPE burnt{n}; DROP DOMAIN gone{n}" for n in range(9))
    other = named("numbers", burnt, TYPES, gone, fill())
    oid = "SELECT 'mood'::regtype::oid"
    assert client.ask(oid, other) != client.ask(oid, plain[0])
    assert client.fingerprint(other) == plain[1]


def test_a_restored_copy_has_the_same_fingerprint(client: Client, plain: Plain, named: Named, tmp_path: Path) -> None:
    copy = named("copy", "CREATE DOMAIN burnt AS int")
    succeeded(client.call("pg_dump", "-Fc", f"--dbname=service=it dbname={plain[0]}", f"--file={tmp_path}/dump"))
    client.restore(tmp_path / "dump", copy)
    restored = client.fingerprint(copy)
    assert differences(plain[1], restored) == []
    assert restored == plain[1]


@pytest.mark.parametrize(
    "setting",
    [
        "timezone = 'Asia/Kolkata'", "datestyle = 'German'", "intervalstyle = 'sql_standard'",
        "extra_float_digits = -15", "bytea_output = 'escape'", "search_path = 'nowhere'", "xmloption = 'document'",
        "standard_conforming_strings = off", "lc_monetary = 'C.utf8'",
        "default_transaction_read_only = on", "default_transaction_isolation = 'serializable'", "work_mem = '64kB'",
        "debug_parallel_query = on", "client_min_messages = debug1",
        "client_encoding = 'LATIN1'", "quote_all_identifiers = on",
    ],
)
def test_a_setting_of_the_database_does_not_count(client: Client, plain: Plain, setting: str) -> None:
    client.ask(f"ALTER DATABASE {plain[0]} SET {setting}")
    try:
        assert client.fingerprint(plain[0]) == plain[1]
    finally:
        client.ask(f"ALTER DATABASE {plain[0]} RESET ALL")


@pytest.mark.parametrize(
    "limit",
    ["statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout", "transaction_timeout"],
)
def test_a_limit_of_the_database_does_not_end_it(client: Client, large: str, limit: str) -> None:
    client.ask(f"ALTER DATABASE {large} SET {limit} = '40ms'")
    try:
        assert client.fingerprint(large).rows == 400_000
    finally:
        client.ask(f"ALTER DATABASE {large} RESET ALL")


@pytest.fixture(scope="module")
def large(shared: Named) -> str:
    """A database whose fingerprint takes longer than the limits above."""
    return shared("large", "CREATE TABLE t AS SELECT n, md5(n::text) AS v FROM generate_series(1, 400000) n")


def test_a_database_of_another_encoding_can_be_read(client: Client, named: Named) -> None:
    name = named("latin") + "_1"
    client.ask(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1'")
    client.ask('CREATE TABLE "Täble" (v text)', name, client_encoding="UTF8")
    assert list(client.fingerprint(name).tables) == ['public."Täble"']


SHAPES: dict[str, tuple[str, int]] = {
    'public."Täble ""x"""': (
        'CREATE TABLE "Täble ""x""" ("Spälte ""y""" int); INSERT INTO "Täble ""x""" VALUES (1)', 1),
    "public.x": ("CREATE TABLE x (x int, y int); INSERT INTO x VALUES (1, 2), (3, 4)", 2),
    'public."select"': (
        'CREATE TABLE "select" ("from" int, "table" text, "Order" int); INSERT INTO "select" VALUES (1)', 1),
    "public.\"it's 100 % \\ {} :x $1\"": (
        "CREATE TABLE \"it's 100 % \\ {} :x $1\" (\"'%s' \\ :'x' %\" int);"
        "INSERT INTO \"it's 100 % \\ {} :x $1\" VALUES (1)", 1),
    'public."line\nbreak"': ('CREATE TABLE "line\nbreak" ("tab\t" int); INSERT INTO "line\nbreak" VALUES (1)', 1),
    "public.nothing": (
        "CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES", 2),
    "public.dropped": ("CREATE TABLE dropped (v int); INSERT INTO dropped VALUES (1); ALTER TABLE dropped DROP v", 1),
    "public.keyless": ("CREATE TABLE keyless (v int); INSERT INTO keyless VALUES (1), (1), (1)", 3),
    "public.empty": ("CREATE TABLE empty (v int)", 0),
    "other.x": ("CREATE SCHEMA other; CREATE TABLE other.x (v int); INSERT INTO other.x VALUES (1)", 1),
    '"Schéma "" 2".x': ('CREATE SCHEMA "Schéma "" 2"; CREATE TABLE "Schéma "" 2".x (v int)', 0),
    "pgsomething.x": ("CREATE SCHEMA pgsomething; CREATE TABLE pgsomething.x (v int)", 0),
    "public.part_1": (
        "CREATE TABLE parted (v int) PARTITION BY RANGE (v);"
        "CREATE TABLE part_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE part_2 PARTITION OF parted DEFAULT; INSERT INTO parted SELECT generate_series(5, 19)", 5),
    "public.part_2": ("SELECT", 10),
    "public.parent": ("CREATE TABLE parent (v int); INSERT INTO parent VALUES (1)", 1),
    "public.child": ("CREATE TABLE child (w int) INHERITS (parent); INSERT INTO child VALUES (1, 1), (2, 2)", 2),
    "public.unlogged": ("CREATE UNLOGGED TABLE unlogged (v int); INSERT INTO unlogged VALUES (1)", 1),
    "public.made": (
        "CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY, v int, s int GENERATED ALWAYS AS (v * 2) STORED,"
        " w int GENERATED ALWAYS AS (v * 3) VIRTUAL); INSERT INTO made (v) VALUES (1), (2)", 2),
    "public.large": (
        "CREATE TABLE large (v text); ALTER TABLE large ALTER v SET STORAGE plain;"
        "INSERT INTO large SELECT repeat(md5(n::text), 60) FROM generate_series(1, 5000) n", 5000),
}
LEFT_OUT = """
CREATE EXTENSION citext; CREATE TABLE brought (v int); ALTER EXTENSION citext ADD TABLE brought;
CREATE VIEW view AS SELECT 1 AS v; CREATE MATERIALIZED VIEW made_view AS SELECT 1 AS v;
CREATE TEMP TABLE passing (v int);
"""


@pytest.fixture(scope="module")
def lines(client: Client, shared: Named) -> list[dict[str, Any]]:
    """What is printed for a database with all shapes in it."""
    name = shared("shapes", *(statements for statements, _ in SHAPES.values()), "VACUUM ANALYZE large", LEFT_OUT)
    return [json.loads(line) for line in client.must("fingerprint.sql", name).splitlines()]


def test_the_last_line_says_complete(lines: list[dict[str, Any]]) -> None:
    assert lines[-1]["complete"] is True
    assert sum("complete" in line for line in lines) == 1


def test_every_table_stands_in_it_exactly_once_and_no_other(lines: list[dict[str, Any]]) -> None:
    assert sorted(line["table"] for line in lines if "table" in line) == sorted(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_the_rows_are_counted(lines: list[dict[str, Any]], name: str) -> None:
    assert [line["rows"] for line in lines if line.get("table") == name] == [SHAPES[name][1]]


def test_a_large_table_is_hashed_by_itself(lines: list[dict[str, Any]]) -> None:
    names = [line["table"] for line in lines if "table" in line]
    assert names[0] == "public.large"


def test_the_columns_are_named_as_they_are(lines: list[dict[str, Any]]) -> None:
    columns = {line["table"]: [name for name, *_ in line["columns"]] for line in lines if "table" in line}
    assert columns['public."Täble ""x"""'] == ['Spälte "y"']
    assert columns["public.\"it's 100 % \\ {} :x $1\""] == ["'%s' \\ :'x' %"]
    assert columns['public."line\nbreak"'] == ["tab\t"]
    assert columns["public.made"] == ["id", "s", "v", "w"]
    assert columns["public.dropped"] == columns["public.nothing"] == []


def test_a_name_with_a_line_separator_can_be_read(client: Client, named: Named) -> None:
    name = named("separator", 'CREATE TABLE "a\u2028b" (v int)')
    assert list(client.fingerprint(name).tables) == ['public."a\u2028b"']


def test_a_type_without_a_binary_form_can_be_read(client: Client, named: Named) -> None:
    name = named("acl", "CREATE TABLE t (v aclitem); INSERT INTO t VALUES ('postgres=r/postgres')")
    assert client.fingerprint(name).tables["public.t"].rows == 1


def test_rows_hidden_by_a_policy_are_never_passed_over(role: str, client: Client, named: Named) -> None:
    name = named("policy", f"""
        CREATE TABLE t (v int); INSERT INTO t VALUES (1), (2); CREATE POLICY p ON t USING (v = 1);
        ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; ALTER TABLE t OWNER TO "{role}"
    """)
    done = client.run("fingerprint.sql", name, env=as_role(role))
    assert done.returncode or '"rows" : 2' in done.stdout, done.stdout


def test_three_hundred_small_tables_each_stand_in_it_once(client: Client, named: Named) -> None:
    name = named("many", "; ".join(f"CREATE TABLE t{n} AS SELECT generate_series(1, {n}) AS v" for n in range(300)))
    found = [json.loads(line) for line in client.must("fingerprint.sql", name).splitlines()]
    assert {line["table"]: line["rows"] for line in found if "table" in line} == {f"public.t{n}": n for n in range(300)}
    assert sum("table" in line for line in found) == 300
    assert found[-1]["complete"] is True


def test_an_empty_database_is_complete_and_empty(client: Client, named: Named) -> None:
    found = client.fingerprint(named("empty"))
    assert found.complete
    assert (found.tables, found.sequences, found.migrations) == ({}, {}, [])


def test_sequences_and_migrations_stand_in_it(client: Client, named: Named) -> None:
    found = client.fingerprint(named("django", """
        CREATE TABLE django_migrations (id serial, app text, name text);
        INSERT INTO django_migrations (app, name) VALUES ('shop', '0001'), ('shop', '0002');
        CREATE SEQUENCE "Ünused" START 5; CREATE SEQUENCE down INCREMENT -1; SELECT nextval('down')
    """))
    assert found.migrations == ["shop.0001", "shop.0002"]
    assert found.sequences == {
        "public.django_migrations_id_seq": (2, 1), 'public."Ünused"': (4, 1), "public.down": (-1, -1),
    }


WEAK = {
    "the record hash summed": "sum(hash_record_extended(x, 0))",
    "a sum of each column": "(sum(hashint4extended(x.id, 0)), sum(hashtextextended(x.v, 0)))",
}


@pytest.mark.parametrize("weak", WEAK)
def test_a_weaker_query_misses_values_swapped_between_rows(client: Client, named: Named, weak: str) -> None:
    rows = [(n, f"v{n}") for n in range(40)]
    swaps = [rows[:n] + [(n, f"v{n + 1}"), (n + 1, f"v{n}")] + rows[n + 2:] for n in range(39)]
    held = [f"t{n} (id, v) AS VALUES {str(values)[1:-1]}" for n, values in enumerate([rows, *swaps])]
    name = named("weak", *(f"CREATE TABLE {table}" for table in held))
    ours = {table.checksum for table in client.fingerprint(name).tables.values()}
    theirs = {client.ask(f"SELECT {WEAK[weak]}::text FROM t{n} x", name)[0] for n in range(40)}
    assert len(ours) == 40
    assert len(theirs) < 40


def test_exclusive_or_instead_of_a_sum_misses_another_row_that_stands_twice(client: Client, named: Named) -> None:
    name = named("weak", "CREATE TABLE a (v) AS VALUES (1), (1)", "CREATE TABLE b (v) AS VALUES (2), (2)")
    weak = "SELECT count(*), bit_xor(hash_record_extended(x, 0)) FROM {} x"
    ours = client.fingerprint(name).tables
    assert client.ask(weak.format("a"), name) == client.ask(weak.format("b"), name)
    assert ours["public.a"].checksum != ours["public.b"].checksum
