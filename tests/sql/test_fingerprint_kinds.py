"""Every kind of table and type through dump and restore: equal where it is equal, and said where it is left out."""

# ruff: noqa: E501  (SQL is easier to read unbroken)
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops.verdict.fingerprint import Fingerprint, differences
from tests.support.client import Client, succeeded
from tests.support.servers import QUICK, own_server

Named = Callable[..., str]
DEBIAN = Path("/usr/lib/postgresql/15/bin")

KINDS = {
    "partitions": """
        CREATE TABLE by_range (at date, v text) PARTITION BY RANGE (at);
        CREATE TABLE r_2025 PARTITION OF by_range FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
        CREATE TABLE r_2026 PARTITION OF by_range FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (v);
        CREATE TABLE r_2026_a PARTITION OF r_2026 FOR VALUES IN ('a');
        CREATE TABLE r_2026_rest PARTITION OF r_2026 DEFAULT;
        CREATE TABLE r_rest PARTITION OF by_range DEFAULT;
        INSERT INTO by_range VALUES ('2025-05-05', 'x'), ('2026-05-05', 'a'), ('2026-05-05', 'b'), ('1999-01-01', 'c');
        CREATE TABLE by_hash (id int PRIMARY KEY) PARTITION BY HASH (id);
        CREATE TABLE h_0 PARTITION OF by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE h_1 PARTITION OF by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        INSERT INTO by_hash SELECT generate_series(1, 20);
        CREATE TABLE by_list (v text) PARTITION BY LIST (v);
        CREATE TABLE l_a PARTITION OF by_list FOR VALUES IN ('a');
        CREATE TABLE l_null PARTITION OF by_list FOR VALUES IN (NULL);
        INSERT INTO by_list VALUES ('a'), (NULL); ALTER TABLE by_list DETACH PARTITION l_a""",
    "inheritance": """
        CREATE TABLE parent (v int); CREATE TABLE child (w int) INHERITS (parent); CREATE TABLE grandchild () INHERITS (child);
        INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 2); INSERT INTO grandchild VALUES (3, 3)""",
    "unlogged": "CREATE UNLOGGED TABLE unlogged (v int); INSERT INTO unlogged VALUES (1)",
    "generated": """
        CREATE TABLE generated (id int GENERATED ALWAYS AS IDENTITY, v int, w int GENERATED ALWAYS AS (v * 2) STORED,
        f float8 GENERATED ALWAYS AS (v / 3.0) STORED); INSERT INTO generated (v) VALUES (1), (2), (NULL)""",
    "composites": """
        CREATE EXTENSION cube; CREATE EXTENSION hstore; CREATE EXTENSION isn;
        CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"'); CREATE DOMAIN label AS text; CREATE DOMAIN moods AS mood[];
        CREATE TYPE inner_type AS (m mood, l label, c cube); CREATE TYPE outer_type AS (i inner_type, h hstore, a inner_type[]);
        CREATE TABLE composites (o outer_type, os outer_type[], ms mood[], ls label[], d moods, b isbn);
        INSERT INTO composites VALUES (
            ROW(ROW('sad', 'a,b', '(1,2)'), 'a=>NULL', ARRAY[ROW(NULL, '', NULL)::inner_type, NULL]),
            ARRAY[ROW(NULL, NULL, NULL)::outer_type], '[3:4]={sad,NULL}', '{"",NULL}', '{sad}', '978-0-393-04002-9'); INSERT INTO composites DEFAULT VALUES""",
    "numbers": """
        CREATE TABLE numbers (n numeric, n2 numeric(10, 2), f float8, r float4, p point, ns numeric[], fs float8[], o oid);
        INSERT INTO numbers VALUES ('NaN', 'NaN', 'NaN', 'NaN', '(NaN,0)', '{NaN,1.00}', '{NaN,-0}', 4294967295),
            ('Infinity', 1, '-inf', 'inf', '(inf,-0)', '{}', '{}', 0),
            ('-Infinity', 1.1, float8 'inf' - float8 'inf', float4 'inf' - float4 'inf', point(float8 'inf' - float8 'inf', 0),
             (ARRAY[1, NULL])[1:1], ARRAY[float8 'inf' - float8 'inf'], 1),
            (1.000, 1, -0.0, '-0', '(-0,0)', '{}', '{}', 2), (1e130000, 1, 1e308, 1e-40, '(1e-308,5e-324)', '{}', '{}', 3)""",
    "times": """
        CREATE TABLE times (i interval, t timestamptz, u timestamp, v timetz, d date, r tstzrange, m datemultirange, s interval[]);
        INSERT INTO times VALUES ('1 mon -1 day 00:00:00.000001', 'infinity', '-infinity', '24:00+14', '4713-01-01 BC',
            '(,2026-03-29 01:30+00]', '{[2026-01-01,2026-02-01),(2027-01-01,)}', '{1 day,24:00}')""",
    "texts": """
        CREATE TABLE texts (j json, b jsonb, c char(5), n name, "q" "char", v varchar(5)[], ts tsvector, tq tsquery, jp jsonpath);
        INSERT INTO texts VALUES ('{"a":1, "a":2}', '{"a": 1.00}', 'a', 'ab', '', '{" ",NULL,"NULL"}', 'a:1A b', '!a & b', '$.a');
        INSERT INTO texts (j, v) VALUES (' null ', '{}')""",
    "others": """
        CREATE TABLE others (l pg_lsn, m money, b bit(3), w varbit, i inet, n cidr, c macaddr8, u uuid, x bytea, a aclitem,
            aa aclitem[], t tid, k regclass, pt polygon, iv int2vector, sn txid_snapshot);
        INSERT INTO others VALUES ('0/1', '-1.5', '101', '', '::1/64', '10/8', '08002b0102030405', gen_random_uuid(), '\\x00', 
            'postgres=r/postgres', '{postgres=r/postgres}', '(1,2)', 'others', '((0,0),(1,1))', '1 2', '1:2:')""",
    "keyless": "CREATE TABLE keyless (v int); INSERT INTO keyless VALUES (1), (1), (NULL), (NULL)",
    "names": f"""
        CREATE SCHEMA "we""ird % ' \\ {{}} :x"; CREATE TABLE "we""ird % ' \\ {{}} :x"."{"n" * 63}" ("{"c" * 63}" int);
        INSERT INTO "we""ird % ' \\ {{}} :x"."{"n" * 63}" VALUES (1); CREATE TABLE x (x int, "%s" text, "a\nb" int, "Ü😀" int);
        INSERT INTO x VALUES (1, '%', 2, 3); CREATE SEQUENCE "we""ird % ' \\ {{}} :x"."s ' %s"; CREATE TABLE "x.y" (v int)""",
    "shapes": """
        CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
        CREATE TABLE dropped (a int, b int, c int); INSERT INTO dropped VALUES (1, 2, 3); ALTER TABLE dropped DROP b;
        CREATE TABLE filled (a int); INSERT INTO filled VALUES (1); ALTER TABLE filled ADD b text NOT NULL DEFAULT 'late'""",
    "views": """
        CREATE VIEW seen AS SELECT * FROM keyless; CREATE MATERIALIZED VIEW made AS SELECT sum(v) FROM keyless;
        CREATE MATERIALIZED VIEW unmade AS SELECT 1 WITH NO DATA""",
    "choices": """
        CREATE TABLE choices (s varchar(9) DEFAULT 'a' CHECK (s IN ('a', 'b]', 'c''d')), n int CHECK ((n + 1) * 2 > 0));
        CREATE UNIQUE INDEX ON choices (s) WHERE s IN ('a', 'b'); CREATE INDEX ON choices (lower(s)) WHERE s = 'a'""",
    "sequences": """
        CREATE SEQUENCE fresh; CREATE SEQUENCE put START 5; SELECT setval('put', 50, false); CREATE SEQUENCE down INCREMENT -2;
        SELECT nextval('down'), nextval('down'); CREATE SEQUENCE wheel MAXVALUE 2 CYCLE; SELECT nextval('wheel'), nextval('wheel'),
        nextval('wheel'); CREATE SCHEMA other; CREATE SEQUENCE other.fresh MINVALUE -9223372036854775808 INCREMENT -1 START -9223372036854775808;
        CREATE TABLE other.owning (id bigserial); INSERT INTO other.owning DEFAULT VALUES""",
    "large objects": """
        SELECT lo_create(900001), lo_from_bytea(900002, '\\x0000'), lo_from_bytea(900003, decode(repeat('ab', 5000), 'hex'));
        SELECT lo_put(900001, 100000, '\\xff'); SELECT lo_create(900004); SELECT lo_from_bytea(900005, decode(repeat('00', 4096), 'hex'))""",
    "foreign": """
        CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
        CREATE FOREIGN TABLE far (v text) SERVER files OPTIONS (filename '/nowhere')""",
    "brought": "CREATE TABLE brought (v int); INSERT INTO brought VALUES (1); ALTER EXTENSION hstore ADD TABLE brought",
}  # fmt: skip


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server of Debian's PostgreSQL 15: another major version, and built with libxml."""
    if not (DEBIAN / "postgres").exists():
        pytest.skip(f"there is no PostgreSQL in {DEBIAN}: apt-get install postgresql")
    with own_server("debian", QUICK, DEBIAN) as server:
        yield Client(server, tmp_path_factory.mktemp("debian"))


