"""A frozen production is read once: until a transaction writes, its fingerprint is the one taken before."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ops.core.sql_files import SQL_FOLDER
from ops.infra.postgres.embedded_server import Server
from ops.verdict import fingerprint
from tests.support.project import psql_env
from tests.support.servers import QUICK, own_server

FILLED = "CREATE TABLE t AS SELECT n FROM generate_series(1, 100) n; CREATE SEQUENCE s; SELECT nextval('s');"


@pytest.fixture(scope="module")
def quiet() -> Iterator[Server]:
    """A server on which nobody else writes, not even the server itself."""
    with own_server("quiet", {**QUICK, "autovacuum": "off"}) as server:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(FILLED)
        yield server


def psql(server: Server, file: str, **given: str) -> str:
    url = server.url("postgres")
    words = [str(server.bin / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1"]
    words += [word for name, value in given.items() for word in ("-v", f"{name}={value}")]
    env = psql_env(url) | {"OPS_SQL": str(SQL_FOLDER), "PATH": f"{server.bin}:/usr/bin:/bin"}
    done = subprocess.run([*words, "-f", str(SQL_FOLDER / file)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def again(server: Server, folder: Path) -> tuple[fingerprint.Fingerprint, bool]:
    """The fingerprint that is taken again, and whether the tables were read."""
    path = folder / "again.jsonl"
    path.write_text(psql(server, "fingerprint_again.sql", since=str(folder / "since.jsonl")))
    return fingerprint.read(path), '"marked"' not in path.read_text()


def test_tables_are_read_again_only_after_something_was_written(quiet: Server, tmp_path: Path) -> None:
    since = tmp_path / "since.jsonl"
    since.write_text(psql(quiet, "moment.sql") + psql(quiet, "fingerprint.sql") + '{"left_out": "marked", "why": ""}\n')
    known = fingerprint.read(since)
    found, read = again(quiet, tmp_path)
    assert not read and found == known
    with psycopg.connect(quiet.url("postgres"), autocommit=True) as user:
        user.execute("SELECT nextval('s')")
        found, read = again(quiet, tmp_path)
        assert found.sequences != known.sequences, "a sequence is no part of a transaction"
        user.execute("INSERT INTO t VALUES (101)")
    found, read = again(quiet, tmp_path)
    assert read and found.tables["public.t"].rows == 101


def test_a_fingerprint_without_a_moment_is_taken_anew(quiet: Server, tmp_path: Path) -> None:
    (tmp_path / "since.jsonl").write_text(psql(quiet, "fingerprint.sql") + '{"left_out": "marked", "why": ""}\n')
    assert again(quiet, tmp_path)[1]
