"""psql with the shipped SQL, called by the words that ``Query`` makes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from ops.core.sql_files import SQL_FOLDER
from ops.engine.command import Query, conninfo, fill
from ops.infra.postgres.client import service_file
from ops.infra.postgres.embedded_server import Server
from ops.verdict import fingerprint
from ops.verdict.fingerprint import Fingerprint

Finished = subprocess.CompletedProcess[str]
Rows = list[tuple[Any, ...]]
Env = dict[str, str] | None


class Client:
    """The embedded server's own psql, pg_dump and pg_restore, with a libpq service of the name ``it``."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        (folder / "services").write_text(service_file({"it": server.url("postgres")}))
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        self.env |= {"PATH": f"{server.bin}:{self.env['PATH']}", "PGSERVICEFILE": str(folder / "services")}
        self.env["OPS_SQL"] = str(SQL_FOLDER)

    def run(self, file: str, database: str = "postgres", /, *, env: Env = None, **given: str) -> Finished:
        """Run one file of ``ops/sql``; how it ended is the caller's business."""
        shell = fill(Query(file, "it", database, given).shell(), {"OPS_SQL": str(SQL_FOLDER)})
        return self.call(*map(str, shell.words), env=env)

    def must(self, file: str, database: str = "postgres", /, *, env: Env = None, **given: str) -> str:
        """Run one file that has to succeed. Gives what it printed."""
        return succeeded(self.run(file, database, env=env, **given))

    def call(self, *words: str, env: Env = None) -> Finished:
        """Call a program."""
        return subprocess.run(words, env=self.env | (env or {}), capture_output=True, text=True, timeout=60)

    def fingerprint(self, database: str) -> Fingerprint:
        """The fingerprint of a database, through a file as a run takes it."""
        path = self.folder / "fingerprint.jsonl"
        path.write_text(self.must("fingerprint.sql", database))
        return fingerprint.read(path)

    def restore(self, dump: Path, database: str) -> None:
        """pg_restore, stopping at the first error."""
        target = f"service=it dbname={conninfo(database)}"
        succeeded(self.call("pg_restore", "--exit-on-error", "--jobs=2", f"--dbname={target}", str(dump)))

    def connect(self, database: str, **options: Any) -> psycopg.Connection[Any]:
        """A session in autocommit."""
        return psycopg.connect(self.server.url(database), autocommit=True, **options)

    def ask(self, text: str, database: str = "postgres", **options: Any) -> Rows:
        """Execute statements in a session of its own; the rows of the last one that has any."""
        return self.execute(self.server.url(database), text, **options)

    @staticmethod
    def execute(url: str, text: str, **options: Any) -> Rows:
        """The same by URL."""
        rows: Rows = []
        with psycopg.connect(url, autocommit=True, **options) as connection:
            cursor = connection.execute(text.encode())
            while True:
                rows = cursor.fetchall() if cursor.description else rows
                if not cursor.nextset():
                    return rows


def succeeded(done: Finished) -> str:
    """What a program printed that had to succeed."""
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_role(name: str) -> dict[str, str]:
    """The environment in which psql works as another role."""
    return {"PGOPTIONS": "-c role=" + name.replace(" ", "\\ ")}


def known_bug(reason: str, raises: type[BaseException] = AssertionError) -> pytest.MarkDecorator:
    """What does not hold yet. When it is put right the test fails until this mark is taken off."""
    return pytest.mark.xfail(strict=True, raises=raises, reason=reason)


def name_of(url: str) -> str:
    """The database's name in a connection URL."""
    return str(conninfo_to_dict(url)["dbname"])


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
