"""A Django project of the tests', with its databases, and the ways to call ``inv`` there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from ops.infra.postgres.embedded_server import Server
from tests.support.done import Done
from tests.support.fork_server import launcher
from tests.support.invoked import invoke, possible

ROOT = Path(__file__).parents[2]


def drop_databases(server: Server, stem: str) -> None:
    """Drop every database whose name begins with ``stem``."""
    with admin(server) as connection:
        names = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [stem]).fetchall()
        for (name,) in names:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def admin(server: Server) -> psycopg.Connection[Any]:
    """A connection to the server's ``postgres`` database."""
    return psycopg.connect(server.url("postgres"), autocommit=True)


@dataclass
class Project:
    """A Django project with an inventory, a production database and a name for its test database."""

    folder: Path
    production: str
    test: str
    env: dict[str, str] = field(default_factory=dict)

    @classmethod
    def at(cls, folder: Path, server: Server, stem: str) -> Project:
        """The project in a folder whose databases begin with ``stem``."""
        production, test = server.url(f"{stem}_shop"), server.url(f"{stem}_test")
        return cls(folder, production, test, project_env(server, production, test))

    def command(self, *words: str) -> list[str]:
        """The words of an ``inv`` call."""
        return [sys.executable, "-m", "invoke", *words]

    def inv(self, *words: str) -> Done:
        """Call ``inv`` as a person without a terminal would, inside this process."""
        return invoke(words, self.folder, self.env) if possible() else self.process(*words)

    def process(self, *words: str, timeout: float = 120) -> Done:
        """Call ``inv`` in a process of its own: for what a call in this one can't show."""
        done = subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def manage(self, *words: str) -> str:
        """Call the application's ``manage.py`` on production."""
        done = subprocess.run(
            ["python", "manage.py", *words], cwd=self.folder / "shop", env=self.env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def query(self, text: str, database: str = "") -> list[tuple[Any, ...]]:
        """Ask production."""
        with psycopg.connect(self.production, autocommit=True, **({"dbname": database} if database else {})) as c:
            cursor = c.execute(text.encode())
            return cursor.fetchall() if cursor.description else []

    def beside(self, what: str) -> list[str]:
        """The databases ``<production>_<what>_<run>``: only this project's, since other tests use the server, too."""
        stem = f"{self.production.rsplit('/', 1)[1]}_{what}_"
        return [
            str(name) for (name,) in self.query("SELECT datname FROM pg_database", "postgres") if name.startswith(stem)
        ]

    def fingerprint(self) -> dict[str, tuple[int, str]]:
        """Rows and checksum of every production table, by the shipped SQL."""
        done = subprocess.run(
            ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", str(ROOT / "ops/sql/fingerprint.sql")],
            env=self.env | psql_env(self.production),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return {line["table"]: (line["rows"], line["checksum"]) for line in lines if "table" in line}


def psql_env(url: str) -> dict[str, str]:
    """libpq's variables for a URL."""
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(url)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    return {names[key]: str(value) for key, value in parts.items() if key in names}


def project_env(server: Server, production: str, test: str, *, quick: bool = True) -> dict[str, str]:
    """The environment of a project's operator.

    Args:
        quick: ``python manage.py`` is a fork of a process that has imported Django.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), str(server.bin), os.environ["PATH"]])
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "OPS_", "DJANGO"))}
    env |= {"PATH": path, "PYTHONPATH": str(ROOT), "DATABASE_URL": production, "TEST_DATABASE_URL": test}
    # As if the environment that the tests run in were active: what stands before it on PATH stays before it.
    env["VIRTUAL_ENV"] = sys.prefix
    # The application's few modules are compiled as quickly as they are written, and its folder stays as it is.
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    return launcher().environ(env) if quick else env


def begin(shop: Project, step: str, *words: str) -> subprocess.Popen[str]:
    """Start ``inv`` in a process of its own, and return when its journal says that a step has begun."""
    journals = "backups/shop/runs/*/journal.jsonl"
    known = {path: path.stat().st_size for path in shop.folder.glob(journals)}
    read = dict(known)
    process = subprocess.Popen(
        shop.command(*words),
        cwd=shop.folder,
        env=shop.env,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell's background job inherits a SIGINT that is ignored; the tests mean a person's.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for journal in shop.folder.glob(journals):
            if (size := journal.stat().st_size) == read.get(journal):
                continue
            read[journal] = size
            if f'"step": "{step}", "status": "begun"' in journal.read_text()[known.get(journal, 0) :]:
                return process
        time.sleep(0.002)
    raise AssertionError(f"{step} was never begun: {process.communicate()}")


def ended(process: subprocess.Popen[str]) -> Done:
    """How a started ``inv`` ended."""
    out, err = process.communicate(timeout=60)
    return Done(process.returncode, out, err)


def wait_for(condition: Any, seconds: float = 20) -> bool:
    """Return True as soon as a condition holds, False if it does not within the seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
