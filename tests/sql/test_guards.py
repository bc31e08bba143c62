"""What must not happen: the wrong database dropped, copied, written to or dumped in part."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from ops.engine.command import conninfo
from ops.verdict import fingerprint
from ops.verdict.fingerprint import differences
from tests.support.client import Client, as_role, quoted

Named = Callable[..., str]
CLONE = "generalprobe clone of shop, run 7"


def mark(client: Client, database: str, comment: str) -> None:
    """Give a database a comment."""
    client.ask(f"COMMENT ON DATABASE {quoted(database)} IS '{comment}'")


@pytest.fixture
def foreign(client: Client, shared_foreign: str) -> str:
    """A database that is not ours, without a mark, for what must leave it alone."""
    client.ask(f"COMMENT ON DATABASE {shared_foreign} IS NULL")
    return shared_foreign


@pytest.fixture(scope="module")
def shared_foreign(shared: Named) -> str:
    return shared("foreign", "CREATE TABLE kept ()")


def marks(client: Client, *names: str) -> dict[str, str | None]:
    """Which of these databases are there, with their comments."""
    found = client.ask("SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database")
    return {name: comment for name, comment in found if name in names}


# --- create_database.sql


@pytest.mark.parametrize(
    "locale",
    ["ENCODING 'LATIN1' LOCALE 'C'", "ENCODING 'UTF8' LOCALE 'C.utf8'",
     "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'", "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.utf8'"],
)
def test_a_new_database_is_like_the_other(role: str, client: Client, named: Named, locale: str) -> None:
    like = named("a") + " lïke"
    new = like + " new"
    client.ask(f"CREATE DATABASE {quoted(like)} TEMPLATE template0 OWNER {quoted(role)} {locale}")
    client.must("create_database.sql", name=new, like=like, marker=CLONE, run="7")
    facts = "datdba, encoding, datcollate, datctype, datlocprovider, datlocale, dattablespace"
    assert len(client.ask(f"SELECT DISTINCT {facts} FROM pg_database WHERE datname IN ('{like}', '{new}')")) == 1
    assert marks(client, new) == {new: CLONE}


@pytest.mark.parametrize(
    ("suffix", "comment"), [("x", CLONE), ("spare_run7", None)], ids=["of this mark", "of this run, not marked yet"]
)
def test_what_this_run_made_is_made_anew(client: Client, named: Named, suffix: str, comment: str | None) -> None:
    name = named(suffix, "CREATE TABLE half ()")
    if comment:
        mark(client, name, comment)
    client.must("create_database.sql", name=name, like="postgres", marker=CLONE, run="run7")
    assert client.ask("SELECT to_regclass('half')", name) == [(None,)]
    assert marks(client, name) == {name: CLONE}


@pytest.mark.parametrize(
    ("suffix", "comment"),
    [("x", None), ("x", "generalprobe clone of shop, run 6"), ("x", "ours: keep"), ("spare_run7", "ours: keep")],
    ids=["unmarked", "of another run", "of another mark", "of this run's name, but marked by others"],
)
def test_a_database_that_this_run_did_not_make_is_not_dropped(
    client: Client, named: Named, suffix: str, comment: str | None
) -> None:
    name = named(suffix, "CREATE TABLE kept ()")
    if comment:
        mark(client, name, comment)
    done = client.run("create_database.sql", name=name, like="postgres", marker=CLONE, run="run7")
    assert (done.returncode, "already exists" in done.stderr) == (3, True)
    assert client.ask("SELECT to_regclass('kept')::text", name) == [("kept",)]
    assert marks(client, name) == {name: comment}


def test_a_foreign_database_is_not_marked_where_the_other_is_missing(client: Client, foreign: str) -> None:
    client.run("create_database.sql", name=foreign, like=f"{foreign}_missing", marker=CLONE, run="run7")
    assert marks(client, foreign) == {foreign: None}


# --- copy_database.sql, drop_database.sql


def test_a_marked_clone_is_copied_though_somebody_is_in_it(client: Client, named: Named) -> None:
    source = named("It's a clone", "CREATE TABLE t AS SELECT 1 AS v")
    copy = source + ' "copy"'
    mark(client, source, CLONE)
    with client.connect(source):
        client.must("copy_database.sql", source=source, name=copy, marker="generalprobe clone before, run 7")
    assert client.ask("SELECT v FROM t", copy) == [(1,)]
    assert marks(client, copy) == {copy: "generalprobe clone before, run 7"}
    client.ask("INSERT INTO t VALUES (2)", source)
    client.must("copy_database.sql", source=source, name=copy, marker="generalprobe clone before, run 8")
    assert client.ask("SELECT count(*) FROM t", copy) == [(2,)]


@pytest.mark.parametrize("comment", [None, "production", "a generalprobe clone of shop"])
def test_a_source_without_a_clones_mark_is_not_copied(client: Client, foreign: str, comment: str | None) -> None:
    if comment:
        mark(client, foreign, comment)
    with client.connect(foreign) as session:
        done = client.run("copy_database.sql", source=foreign, name=f"{foreign}_copy", marker=CLONE)
        assert (done.returncode, "is not marked as a clone" in done.stderr) == (3, True)
        session.execute("SELECT 1")
    assert marks(client, f"{foreign}_copy") == {}


def test_a_copy_does_not_replace_an_unmarked_database(client: Client, named: Named, foreign: str) -> None:
    source = named("source")
    mark(client, source, CLONE)
    assert client.run("copy_database.sql", source=source, name=foreign, marker=CLONE).returncode == 3
    assert client.ask("SELECT to_regclass('kept')::text", foreign) == [("kept",)]
    assert marks(client, foreign) == {foreign: None}


def test_a_marked_database_is_dropped_and_a_missing_one_is_none_to_drop(client: Client, named: Named) -> None:
    name = named("It's \"ours\"")
    mark(client, name, CLONE)
    with client.connect(name):
        for _ in range(2):
            client.must("drop_database.sql", name=name, marker="generalprobe clone ")
            assert marks(client, name) == {}


@pytest.mark.parametrize(
    ("comment", "marker"),
    [(None, "generalprobe clone "), (None, ""), ("production", "generalprobe clone "),
     ("see generalprobe clone ", "generalprobe clone "), (CLONE, "generalprobe clone of shop, run 77"),
     ("generalprobeXclone ", "generalprobe_clone ")],
)
def test_a_database_of_another_mark_is_not_dropped(
    client: Client, foreign: str, comment: str | None, marker: str
) -> None:
    if comment:
        mark(client, foreign, comment)
    done = client.run("drop_database.sql", name=foreign, marker=marker)
    assert (done.returncode, "so it is not dropped" in done.stderr) == (3, True)
    assert marks(client, foreign) == {foreign: comment}


# --- check_identity.sql, check_not_production.sql


def system(client: Client) -> str:
    return str(client.ask("SELECT system_identifier FROM pg_control_system()")[0][0])


def test_the_identity_holds_for_this_server_and_database_only(client: Client, named: Named) -> None:
    name = named("It's \"shop\"")
    client.must("check_identity.sql", name, system=system(client), database=name)
    for given, said in (({"system": "1"}, "is not the planned"), ({"database": "shop"}, "not shop")):
        done = client.run("check_identity.sql", name, **{"system": system(client), "database": name, **given})
        assert (done.returncode, said in done.stderr) == (3, True)


@pytest.mark.parametrize(("name", "other"), [("shop", "spare"), ("test", "shop"), ("shop", "shop")])
def test_production_is_not_replaced(client: Client, name: str, other: str) -> None:
    given = {"planned": "", "system": system(client), "database": "shop"}
    done = client.run("check_not_production.sql", name=name, other=other, **given)
    assert (done.returncode, "shop on this server is production itself" in done.stderr) == (3, True)


@pytest.mark.parametrize(("on", "name"), [("here", "shop_test"), ("here", "sho"), ("there", "shop")])
def test_another_database_or_one_of_another_server_may_be_replaced(client: Client, on: str, name: str) -> None:
    where = {"here": system(client), "there": "1"}[on]
    given = {"planned": system(client), "system": where, "database": "shop"}
    client.must("check_not_production.sql", name=name, other="spare", **given)


def test_a_test_server_that_was_not_planned_for_is_refused(client: Client) -> None:
    given = {"planned": "1", "system": "2", "database": "shop", "name": "test", "other": "spare"}
    done = client.run("check_not_production.sql", **given)
    assert (done.returncode, "is not the planned" in done.stderr) == (3, True)


@pytest.mark.parametrize("name", ["a\nb", "\n", "a\n"])
def test_a_line_break_in_a_name_does_not_hide_production(client: Client, name: str) -> None:
    given = {"planned": "", "system": system(client), "database": name, "name": name, "other": "spare"}
    done = client.run("check_not_production.sql", **given)
    assert (done.returncode, "is production itself" in done.stderr) == (3, True)


# --- check_clone.sql


def test_a_clone_is_known_by_server_name_and_mark(client: Client, named: Named) -> None:
    name = named("It's a \"clone\"")
    mark(client, name, CLONE)
    good = {"system": system(client), "database": name, "marker": CLONE}
    client.must("check_clone.sql", name, **good)
    wrong = {"system": "1", "database": "shop", "marker": "generalprobe clone of other, run "}
    for key, said in (("system", "is not the planned"), ("database", "not shop"), ("marker", "does not have the mark")):
        done = client.run("check_clone.sql", name, **{**good, key: wrong[key]})
        assert (done.returncode, said in done.stderr) == (3, True), done.stderr
    mark(client, name, "")
    assert "does not have the mark" in client.run("check_clone.sql", name, **good).stderr


# --- freeze.sql, unfreeze.sql, check_frozen.sql


def test_a_frozen_database_reads_and_refuses_to_write(client: Client, named: Named) -> None:
    name = named("It's \"live\"", "CREATE TABLE t (v int)")
    with client.connect(name) as former, client.connect("postgres") as elsewhere:
        former.execute("BEGIN; INSERT INTO t VALUES (1)")
        client.must("freeze.sql", live=name)
        with pytest.raises(psycopg.errors.AdminShutdown):
            former.execute("SELECT 1")
        elsewhere.execute("SELECT 1")
    assert client.ask("SELECT count(*) FROM t", name) == [(0,)]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        client.ask("INSERT INTO t VALUES (2)", name)
    client.ask("INSERT INTO t VALUES (3)", name, options="-c default_transaction_read_only=off")
    client.must("check_frozen.sql", name, wanted="on")
    assert "default_transaction_read_only is on, not off" in client.run("check_frozen.sql", name, wanted="off").stderr


def test_it_takes_writes_again_when_unfrozen(client: Client, named: Named) -> None:
    name = named("live", "CREATE TABLE t (v int)")
    client.must("freeze.sql", live=name)
    with client.connect(name) as frozen:
        for _ in range(2):
            client.must("unfreeze.sql", live=name)
        with pytest.raises(psycopg.errors.AdminShutdown):
            frozen.execute("SELECT 1")
    client.ask("INSERT INTO t VALUES (1)", name)
    client.must("check_frozen.sql", name, wanted="off")
    assert client.run("check_frozen.sql", name, wanted="on").returncode == 3
    left = "SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
    assert client.ask(f"{left} WHERE datname = '{name}'") == []


def test_another_applications_session_is_not_ended_but_said(
    role: str, other_role: str, client: Client, named: Named
) -> None:
    name = named("live", "CREATE TABLE t (v int)")
    client.ask(f"ALTER DATABASE {name} OWNER TO {quoted(role)}")
    with client.connect(name, user=other_role, password="x") as other, client.connect(name):
        assert client.run("freeze.sql", live=name, env=as_role(role)).returncode == 3
        other.execute("SELECT 1")
    client.must("freeze.sql", live=name, env=as_role(role))


def test_a_session_that_begins_during_the_freeze_cannot_write(own: Client) -> None:
    own.ask("CREATE DATABASE shop")
    own.ask("CREATE TABLE t (v int)", "shop")
    opened: list[psycopg.Connection] = []
    slow = threading.Thread(target=lambda: opened.append(own.connect("shop", options="-c post_auth_delay=1")))
    slow.start()
    starting = "SELECT pid FROM pg_locks l JOIN pg_database d ON l.objid = d.oid AND datname = 'shop'"
    while slow.is_alive() and not own.ask(starting):
        time.sleep(0.01)
    time.sleep(0.2)
    own.must("freeze.sql", live="shop")
    slow.join()
    with opened[0] as session, pytest.raises(psycopg.Error):
        session.execute("INSERT INTO t VALUES (1)")


# --- carry_over.sql, check_carried.sql


@pytest.fixture
def alike(role: str, client: Client, both: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """Two databases with the same owner, grants and settings; what a test sets is taken back."""
    yield both
    for name in map(quoted, both):
        client.ask(f"ALTER DATABASE {name} RESET ALL; ALTER ROLE {quoted(role)} IN DATABASE {name} RESET ALL;"
                   f"ALTER DATABASE {name} CONNECTION LIMIT -1; ALTER DATABASE {name} OWNER TO postgres;"
                   f"REVOKE ALL ON DATABASE {name} FROM PUBLIC, {quoted(role)};"
                   f"GRANT CONNECT, TEMPORARY ON DATABASE {name} TO PUBLIC")


@pytest.fixture(scope="module")
def both(client: Client, shared: Named) -> Iterator[tuple[str, str]]:
    """Names that need quotes."""
    stem = shared("carry")
    found = f"{stem} It's a", f'{stem} b "x"'
    for name in found:
        client.ask(f"CREATE DATABASE {quoted(name)}")
    yield found
    for name in found:
        client.ask(f"DROP DATABASE {quoted(name)} WITH (FORCE)")


def test_nothing_set_is_carried_already(client: Client, alike: tuple[str, str]) -> None:
    source, name = alike
    client.must("carry_over.sql", source=source, name=name)
    client.must("check_carried.sql", source=source, name=name)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("ALTER DATABASE {db} CONNECTION LIMIT 7", "connection limit"),
        ("REVOKE CONNECT ON DATABASE {db} FROM PUBLIC", "grants"),
        ("REVOKE ALL ON DATABASE {db} FROM PUBLIC; GRANT CONNECT, CREATE ON DATABASE {db} TO {role}", "grants"),
        ("GRANT CONNECT ON DATABASE {db} TO {role} WITH GRANT OPTION", "grants"),
        ("ALTER DATABASE {db} SET search_path = shop, public", "settings"),
        ("ALTER DATABASE {db} SET search_path = '$user', \"Schéma 2\", 'a,b'", "settings"),
        ("ALTER DATABASE {db} SET datestyle = 'SQL, DMY'; ALTER DATABASE {db} SET work_mem = '12MB'", "settings"),
        ("ALTER DATABASE {db} SET shop.tenant = 'it''s x=y, \"z\" \\ '", "settings"),
        ("ALTER ROLE {role} IN DATABASE {db} SET statement_timeout = '9s'", "settings"),
        ("ALTER ROLE {role} IN DATABASE {db} SET search_path = a, b; ALTER DATABASE {db} SET jit = off", "settings"),
        ("ALTER DATABASE {db} SET search_path = ''", "settings"),
        ("ALTER DATABASE {db} SET local_preload_libraries = 'a', 'b'", "settings"),
    ],
)
def test_what_belongs_to_a_database_is_carried_over(
    role: str, client: Client, alike: tuple[str, str], wanted: str, said: str
) -> None:
    source, name = alike
    client.ask(wanted.format(db=quoted(source), role=quoted(role)))
    before = client.run("check_carried.sql", source=source, name=name)
    assert (before.returncode, f"not copied: {said}" in before.stderr) == (3, True)
    for _ in range(2):
        client.must("carry_over.sql", source=source, name=name)
        client.must("check_carried.sql", source=source, name=name)


def test_who_was_shut_out_stays_shut_out(role: str, client: Client, alike: tuple[str, str]) -> None:
    source, name = alike
    client.ask("SELECT 1", name, user=role, password="x")
    client.ask(f"REVOKE CONNECT ON DATABASE {quoted(source)} FROM PUBLIC")
    client.must("carry_over.sql", source=source, name=name)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        client.ask("SELECT 1", name, user=role, password="x")


def test_another_owner_or_a_missing_database_is_not_carried(role: str, client: Client, alike: tuple[str, str]) -> None:
    source, name = alike
    client.ask(f"ALTER DATABASE {quoted(source)} OWNER TO {quoted(role)}")
    assert "not copied: owner" in client.run("check_carried.sql", source=source, name=name).stderr
    assert "does not exist" in client.run("check_carried.sql", source=source, name=f"{name}_none").stderr


# --- leftovers.sql


def test_only_the_sessions_of_that_application_are_ended(client: Client, named: Named) -> None:
    name = named("live")
    names = ("generalprobe 7'a", "generalprobe 8", "generalprobe 7'a 1")
    left, other, longer = (client.connect(name, application_name=said) for said in names)
    with other, longer:
        client.must("leftovers.sql", application="generalprobe 7'a", env={"PGAPPNAME": "generalprobe 7'a"})
        with pytest.raises(psycopg.errors.AdminShutdown):
            left.execute("SELECT 1")
        other.execute("SELECT 1")
        longer.execute("SELECT 1")


# --- dump.sql


def dump(client: Client, database: str, folder: Path, **env: str) -> tuple[int, str]:
    """Dump a database into a folder; the exit code and what was said."""
    services = (client.folder / "services").read_text()
    (folder / "services").write_text(services.replace("dbname=postgres", f"dbname={database}"))
    given = {"service": "it", "folder": str(folder), "jobs": "2", "compress": "1"}
    done = client.run("dump.sql", database, env={"PGSERVICEFILE": str(folder / "services"), **env}, **given)
    return done.returncode, done.stderr


LEDGER = """
CREATE TABLE entry (id serial PRIMARY KEY, note text); CREATE TABLE mirror (id serial PRIMARY KEY, entry int);
CREATE TABLE ballast AS SELECT n, repeat(md5(n::text), 4) AS v FROM generate_series(1, 60000) n;
"""


class Writer(threading.Thread):
    """Inserts into both tables in one transaction, over and over."""

    def __init__(self, client: Client, database: str) -> None:
        super().__init__(daemon=True)
        self.client, self.database, self.done = client, database, threading.Event()

    def run(self) -> None:
        both = "INSERT INTO entry (note) VALUES ('x'); INSERT INTO mirror (entry) SELECT max(id) FROM entry"
        with self.client.connect(self.database) as session:
            while not self.done.is_set():
                session.execute(f"BEGIN; {both}; COMMIT".encode())


def test_a_dump_without_its_program_is_refused(client: Client, named: Named, tmp_path: Path) -> None:
    code, said = dump(client, named("shop", LEDGER), tmp_path, OPS_SQL="")
    assert code and "OPS_SQL of the environment is not the folder of dump.sql" in said
    assert [path.name for path in tmp_path.iterdir()] == ["services"]


def test_a_dump_during_writing_has_exactly_its_fingerprint(client: Client, named: Named, tmp_path: Path) -> None:
    folder = tmp_path / "It's a \"dümp\" $HOME"
    folder.mkdir()
    name, copy = named("shop", LEDGER), named("copy")
    writer = Writer(client, name)
    writer.start()
    time.sleep(0.1)
    assert dump(client, name, folder) == (0, "")
    writer.done.set()
    writer.join()

    taken = fingerprint.read(folder / "fingerprint.jsonl")
    rows = {table: found.rows for table, found in taken.tables.items()}
    assert 0 < rows["public.entry"] == rows["public.mirror"] < client.ask("SELECT count(*) FROM entry", name)[0][0]
    assert not [path.name for path in folder.iterdir() if path.name.startswith("notes")]

    client.restore(folder / "dump", copy)
    restored = client.fingerprint(copy)
    assert differences(taken, restored) == []
    assert (restored.tables, restored.schema) == (taken.tables, taken.schema)


@pytest.mark.parametrize("last_words", ["exit 1", "exit 137", "kill -9 $PPID"])
def test_a_dump_that_fails_is_an_error(client: Client, named: Named, tmp_path: Path, last_words: str) -> None:
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho 'no space left on device' >&2\n{last_words}\n")
    program.chmod(0o755)
    code, said = dump(client, named("shop"), tmp_path, PATH=f"{program.parent}:{client.env['PATH']}")
    assert code == 3
    assert "no space left on device" in said
    assert "pg_dump failed" in said
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith("notes")]


def test_a_dump_into_a_folder_that_cannot_be_written_is_an_error(client: Client, named: Named, tmp_path: Path) -> None:
    (tmp_path / "dump").write_text("in the way")
    code, said = dump(client, named("shop"), tmp_path)
    assert (code, "pg_dump failed" in said) == (3, True)


def test_a_dump_without_pg_dump_is_an_error(client: Client, named: Named, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "mktemp", "cat", "sleep", "rm", "test", "kill"):
        (programs / name).symlink_to(f"/bin/{name}")
    (programs / "psql").symlink_to(client.server.bin / "psql")
    code, said = dump(client, named("shop"), tmp_path, PATH=str(programs))
    assert (code, "pg_dump failed" in said) == (3, True)


def test_conninfo_finds_a_database_of_any_name(client: Client, named: Named) -> None:
    name = named("It's a \\ \"x\" = y")
    assert conninfo(name) != name
    client.must("check_identity.sql", name, system=system(client), database=name)
