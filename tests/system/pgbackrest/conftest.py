"""A PostgreSQL server of Debian's with a stanza of its own, and a project whose production it holds.

Debian's pgBackRest knows the servers that Debian has, and not the newer one that the other tests start.
"""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ops.infra.postgres.embedded_server import Server
from tests.conftest import Project, project_env
from tests.projects import write_project

USER = "postgres" if os.geteuid() == 0 else getpass.getuser()
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
CONF = """[global]
repo1-path={0}/repo
repo1-retention-full=9
log-path={0}/log
lock-path={0}/lock
log-level-file=off
start-fast=y
job-retry=0
[main]
pg1-path={0}/data
pg1-port={1}
pg1-socket-path={0}
"""


@dataclass
class Cluster:
    """A running server, its stanza `main`, and the folder for what is restored aside."""

    folder: Path
    port: int

    @property
    def aside(self) -> Path:
        return self.folder / "aside" / "shop"

    @property
    def config(self) -> Path:
        return self.folder / "pgbackrest.conf"

    @property
    def pushed(self) -> Path:
        """What is there when a copy has archived something."""
        return self.folder / "pushed"

    def run(self, *words: str, check: bool = True) -> str:
        """Run words as the server's user."""
        prefix = ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        done = subprocess.run([*prefix, *words], cwd="/", env=env, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def backrest(self, *words: str) -> str:
        return self.run("pgbackrest", f"--config={self.config}", "--stanza=main", *words)

    def control(self, *words: str) -> None:
        pg_ctl = str(PROGRAMS[-1].with_name("pg_ctl"))
        self.run(pg_ctl, "-D", f"{self.folder}/data", "-w", "-l", f"{self.folder}/server.log", *words)

    def backups(self) -> list[dict[str, Any]]:
        """What pgBackRest lists."""
        found: list[dict[str, Any]] = json.loads(self.backrest("--output=json", "info"))[0]["backup"]
        return found

    def url(self, database: str) -> str:
        return f"postgresql://postgres:nothing@127.0.0.1:{self.port}/{database}"

    def key(self) -> dict[str, Any]:
        """The inventory's."""
        found = {"stanza": "main", "config": str(self.config), "aside": f"{self.folder}/aside", "user": USER}
        return {**found, "type": "full"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if not shutil.which("pgbackrest") or not PROGRAMS:
        pytest.skip("pgBackRest and a PostgreSQL server are not installed: apt-get install pgbackrest postgresql")
    # What the server's user can reach; pytest's own folders are nobody else's.
    folder = Path("/var/tmp") / f"gp-{uuid.uuid4().hex[:8]}"
    folder.mkdir(mode=0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    if os.geteuid() == 0:
        shutil.chown(folder, USER)
    made = Cluster(folder, port)
    made.config.write_text(CONF.format(folder, port))
    push = f"pgbackrest --config={made.config} --stanza=main archive-push %p"
    given = {
        "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "archive_mode": "on",
        "archive_command": f"'{push}'", "fsync": "off", "max_wal_senders": "3",
    }  # fmt: skip
    try:
        initdb = (str(PROGRAMS[-1]), "-D", f"{folder}/data", "-U", "postgres", "-A", "trust")
        made.run(*initdb, "--encoding=UTF8", "--data-checksums", "--no-sync")
        made.control("-o", " ".join(f"-c {name}={value}" for name, value in given.items()), "start")
        made.backrest("stanza-create")
        _as_debian(made)
        yield made
    finally:
        made.run(str(PROGRAMS[-1].with_name("pg_ctl")), "-D", f"{folder}/data", "-m", "immediate", "stop", check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _as_debian(cluster: Cluster) -> None:
    """A server as one meets it: its configuration elsewhere, its settings in its own file, a tablespace.
    A copy of it must touch none of these."""
    cluster.run("rm", f"{cluster.folder}/data/postgresql.conf", f"{cluster.folder}/data/pg_hba.conf")
    cluster.run("mkdir", "-m", "700", f"{cluster.folder}/far")
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        # Its own command line goes before these; a copy's has to, too.
        connection.execute("ALTER SYSTEM SET archive_mode = 'on'")
        connection.execute(f"ALTER SYSTEM SET archive_command = 'touch {cluster.pushed}'")
        connection.execute("ALTER SYSTEM SET shared_preload_libraries = 'not_there'")
        connection.execute("ALTER SYSTEM SET shared_buffers = '900GB'")
        connection.execute(f"ALTER SYSTEM SET unix_socket_directories = '{cluster.folder}'")
        connection.execute(f"CREATE TABLESPACE far LOCATION '{cluster.folder}/far'")
        connection.execute("CREATE DATABASE shop")


@pytest.fixture(scope="module")
def shop(cluster: Cluster, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with rows, whose production is on that server."""
    folder = tmp_path_factory.mktemp("shop")
    write_project(folder, "b", {"engine": "pgbackrest", "pgbackrest": cluster.key()})
    url = cluster.url("shop")
    found = Project(folder, url, cluster.url("shop_test"), project_env(server, url, cluster.url("shop_test")))
    for words in (["migrate", "lessons", "0001"], ["migrate", "contenttypes"], ["migrate", "auth"], ["fill"]):
        found.manage(*words)
    found.query("ALTER TABLE lessons_lesson SET TABLESPACE far")
    return found
