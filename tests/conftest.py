"""Real parts for the tests: an embedded PostgreSQL, Django projects with the incident's four variants, and ``inv``."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from ops.embedded import Server
from tests.projects import write_project
from tests.support.django_server import launcher
from tests.support.done import Done
from tests.support.invoked import invoke, possible

ROOT = Path(__file__).parent.parent
# The tests' server need not survive a power cut.
QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """An embedded server of the tests' own; reused while it runs, stopped by the last process that uses it."""
    folder = ROOT / ".embedded" / "tests"
    folder.mkdir(parents=True, exist_ok=True)
    found = Server(folder, QUICK)
    with open(folder / "users", "w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        found.start()
        yield found
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        found.stop()


@pytest.fixture
def make_database(server: Server) -> Iterator[Callable[..., str]]:
    """Creates databases of a unique name and drops all that begin with it at the end. Gives the connection URL."""
    stem = f"t{uuid.uuid4().hex[:8]}"

    def make(name: str, template: str = "template1") -> str:
        with admin(server) as connection:
            words = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(words.format(sql.Identifier(f"{stem}_{name}"), sql.Identifier(template)))
        return server.url(f"{stem}_{name}")

    yield make
    drop_databases(server, stem)


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
    return launcher().environ(env) if quick else env


@pytest.fixture(scope="session")
def old_release(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database at the old release, filled; each project's production is a copy of it."""
    name = f"old{uuid.uuid4().hex[:8]}"
    with admin(server) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = server.url(name)
    made = Project(tmp_path_factory.mktemp("old"), url, url, project_env(server, url, url))
    write_project(made.folder, "b", {})
    for words in (["migrate", "lessons", "0001"], ["migrate", "contenttypes"], ["migrate", "auth"], ["fill"]):
        made.manage(*words)
    yield name
    drop_databases(server, name)


@pytest.fixture
def project(
    tmp_path: Path, server: Server, old_release: str, make_database: Callable[..., str]
) -> Callable[..., Project]:
    """Makes a project whose production is at the old release, with one of the variants as its pending migration."""

    def make(variant: str, **target: object) -> Project:
        folder = tmp_path / "project"
        folder.mkdir()
        production = make_database("shop", old_release)
        test = production.replace("_shop", "_test")
        write_project(folder, variant, target)
        return Project(folder, production, test, project_env(server, production, test))

    return make


def pytest_configure() -> None:
    """The tests need git, and Ctrl-C: a shell lets what it runs in the background ignore it, and so would the tools."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert shutil.which("git"), "git is needed"
