"""Backup and proved clone against the tools that only copy: side by side, interleaved, medians of ratios.

Run: `python bench/release.py [--rows N] [--tables N] [--rounds N]`. It makes two databases on a server of its own, one
with a few large tables and one with very many small ones, and copies each on that server by

- `inv clone-prod-to-test`: dump, fingerprint, restore of that dump, proof by fingerprint, swap;
- `pgcopydb clone`, where it is installed (Debian: apt-get install pgcopydb);
- `pg_dump -Fc` and then `pg_restore`, as they are.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.fingerprint import LARGE, SMALL, database, interleaved, tell
from bench.servers import ROOT, asked, cannot, programs, served
from ops.core.errors import OpsError
from ops.infra.postgres.embedded_server import Server

KEYS = """
ALTER TABLE accounts ADD PRIMARY KEY (aid); ALTER TABLE orders ADD PRIMARY KEY (id);
ALTER TABLE events ADD PRIMARY KEY (id);
CREATE INDEX ON orders (email); CREATE INDEX ON orders (placed);
CREATE INDEX ON events (session_id); CREATE INDEX ON events (at);
"""
INVENTORY = """
all:
  vars: {store: store}
  children:
    production:
      hosts:
        shop: {database: "env:DATABASE_URL", test: shop-test}
    test:
      hosts:
        shop-test: {database: "env:TEST_DATABASE_URL"}
"""


class Copies:
    """The three ways to copy one database; each begins on empty ground."""

    def __init__(self, server: Server, name: str, folder: Path) -> None:
        self.server, self.name, self.folder = server, name, folder
        folder.mkdir()
        (folder / "inventory.yaml").write_text(INVENTORY)
        (folder / "tasks.py").write_text("from ops.tasks import namespace\n__all__ = ['namespace']\n")
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "OPS_"))}
        self.env |= {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(server.bin), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": server.url(name),
            "TEST_DATABASE_URL": server.url(f"{name}_test"),
            "TMPDIR": str(folder),
        }

    def call(self, *words: str) -> str:
        """Run a program that has to succeed; what it printed."""
        done = subprocess.run(
            words, cwd=self.folder, env=self.env, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            raise OpsError(f"{' '.join(words[:2])} failed: {(done.stderr or done.stdout).strip()[-500:]}")
        return done.stdout

    def ask(self, *statements: str) -> None:
        """Execute statements as the superuser."""
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def clean(self, copy: str) -> None:
        """Nothing of an earlier round is left, and no checkpoint of it is still being written."""
        self.ask(
            f"DROP DATABASE IF EXISTS {copy} WITH (FORCE)", f"CREATE DATABASE {copy} TEMPLATE template0", "CHECKPOINT"
        )

    def before_ours(self) -> None:
        """No test database, no kept one, no earlier backup."""
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{self.name}_test%"])
            for (name,) in found.fetchall():
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
        shutil.rmtree(self.folder / "store", ignore_errors=True)
        self.ask("CHECKPOINT")

    def ours(self) -> None:
        """Backup and proved clone."""
        self.said = self.call(sys.executable, "-m", "invoke", "clone-prod-to-test", "--json")

    def steps(self) -> str:
        """Where the time of the last run went."""
        found = [json.loads(line) for line in self.said.splitlines()]
        return ", ".join(
            f"{step['step']} {step['seconds']:.1f} s"
            for step in found
            if step.get("status") == "done" and "seconds" in step
        )

    def pgcopydb(self) -> None:
        """Its clone, with as many jobs as ours takes."""
        source, target = self.server.url(self.name), self.server.url(f"{self.name}_pgcopydb")
        work = self.folder / "pgcopydb"
        shutil.rmtree(work, ignore_errors=True)
        self.call(
            "pgcopydb",
            "clone",
            "--source",
            source,
            "--target",
            target,
            "--dir",
            str(work),
            "--table-jobs",
            "2",
            "--index-jobs",
            "2",
            "--no-owner",
            "--no-acl",
        )

    def dump_and_restore(self) -> None:
        """The two programs by their defaults."""
        file, target = self.folder / "dump", self.server.url(f"{self.name}_restored")
        self.call("pg_dump", "-Fc", f"--file={file}", f"--dbname={self.server.url(self.name)}")
        self.call("pg_restore", "--no-owner", f"--dbname={target}", str(file))


def measure(server: Server, name: str, title: str, rounds: int) -> None:
    """One shape of database."""
    copies = Copies(server, name, server.home / f"{name}_copies")
    ways = {"clean ours": copies.before_ours, "ours": copies.ours}
    if shutil.which("pgcopydb", path=copies.env["PATH"]):
        ways |= {"clean pgcopydb": lambda: copies.clean(f"{name}_pgcopydb"), "pgcopydb": copies.pgcopydb}
    ways |= {"clean restore": lambda: copies.clean(f"{name}_restored"), "dump, restore": copies.dump_and_restore}
    taken = interleaved(rounds, ways)
    if "pgcopydb" in taken:
        tell(f"{title}: ours / pgcopydb clone", taken["ours"], taken["pgcopydb"], 1.25)
    else:
        print(f"{title}: pgcopydb is not installed, so nothing is compared with it (apt-get install pgcopydb)")
    tell(f"{title}: ours / pg_dump -Fc, then pg_restore", taken["ours"], taken["dump, restore"], 0.5)
    print(f"  where ours went: {copies.steps()}")


def main() -> int:
    """Measure and print; 1 only where that could not be done."""
    given = asked(__doc__)
    try:
        with served(programs([int(major) for major in given.majors.split(",")])) as server:
            with contextlib.suppress(OSError):
                (server.home / "pg_ctl.log").touch()
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET max_locks_per_transaction = 4096")
                connection.execute("ALTER SYSTEM SET max_wal_size = '4GB'")
            server.stop()
            server.start()
            with database(server, "large", LARGE.format(rows=given.rows) + KEYS, server.home):
                measure(server, "large", "few large tables", given.rounds)
            with database(server, "small", SMALL.format(tables=given.tables), server.home):
                measure(server, "small", f"{given.tables:,} small tables", given.rounds)
    except (OpsError, psycopg.Error, OSError) as error:
        return cannot(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
