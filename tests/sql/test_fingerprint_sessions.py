"""A fingerprint that several sessions read: the same as by one, whatever happens to the other sessions."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.core.errors import OpsError
from ops.core.sql_files import SQL_FOLDER
from ops.engine.command import Query, fill
from ops.verdict import fingerprint
from tests.support.client import Client, as_role, quoted
from tests.support.project import wait_for

Named = Callable[..., str]

ROWS = "SELECT n AS id, repeat(md5(n::text), 6) AS v FROM generate_series(1, {}) n"
CONTENT = (
    f"CREATE TABLE large AS {ROWS.format(120000)}",
    f"CREATE TABLE middle AS {ROWS.format(40000)}",
    "DELETE FROM large WHERE id % 3 = 0",
    "CREATE TABLE empty (id int)",
    'CREATE TABLE "odd ""name"" with \'quotes\'" AS SELECT 1 AS "x", 2 AS "y"',
    "VACUUM ANALYZE large",
)


@pytest.fixture(scope="module")
def large(shared: Named) -> str:
    """Large enough that several sessions read it: more than 4,000 blocks."""
    return shared("sessions", *CONTENT)


def read(client: Client, database: str, *, env: dict[str, str] | None = None, **given: str) -> fingerprint.Fingerprint:
    """The fingerprint as a run takes it."""
    given.setdefault("connection", f"service=it dbname={database}")
    path = client.folder / "read.jsonl"
    path.write_text(client.must("fingerprint.sql", database, env=env, **given))
    return fingerprint.read(path)


def parts(client: Client) -> int:
    """How many lines of the last fingerprint are a part of a table."""
    return sum("part" in json.loads(line) for line in (client.folder / "read.jsonl").read_text().splitlines())


def helper(client: Client, folder: Path, text: str) -> dict[str, str]:
    """The environment in which the other sessions' psql is a program that does something first."""
    folder.mkdir()
    real = client.server.bin / "psql"
    (folder / "psql").write_text(f'#!/bin/sh\ncase "$*" in *table_helper.sql*) {text} ;; esac\nexec {real} "$@"\n')
    (folder / "psql").chmod(0o755)
    return client.env | {"PATH": f"{folder}:{client.env['PATH']}"}


@pytest.mark.parametrize("sessions", ["2", "3", "7"])
def test_several_sessions_find_the_same(client: Client, large: str, sessions: str) -> None:
    assert read(client, large, sessions=sessions) == read(client, large)
    read(client, large, sessions=sessions)
    assert parts(client) > 3


def test_many_small_tables_are_shared_out(client: Client, named: Named) -> None:
    name = named("many", ";".join(f"CREATE TABLE t{n} AS SELECT {n} AS v" for n in range(420)))
    assert read(client, name, sessions="3") == read(client, name)


def test_little_is_read_by_one(client: Client, named: Named) -> None:
    name = named("little", "CREATE TABLE t AS SELECT 1 AS v")
    read(client, name, sessions="4", connection="service=nowhere")
    assert parts(client) == 0


@pytest.mark.parametrize("broken", ["unreachable", "killed", "no folder"])
def test_the_first_session_reads_what_another_one_could_not(
    client: Client, large: str, tmp_path: Path, broken: str
) -> None:
    given: dict[str, Any] = {
        "unreachable": {"connection": "service=nowhere"},
        "killed": {"env": helper(client, tmp_path / "bin", f"touch {tmp_path}/begun; kill -9 $$")},
        "no folder": {"env": {"TMPDIR": str(tmp_path / "missing")}},
    }[broken]
    assert read(client, large, sessions="3", **given) == read(client, large)
    assert (tmp_path / "begun").exists() == (broken == "killed")


def test_who_waits_for_a_table_that_is_locked_is_not_waited_for(client: Client, large: str, tmp_path: Path) -> None:
    """Its request stands between the first session's lock and another session's request for the same table."""
    with client.connect(large) as waiting:
        pid = waiting.info.backend_pid
        until = f"touch {tmp_path}/begun; until [ -e {tmp_path}/waits ]; do sleep 0.05; done"
        env = helper(client, tmp_path / "bin", until)

        def lock() -> None:
            wait_for(lambda: (tmp_path / "begun").exists())
            waiting.execute("BEGIN; LOCK TABLE large IN ACCESS EXCLUSIVE MODE; COMMIT")

        def note() -> None:
            query = f"SELECT true FROM pg_locks WHERE pid = {pid} AND NOT granted"
            wait_for(lambda: bool(client.ask(query)))
            (tmp_path / "waits").touch()

        threads = [threading.Thread(target=one) for one in (lock, note)]
        for one in threads:
            one.start()
        found = read(client, large, env=env, sessions="2")
        for one in threads:
            one.join(20)
    assert found == read(client, large)
    assert (tmp_path / "waits").exists()


def test_what_a_role_may_not_read_is_an_error_with_the_servers_words(role: str, client: Client, named: Named) -> None:
    name = named("forbidden", *CONTENT)
    for words in ("GRANT SELECT ON ALL TABLES IN SCHEMA public TO", "REVOKE SELECT ON middle FROM"):
        client.ask(f"{words} {quoted(role)}", name)
    done = client.run("fingerprint.sql", name, env=as_role(role), sessions="4", connection=f"service=it dbname={name}")
    assert done.returncode
    assert "permission denied for table middle" in done.stderr
    assert '"complete"' not in done.stdout


def test_the_other_sessions_end_with_the_first_one(client: Client, large: str, tmp_path: Path) -> None:
    env = helper(client, tmp_path / "bin", f"echo $$ > {tmp_path}/pid; exec sleep 60")
    given = {"sessions": "2", "connection": f"service=it dbname={large}"}
    words = fill(Query("fingerprint.sql", "it", large, given).shell(), {"OPS_SQL": str(SQL_FOLDER)}).words
    first = subprocess.Popen(list(map(str, words)), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip() != "")
    number = int((tmp_path / "pid").read_text())
    first.send_signal(signal.SIGKILL)
    # Nothing holds the pipe of the one that is gone.
    first.communicate(timeout=10)
    begun = time.monotonic()
    wait_for(lambda: not Path(f"/proc/{number}").exists())
    assert time.monotonic() - begun < 10


def test_a_table_of_which_a_part_is_missing_is_no_fingerprint(client: Client, large: str) -> None:
    read(client, large, sessions="2")
    path = client.folder / "read.jsonl"
    lines = path.read_text().splitlines()
    (path).write_text("\n".join(line for line in lines if json.loads(line).get("part") != 2))
    with pytest.raises(OpsError, match="truncated"):
        fingerprint.read(path)