def dumped(client: Client, database: str, file: Path) -> Path:
    """A dump of the database."""
    succeeded(client.call("pg_dump", "-Fc", f"--dbname=service=it dbname={database}", f"--file={file}"))
    return file


@pytest.fixture(scope="module")
def original(client: Client, shared: Named) -> tuple[str, Fingerprint]:
    """A database of all kinds, and its fingerprint."""
    name = shared("kinds", *KINDS.values())
    return name, client.fingerprint(name)


@pytest.fixture(scope="module")
def restored(
    client: Client, shared: Named, original: tuple[str, Fingerprint], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The same, restored into a database whose types have other numbers."""
    copy = shared("kinds_restored", "CREATE TYPE burnt AS ENUM (); DROP TYPE burnt")
    # What an extension brought along is not in a dump, so that only the extension's own script could bring it.
    client.restore(dumped(client, original[0], tmp_path_factory.mktemp("kinds") / "dump"), copy)
    return copy


def test_a_restored_copy_of_every_kind_has_the_same_fingerprint(
    client: Client, original: tuple[str, Fingerprint], restored: str
) -> None:
    found = client.fingerprint(restored)
    assert differences(original[1], found) == []
    found.left_out["public.brought"] = original[1].left_out["public.brought"]
    assert found == original[1]


def test_a_server_of_another_version_finds_the_same(
    client: Client, debian: Client, original: tuple[str, Fingerprint], tmp_path: Path
) -> None:
    """From 15 to 18, as a clone on a newer server; so types are read the same on both."""
    debian.ask("CREATE DATABASE kinds")
    for statements in KINDS.values():
        debian.ask(statements, "kinds")
    client.ask(f"CREATE DATABASE {original[0]}_from_15")
    try:
        client.restore(dumped(debian, "kinds", tmp_path / "dump"), f"{original[0]}_from_15")
        found, before = client.fingerprint(f"{original[0]}_from_15"), debian.fingerprint("kinds")
    finally:
        client.ask(f"DROP DATABASE {original[0]}_from_15")
    assert differences(before, found) == []
    assert found.schema == before.schema


def test_xml_is_read_where_the_server_has_it(debian: Client) -> None:
    debian.ask("CREATE DATABASE xml")
    debian.ask("CREATE TABLE one (v xml); INSERT INTO one VALUES ('<a/>'); CREATE TABLE two (v xml); "
               "INSERT INTO two VALUES ('<a></a>'); ALTER DATABASE xml SET xmloption = document", "xml")  # fmt: skip
    found = debian.fingerprint("xml").tables
    assert found["public.one"].checksum != found["public.two"].checksum


def test_partitions_stand_in_it_and_their_parents_do_not(original: tuple[str, Fingerprint]) -> None:
    rows = {name.removeprefix("public."): table.rows for name, table in original[1].tables.items()}
    assert not {"by_range", "r_2026", "by_hash", "by_list"} & rows.keys()
    assert [rows[name] for name in ("r_2025", "r_2026_a", "r_2026_rest", "r_rest")] == [1, 1, 1, 1]
    assert rows["h_0"] + rows["h_1"] == 20
    assert (rows["l_a"], rows["l_null"]) == (1, 1)
    assert [rows[name] for name in ("parent", "child", "grandchild")] == [1, 1, 1]


def test_a_virtual_column_is_read_where_the_server_has_them(client: Client, named: Named) -> None:
    made = "CREATE TABLE t (v int, w int GENERATED ALWAYS AS (v * {}) VIRTUAL); INSERT INTO t VALUES (1)"
    one, two = (client.fingerprint(named(f"virtual_{factor}", made.format(factor))) for factor in (2, 3))
    assert one.tables["public.t"].checksum != two.tables["public.t"].checksum


def test_what_is_left_out_is_said(original: tuple[str, Fingerprint]) -> None:
    assert original[1].said_left_out() == [
        "a materialized view is computed again by a restore: public.made, public.unmade",
        "the rows of a foreign table are no part of a dump: public.far",
        "what an extension brought along is not compared: public.brought",
    ]
    assert original[1].materialized == {"public.made": True, "public.unmade": False}
    assert not original[1].left_out.keys() & original[1].tables.keys()


HARM = {
    "public.r_rest": ("UPDATE r_rest SET v = 'd'", "public.r_rest has other content"),
    "the default partition": ("DELETE FROM by_range WHERE at = '1999-01-01'", "public.r_rest has 0 rows instead of 1"),
    "another partition": (
        "UPDATE by_range SET at = '2026-05-05' WHERE v = 'x'", "public.r_2025 has 0 rows instead of 1"),
    "a child": ("DELETE FROM ONLY child", "public.child has 0 rows instead of 1"),
    "unlogged": ("TRUNCATE unlogged", "public.unlogged has 0 rows instead of 1"),
    "a generated column": ("UPDATE generated SET v = 3 WHERE v = 2", "public.generated has other content"),
    "one of two equal rows": (
        "DELETE FROM keyless WHERE ctid = (SELECT min(ctid) FROM keyless)", "public.keyless has 3 rows instead of 4"),
    "a domain in an array in a composite": (
        "UPDATE composites SET o.a[1].l = NULL WHERE b IS NOT NULL", "public.composites has other content"),
    "a row of no columns": ("DELETE FROM nothing WHERE ctid = '(0,1)'", "public.nothing has 1 rows instead of 2"),
    "a sequence behind": ("SELECT setval('other.owning_id_seq', 1, false)", "sequence other.owning_id_seq is at 0, behind 1"),
    "a sequence that was set": ("SELECT setval('put', 5, false)", "sequence public.put is at 4, behind 49"),
    "a sequence that counts down": ("SELECT setval('down', -1)", "sequence public.down is at -1, behind -3"),
    "a sequence that is gone": ("DROP SEQUENCE fresh", "sequence public.fresh is missing"),
    "a large object's content": ("SELECT lo_put(900003, 4000, '\\x00')", "the large objects have other content"),
    "a large object's length": ("SELECT lo_put(900005, 4096, '\\x00')", "the large objects have other content"),
    "a large object's number": (
        "SELECT lo_from_bytea(900006, lo_get(900003)); SELECT lo_unlink(900003)", "the large objects have other content"),
    "an empty large object": ("SELECT lo_unlink(900004)", "there are 4 large objects instead of 5"),
    "a materialized view": ("REFRESH MATERIALIZED VIEW made WITH NO DATA", "materialized view public.made is empty and was filled before"),
    "a view gone": ("DROP MATERIALIZED VIEW unmade", "materialized view public.unmade is missing"),
}  # fmt: skip


@pytest.mark.parametrize("what", HARM)
def test_harm_to_the_copy_is_seen_and_named(
    client: Client, named: Named, original: tuple[str, Fingerprint], restored: str, what: str
) -> None:
    harm, said = HARM[what]
    name = named("harmed") + "_copy"
    client.ask(f"CREATE DATABASE {name} TEMPLATE {restored}")
    client.ask(harm, name)
    found = differences(original[1], client.fingerprint(name))
    assert any(said in line for line in found), found


def test_a_sequence_further_on_and_one_that_cycles_are_no_difference(
    client: Client, named: Named, original: tuple[str, Fingerprint], restored: str
) -> None:
    name = named("ahead") + "_copy"
    client.ask(f"CREATE DATABASE {name} TEMPLATE {restored}")
    client.ask("SELECT nextval('fresh'), nextval('put'), nextval('down'), nextval('wheel'), nextval('wheel')", name)
    assert original[1].cycling == {"public.wheel"}
    assert differences(original[1], client.fingerprint(name)) == []


SCHEMAS = {
    "a choice": "ALTER TABLE choices DROP CONSTRAINT choices_s_check, ADD CONSTRAINT choices_s_check CHECK (s IN ('a', 'b]'))",
    "a default": "ALTER TABLE choices ALTER s SET DEFAULT 'b'",
    "an arithmetic": "ALTER TABLE choices DROP CONSTRAINT choices_n_check, ADD CONSTRAINT choices_n_check CHECK (n + 1 * 2 > 0)",
    "a label": "ALTER TYPE mood ADD VALUE 'new'",
    "a domain": "ALTER DOMAIN moods ADD CHECK (cardinality(value) < 9)",
    "a trigger": "CREATE TRIGGER t BEFORE UPDATE ON keyless EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "a function": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "a policy": "CREATE POLICY p ON keyless USING (v = 1)",
    "a guard": "ALTER TABLE keyless ENABLE ROW LEVEL SECURITY",
    "a length": "ALTER TABLE choices ALTER s TYPE varchar(10)",
}


@pytest.mark.parametrize("what", SCHEMAS)
def test_the_schema_sees_a_change(
    client: Client, named: Named, original: tuple[str, Fingerprint], restored: str, what: str
) -> None:
    name = named("schema") + "_copy"
    client.ask(f"CREATE DATABASE {name} TEMPLATE {restored}")
    client.ask(SCHEMAS[what], name)
    assert client.fingerprint(name).schema != original[1].schema
