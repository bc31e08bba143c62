"""A dump beside an application that truncates, alters and locks: it ends, and what it holds is right."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ops.infra.postgres.client import said_error
from ops.infra.postgres.failure_text import explain
from ops.verdict import fingerprint
from ops.verdict.fingerprint import differences
from tests.support.client import Client
from tests.support.servers import SERVER, own_server
from tests.support.tiers import quick

Named = Callable[..., str]

TABLES = """
CREATE TABLE cache (id serial PRIMARY KEY, note text);
CREATE TABLE ballast AS SELECT n, repeat(md5(n::text), 4) AS v FROM generate_series(1, 60000) n;
"""


class Loop(threading.Thread):
    """Runs a statement over and over; ``longest`` is the longest that one took, in seconds."""

    def __init__(self, client: Client, database: str, statement: str, pause: float) -> None:
        super().__init__(daemon=True)
        self.pause = pause
        self.client, self.database, self.statement = client, database, statement
        self.done, self.longest, self.count = threading.Event(), 0.0, 0

    def run(self) -> None:
        with self.client.connect(self.database) as session:
            while not self.done.is_set():
                begun = time.monotonic()
                session.execute(self.statement.encode())
                self.longest = max(self.longest, time.monotonic() - begun)
                self.count += 1
                self.done.wait(self.pause)


@contextmanager
def looping(client: Client, database: str, statement: str, pause: float = 0) -> Iterator[Loop]:
    loop = Loop(client, database, statement, pause)
    loop.start()
    time.sleep(0.2)
    try:
        yield loop
    finally:
        loop.done.set()
        loop.join(10)


def dump(client: Client, database: str, folder: Path, path: str = "", **given: Any) -> tuple[int, str]:
    """Dump a database into a folder; the exit code and what was said. ``path`` is the PATH where pg_dump is found."""
    folder.mkdir(exist_ok=True)
    services = (client.folder / "services").read_text()
    (folder / "services").write_text(services.replace("dbname=postgres", f"dbname={database}"))
    options = {"service": "it", "folder": str(folder), "jobs": "2", "compress": "1"} | given
    env = {"PGSERVICEFILE": str(folder / "services")} | ({"PATH": path} if path else {})
    done = client.run("dump.sql", database, env=env, **options)
    return done.returncode, done.stderr


def proved(client: Client, folder: Path, copy: str) -> bool:
    """Whether a restore of the dump is what its fingerprint says."""
    client.restore(folder / "dump", copy)
    return differences(fingerprint.read(folder / "fingerprint.jsonl"), client.fingerprint(copy)) == []


@pytest.mark.parametrize("pause", quick([0, 2], 2))
def test_a_dump_beside_a_loop_of_truncate_and_insert_ends(
    client: Client, named: Named, tmp_path: Path, pause: float
) -> None:
    """psql held its locks while it waited for pg_dump, which queued behind the TRUNCATE that queued behind psql."""
    name = named("shop", TABLES)
    statement = "TRUNCATE cache RESTART IDENTITY; INSERT INTO cache (note) SELECT 'x' FROM generate_series(1, 500)"
    with looping(client, name, statement, pause) as loop:
        ended = [dump(client, name, tmp_path / f"{attempt}") for attempt in range(3)]
    print(ended, loop.longest, loop.count)
    for attempt, (code, said) in enumerate(ended):
        if code == 0:
            assert proved(client, tmp_path / f"{attempt}", named(f"copy_{attempt}"))
        else:
            assert re.search(r"lock timeout: .* by pid \d+ \(role \w+, (TRUNCATE|INSERT)\); tried 4 times", said), said
    assert loop.longest < 5
    assert pause == 0 or [code for code, _ in ended] == [0, 0, 0]


def test_what_is_truncated_all_the_time_can_be_left_out(client: Client, named: Named, tmp_path: Path) -> None:
    """Rows of a cache need no backup: neither snapshot nor locks depend on such a table."""
    name = named("shop", TABLES)
    with looping(client, name, "TRUNCATE cache; INSERT INTO cache SELECT n, 'x' FROM generate_series(1, 500) n"):
        ended = [dump(client, name, tmp_path / f"{n}", exclude="cache") for n in range(3)]
    assert [code for code, _ in ended] == [0, 0, 0], ended
    assert proved(client, tmp_path / "2", named("copy"))


def test_what_is_truncated_all_the_time_is_named_with_what_to_type() -> None:
    for said in (
        "lock timeout: public.cache was truncated, rewritten or renamed: by pid 7 (role app, TRUNCATE); tried 4 times",
        "lock timeout: its tables could not be locked together with pg_dump (public.cache): by pid 7 (role app, "
        "TRUNCATE); tried 4 times",
    ):
        found = explain(said)
        assert found.known == "truncated" and "dump: {exclude: [public.cache]}" in found.then


@pytest.mark.slow
def test_a_server_without_places_for_our_locks_is_dumped(tmp_path: Path) -> None:
    """It has 64 * 42 of them, and pg_dump with two jobs would take 2,200 for 1,100 tables, and the fingerprint more."""
    settings = SERVER | {"max_connections": "20", "max_locks_per_transaction": "64"}
    with own_server("places", settings) as server:
        client = Client(server, tmp_path)
        for name in ("shop", "copy"):
            client.ask(f"CREATE DATABASE {name}")
        for batch in range(11):
            made = f"FOR n IN 1..100 LOOP EXECUTE format('CREATE TABLE t{batch}_%s AS SELECT %s AS id', n, n); END LOOP"
            client.ask(f"DO $$ BEGIN {made}; END $$", "shop")
        code, said = dump(client, "shop", tmp_path / "one")
        assert code == 0, said
        assert "pg_dump with one job instead of 2: max_locks_per_transaction = 64 has no room" in said
        assert proved(client, tmp_path / "one", "copy")
        # Without locks of our own, what is emptied meanwhile is found all the same, and dumped as it is then.
        client.ask("DROP DATABASE copy WITH (FORCE)")
        client.ask("CREATE DATABASE copy")
        path = slow_pg_dump(client, tmp_path, 'PGOPTIONS= psql -Xq -d "service=it" -c "TRUNCATE t0_1" >&2')
        assert dump(client, "shop", tmp_path / "two", path)[0] == 0
        assert proved(client, tmp_path / "two", "copy")


def slow_pg_dump(client: Client, folder: Path, first: str, always: str = "") -> str:
    """The PATH of a pg_dump that begins with something else: ``first`` is what a shell does the first time only."""
    program = folder / "bin" / "pg_dump"
    program.parent.mkdir()
    once = f'if mkdir "{folder}/once" 2>/dev/null; then {first or ":"}; fi; {always}'
    program.write_text(f'#!/bin/sh\n{once}\nexec "{client.server.bin}/pg_dump" "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}:{client.env['PATH']}"


@pytest.mark.parametrize(
    "change",
    quick(
        [
            "TRUNCATE cache; INSERT INTO cache SELECT 7, 'new'",
            "ALTER TABLE cache ALTER note TYPE varchar(9), ALTER id TYPE bigint; DELETE FROM cache WHERE id <> 7",
            "ALTER TABLE cache RENAME TO old; CREATE TABLE cache AS SELECT 7 AS id, 'new' AS note",
            "DROP TABLE cache; CREATE TABLE cache AS SELECT 7 AS id, 'new' AS note",
        ],
        "TRUNCATE cache; INSERT INTO cache SELECT 7, 'new'",
    ),
)
def test_what_is_emptied_between_snapshot_and_locks_is_dumped_as_it_is_then(
    client: Client, named: Named, tmp_path: Path, change: str
) -> None:
    """The old snapshot sees such a table empty: neither dump nor fingerprint may say that it was."""
    name, copy = named("shop", TABLES, "INSERT INTO cache SELECT n, 'x' FROM generate_series(1, 9) n"), named("copy")
    path = slow_pg_dump(client, tmp_path, f'PGOPTIONS= psql -Xq -d "service=it" -c "{change}" >&2')
    assert dump(client, name, tmp_path, path) == (0, "")
    assert proved(client, tmp_path, copy)
    assert client.ask("SELECT id FROM cache", copy) == [(7,)]


def test_nothing_is_locked_until_pg_dump_has_its_locks(client: Client, named: Named, tmp_path: Path) -> None:
    """A TRUNCATE that comes while pg_dump is not ready yet does not wait, and so nobody waits behind it."""
    name = named("shop", TABLES)
    path = slow_pg_dump(client, tmp_path, f"touch {tmp_path}/there; sleep 2")
    made: list[tuple[int, str]] = []
    dumping = threading.Thread(target=lambda: made.append(dump(client, name, tmp_path, path)))
    dumping.start()
    while not (tmp_path / "there").exists():
        time.sleep(0.02)
    client.ask("SET lock_timeout = '1 s'; TRUNCATE cache, ballast RESTART IDENTITY", name)
    dumping.join(60)
    assert made == [(0, "")]


class Counting(threading.Thread):
    """Notes the most locks that were held in a database."""

    def __init__(self, client: Client, database: str) -> None:
        super().__init__(daemon=True)
        self.client, self.database, self.done, self.most = client, database, threading.Event(), 0

    def run(self) -> None:
        text = "SELECT count(*) FROM pg_locks WHERE database = (SELECT oid FROM pg_database WHERE datname = %s)"
        with self.client.connect("postgres") as session:
            while not self.done.is_set():
                row = session.execute(text, [self.database]).fetchone()
                self.most = max(self.most, row[0] if row else 0)
                time.sleep(0.005)


@contextmanager
def counting(client: Client, database: str) -> Iterator[Counting]:
    count = Counting(client, database)
    count.start()
    try:
        yield count
    finally:
        count.done.set()
        count.join(10)


@pytest.mark.slow
def test_a_dump_needs_few_more_locks_than_pg_dump(client: Client, named: Named, tmp_path: Path) -> None:
    """Each lock of an index and of a table's large values was held to the end: 2.5 times those of pg_dump -j2."""
    table = "CREATE TABLE t%s (id serial PRIMARY KEY, a text UNIQUE, b text UNIQUE)"
    name = named("many", f"DO $$ BEGIN FOR n IN 1..300 LOOP EXECUTE format('{table}', n); END LOOP; END $$")
    words = ["--format=directory", "--jobs=2", "--compress=1", f"--file={tmp_path}/alone"]
    with counting(client, name) as alone:
        assert client.call("pg_dump", *words, f"--dbname=service=it dbname={name}").returncode == 0
    with counting(client, name) as ours:
        assert dump(client, name, tmp_path) == (0, "")
    with counting(client, name) as fingerprint_only:
        client.must("fingerprint.sql", name)
    # psql's own on each table, and those of one statement's indexes.
    assert ours.most <= alone.most + 300 + 200 * 5
    assert fingerprint_only.most <= 300 + 200 * 5


