"""The script of a defang on tables of every shape, with names that need quotes; and that its proof can fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.core.sql_names import sql, written
from ops.defang.catalog import Catalog, read_catalog
from ops.defang.script import script
from ops.defang.worklist import Worklist, make_worklist
from ops.infra.postgres.client import json_lines
from ops.inventory.defang import Defang
from tests.support.client import Client, Finished

Named = Callable[..., str]
MARK = "generalprobe clone of shop, run r1"
# A schema, a table and columns whose names no one would want; the last has 63 bytes.
SCHEMA, TABLE = 'My "own". schema', "tab'le; DROP TABLE x; --"
COLUMNS = ["e mail", 'say ""x""', "ключ:v", "a.b", "\\n%s$$", "x" * 63]


def catalog(client: Client, database: str) -> Catalog:
    return read_catalog(json_lines(client.must("defang_catalog.sql", database)))


def defanged(client: Client, database: str, folder: Path, found: Worklist) -> Finished:
    client.ask(f"COMMENT ON DATABASE {sql((database,))} IS '{MARK}'")
    path = folder / "defang.sql"
    path.write_text(script(found, database, MARK, ()))
    return client.call("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", str(path), f"service=it dbname={database}")


def must(client: Client, database: str, folder: Path, defang: Defang) -> Worklist:
    found = make_worklist(defang, catalog(client, database))
    assert found.objections == [], found.objections
    done = defanged(client, database, folder, found)
    assert done.returncode == 0, done.stderr
    assert left(client, database, found) == []
    return found


def left(client: Client, database: str, found: Worklist) -> list[str]:
    """What the proof would find."""
    asked = {written(one.table.name): f"SELECT 1 FROM {sql(one.table.name)}" for one in found.emptied.values()}
    asked |= {
        written(one.name): f"SELECT 1 FROM {sql(one.table.name)} WHERE {one.undone}" for one in found.masked.values()
    }
    return [name for name, query in asked.items() if client.ask(f"{query} LIMIT 1", database)]


def test_names_that_need_quotes(client: Client, named: Named, tmp_path: Path) -> None:
    table = sql((SCHEMA, TABLE))
    columns = [sql((name,)) for name in COLUMNS]
    database = named(
        "odd",
        f"CREATE SCHEMA {sql((SCHEMA,))}",
        f"CREATE TABLE {table} (id int, {', '.join(f'{column} text' for column in columns)})",
        f"INSERT INTO {table} SELECT n, {', '.join(['n || $$ Meier$$'] * len(columns))} FROM generate_series(1, 20) n",
        "CREATE FUNCTION \"f'\"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'fired'; END $$",
        f'CREATE TRIGGER "t""r" BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION "f\'"()',
        f"CREATE TABLE {sql((SCHEMA, 'gone.'))} (id int)",
    )
    names = {written((SCHEMA, TABLE, name)): "name" for name in COLUMNS}
    found = must(client, database, tmp_path, Defang(mask=names, clear=(written((SCHEMA, "gone.")),)))
    assert len(found.masked) == len(COLUMNS)
    assert client.ask(f"SELECT count(*) FROM {table} x WHERE x::text LIKE '%Meier%'", database) == [(0,)]
    assert client.ask(f"SELECT count(DISTINCT {columns[-1]}) FROM {table}", database) == [(20,)]
    assert client.ask("SELECT tgenabled::text FROM pg_trigger WHERE NOT tgisinternal", database) == [("O",)]


SHAPES = (
    "CREATE EXTENSION IF NOT EXISTS citext",
    "CREATE DOMAIN short AS varchar(37) NOT NULL",
    "CREATE DOMAIN shorter AS short",
    """CREATE TABLE shapes (id int PRIMARY KEY, mail citext UNIQUE, domained shorter UNIQUE, fixed char(40), plain text,
        little varchar(9), ip inet UNIQUE, born date, seen timestamptz, code uuid UNIQUE, number bigint,
        price numeric(6, 2), doc jsonb, old json, bytes bytea, tags text[], empty text,
        again text GENERATED ALWAYS AS (upper(plain)) STORED)""",
    """INSERT INTO shapes SELECT n, 'Anna' || n || '@X.de', 'anna' || n || '@x.de', 'Anna' || n, 'Anna ' || n,
        'Anna' || n, '10.1.0.0'::inet + n, date '1980-05-05' + n, '1980-05-05'::timestamptz + n * interval '1 day',
        gen_random_uuid(), 491710000000 + n, n, '{"a": "Anna"}', '{"a": "Anna"}', 'Anna', '{Anna}',
        '' FROM generate_series(1, 200) n""",
    "INSERT INTO shapes (id, domained) VALUES (201, '')",
    "CREATE TABLE parted (id int, email text, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
    "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100)",
    "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100) TO (300)",
    "INSERT INTO parted SELECT n, 'Anna' || n || '@x.de' FROM generate_series(1, 200) n",
    "CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'fired'; END $$",
    "CREATE TRIGGER one AFTER UPDATE ON parted FOR EACH ROW EXECUTE FUNCTION fired()",
    "ALTER TABLE parted_2 DISABLE TRIGGER one",
    "CREATE TRIGGER always BEFORE UPDATE ON shapes FOR EACH ROW EXECUTE FUNCTION fired()",
    "ALTER TABLE shapes ENABLE ALWAYS TRIGGER always",
    "CREATE TABLE parent (id int, email text)",
    "CREATE TABLE child (more text) INHERITS (parent)",
    "INSERT INTO child SELECT n, 'Anna' || n || '@x.de', '' FROM generate_series(1, 5) n",
    "CREATE MATERIALIZED VIEW one AS SELECT email FROM parted",
    "CREATE MATERIALIZED VIEW another AS SELECT upper(email) AS email FROM one",
    "CREATE VIEW between AS SELECT email FROM another",
    "CREATE MATERIALIZED VIEW a_last AS SELECT email FROM between",
    "CREATE TABLE master (name text PRIMARY KEY)",
    "CREATE TABLE follower (name text REFERENCES master DEFERRABLE INITIALLY DEFERRED, x int)",
    "INSERT INTO master SELECT 'Anna ' || n FROM generate_series(1, 9) n",
    "INSERT INTO follower SELECT name, 1 FROM master",
    "CREATE TABLE log_a (id int PRIMARY KEY)",
    "CREATE TABLE log_b (id int REFERENCES log_a)",
    "INSERT INTO log_a VALUES (1), (2)",
    "INSERT INTO log_b VALUES (1)",
)
MASKS = {
    "mail": "email",
    "domained": "email",
    "fixed": "name",
    "plain": "text",
    "little": "name",
    "ip": "ip",
    "born": "year",
    "seen": "year",
    "code": "token",
    "number": "zero",
    "price": "null",
    "doc": "empty",
    "old": "empty",
    "bytes": "empty",
    "tags": "empty",
    "empty": "name",
}
WHOLE = {f"public.shapes.{name}": mask for name, mask in MASKS.items()} | {
    "public.parted.email": "email",
    "public.parent.email": "email",
    "public.master.name": "name",
    "public.follower.name": "name",
}


def test_every_shape_of_column_and_table(client: Client, named: Named, tmp_path: Path) -> None:
    database = named("shapes", *SHAPES)
    before = client.fingerprint(database)
    triggers = "SELECT tgrelid::regclass::text, tgname::text, tgenabled::text FROM pg_trigger "
    triggers += "WHERE NOT tgisinternal ORDER BY 1, 2"
    enabled = client.ask(triggers, database)
    for table in ("shapes", "parted", "master"):
        client.ask(f"ANALYZE {table}", database)
    must(client, database, tmp_path, Defang(mask=WHOLE, clear=("public.log_a", "public.log_b")))
    for name in ("shapes", "parted", "child", "one", "another", "a_last", "master", "follower"):
        query = f"SELECT count(*) FROM {name} x WHERE x::text ILIKE '%anna%'"
        assert client.ask(query, database) == [(0,)], name
    noted = "SELECT count(*) FROM pg_stats WHERE schemaname = 'public' "
    noted += "AND concat(most_common_vals, histogram_bounds) ILIKE '%anna%'"
    assert client.ask(noted, database) == [(0,)]
    assert client.ask(triggers, database) == enabled
    assert client.fingerprint(database).schema == before.schema
    counted = ", ".join(f"count(DISTINCT {name})" for name in ("mail", "domained", "ip", "code"))
    counts = f"SELECT {counted} FROM shapes"
    assert client.ask(counts, database) == [(200, 201, 200, 200)]
    assert client.ask("SELECT count(*) FROM master JOIN follower USING (name)", database) == [(9,)]
    assert client.ask("SELECT domained, mail, empty FROM shapes WHERE id = 201", database) == [("", None, None)]
    assert client.ask("SELECT DISTINCT empty FROM shapes WHERE id < 201", database) == [("",)]


@pytest.mark.parametrize(
    "undo",
    [
        "UPDATE shapes SET plain = 'Anna' WHERE id = 7",
        "UPDATE shapes SET ip = '10.1.0.1' WHERE id = 7",
        "UPDATE shapes SET born = '1980-05-05' WHERE id = 7",
        "UPDATE shapes SET code = gen_random_uuid() WHERE id = 7",
        "UPDATE shapes SET number = 4917 WHERE id = 7",
        "UPDATE shapes SET price = 1 WHERE id = 7",
        "UPDATE shapes SET doc = '{\"a\": 1}' WHERE id = 7",
        "UPDATE shapes SET tags = '{a}' WHERE id = 7",
        "UPDATE parted_1 SET email = 'user-0123456789abcdeg@example.invalid' WHERE id = 7",
        "INSERT INTO log_a VALUES (7)",
    ],
)
def test_the_proof_sees_what_is_not_masked(client: Client, named: Named, tmp_path: Path, undo: str) -> None:
    database = named("proof", *SHAPES, "DROP TRIGGER always ON shapes", "DROP TRIGGER one ON parted")
    found = must(client, database, tmp_path, Defang(mask=WHOLE, clear=("public.log_a", "public.log_b")))
    client.ask(undo, database)
    assert len(left(client, database, found)) == 1


def test_a_table_that_others_lead_to_is_emptied_row_by_row_or_not_at_all(
    client: Client, named: Named, tmp_path: Path
) -> None:
    database = named("linked", *SHAPES)
    found = make_worklist(Defang(clear=("public.log_a",)), catalog(client, database))
    done = defanged(client, database, tmp_path, found)
    assert done.returncode and 'violates foreign key constraint "log_b_id_fkey"' in done.stderr
    assert client.ask("SELECT count(*) FROM log_a", database) == [(2,)]
    client.ask("DELETE FROM log_b", database)
    must(client, database, tmp_path, Defang(clear=("public.log_a",)))


def test_only_the_marked_clone_is_touched(client: Client, named: Named, tmp_path: Path) -> None:
    database, other = named("clone", *SHAPES), named("other", *SHAPES)
    before = client.fingerprint(other)
    found = make_worklist(Defang(mask=WHOLE), catalog(client, database))
    path = tmp_path / "other.sql"
    path.write_text(script(found, database, MARK, ()))
    done = client.call("psql", "-XqAt", "-f", str(path), f"service=it dbname={other}")
    assert done.returncode == 3 and "is not the clone to defang" in done.stderr
    done = client.call("psql", "-XqAt", "-f", str(path), f"service=it dbname={database}")
    assert done.returncode == 3 and "is not the clone to defang" in done.stderr
    assert client.fingerprint(other) == before


def test_counts_are_of_what_was_there(client: Client, named: Named, tmp_path: Path) -> None:
    database = named("counts", *SHAPES)
    masks = {name: WHOLE[name] for name in ("public.shapes.mail", "public.shapes.empty", "public.parted.email")}
    work = make_worklist(Defang(mask=masks, clear=("public.log_b",)), catalog(client, database))
    done = defanged(client, database, tmp_path, work)
    assert done.returncode == 0, done.stderr
    numbers = dict(pair for line in done.stdout.splitlines() for pair in json.loads(line)["defang"])
    assert numbers == {0: 1, 1: 200, 2: 0, 3: 200}