def test_an_index_on_a_function_that_needs_search_path_stops_nothing(
    client: Client, named: Named, tmp_path: Path
) -> None:
    """The planner inlines it when it looks at the table's indexes, and pg_dump does not plan."""
    name = named(
        "shop",
        "CREATE FUNCTION plain(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)'",
        "CREATE FUNCTION key_of(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT public.plain($1)'",
        "CREATE TABLE person (id int PRIMARY KEY, name text, born date)",
        "CREATE INDEX ON person (key_of(name))",
        "CREATE INDEX ON person (born) WHERE key_of(name) <> ''",
        "INSERT INTO person VALUES (1, 'A', '2001-02-03')",
        "CREATE TABLE other AS SELECT * FROM person",
        "CREATE OR REPLACE FUNCTION key_of(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT plain($1)'",
    )
    assert dump(client, name, tmp_path) == (0, "")
    tables = fingerprint.read(tmp_path / "fingerprint.jsonl").tables
    assert tables["public.person"].checksum == tables["public.other"].checksum != 0


def test_bytes_of_no_encoding_are_dumped_and_proved(client: Client, named: Named, tmp_path: Path) -> None:
    """A SQL_ASCII database takes any bytes."""
    name = named("made") + "_ascii"
    try:
        for each in (name, f"{name}_2"):
            client.ask(f"CREATE DATABASE {each} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
        client.ask(r"CREATE TABLE t AS SELECT convert_from('\x4dfc', 'SQL_ASCII') AS v", name)
        source = r"|| quote_literal('SELECT 1 -- ' || convert_from('\xfc', 'SQL_ASCII'))"
        client.ask(f"DO $$ BEGIN EXECUTE 'CREATE FUNCTION f() RETURNS int LANGUAGE sql AS ' {source}; END $$", name)
        assert dump(client, name, tmp_path) == (0, "")
        assert proved(client, tmp_path, f"{name}_2")
        client.ask(r"UPDATE t SET v = convert_from('\x4dfd', 'SQL_ASCII')", f"{name}_2")
        other = client.fingerprint(f"{name}_2").tables["public.t"]
        assert other.checksum != fingerprint.read(tmp_path / "fingerprint.jsonl").tables["public.t"].checksum
    finally:
        for each in (name, f"{name}_2"):
            client.ask(f"DROP DATABASE IF EXISTS {each} WITH (FORCE)")


def test_a_pg_dump_that_fails_without_a_word_is_told_with_its_exit_code(
    client: Client, named: Named, tmp_path: Path
) -> None:
    name = named("shop", TABLES)
    code, said = dump(client, name, tmp_path / "backup", path=slow_pg_dump(client, tmp_path, "", "exit 3"))
    assert code != 0
    assert said_error(said) == "pg_dump exited with 3 without a message"
