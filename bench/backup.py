"""`inv backup` against the bare `pg_dump` of the same options: to a folder, encrypted, and to an S3 protocol server.

Run: `python bench/backup.py [--rows N] [--rounds N]`. The S3 server is moto's, in a process of its own on this machine:
it takes its share of the processor, so that ratio is an upper bound.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pyrage

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.far import far
from bench.fingerprint import LARGE, Ratio, database, interleaved, tell
from bench.release import KEYS
from bench.servers import ROOT, asked, cannot, programs, served
from ops.core.errors import OpsError
from ops.core.sql_files import SQL_FOLDER
from ops.infra.postgres.client import installed
from ops.infra.postgres.embedded_server import Server

INVENTORY = """
all:
  vars: {{store: {store}}}
  children:
    production:
      hosts:
        shop: {{database: "env:DATABASE_URL"{more}}}
"""
# Bytes a second of the slow line.
SLOW = 25e6
KEYS_THERE = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_REGION": "us-east-1"}


@contextlib.contextmanager
def bucket() -> Iterator[str]:
    """An S3 protocol server with a bucket; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(urllib.request.Request(f"{url}/bench", method="PUT"))
                break
            time.sleep(0.1)
        yield url
    finally:
        child.terminate()
        child.wait()


class Backups:
    """The ways to back one database up; each begins on empty ground."""

    def __init__(self, server: Server, name: str, endpoint: str) -> None:
        self.server, self.name = server, name
        key = pyrage.x25519.Identity.generate().to_public()
        self.sealed = f", encrypt: {{recipients: [{key}]}}"
        [tools] = [found for found in installed(str(server.bin))][-1:]
        self.compress = tools.compression()
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "OPS_"))}
        self.env |= (KEYS_THERE | {"AWS_ENDPOINT_URL": endpoint} if endpoint else {}) | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(server.bin), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": server.url(name),
        }
        self.home = server.home / f"{name}_backups"
        self.home.mkdir()

    def ours(self, what: str, store: str, more: str = "", **env: str) -> Callable[[], None]:
        """Our backup, with an inventory of its own."""
        folder = self.home / what
        folder.mkdir()
        (folder / "inventory.yaml").write_text(INVENTORY.format(store=store, more=more))
        (folder / "tasks.py").write_text("from ops.tasks import namespace\n__all__ = ['namespace']\n")

        def run() -> None:
            for left in ("store", ".store"):
                shutil.rmtree(folder / left, ignore_errors=True)
            self.call(sys.executable, "-m", "invoke", "backup", folder=folder, **env)

        return run

    def bare(self, *options: str) -> Callable[[], None]:
        """pg_dump with the options that ours takes."""

        def run() -> None:
            place = self.home / "bare"
            shutil.rmtree(place, ignore_errors=True)
            place.unlink(missing_ok=True)
            words = ("pg_dump", *options, f"--compress={self.compress}", f"--file={place}")
            self.call(*words, f"--dbname={self.server.url(self.name)}", folder=self.home)

        return run

    def fingerprint(self) -> None:
        """The fingerprint alone."""
        sql = ("--quiet", "--no-psqlrc", f"--file={SQL_FOLDER}/fingerprint.sql", f"--output={self.home}/fingerprint")
        self.call("psql", *sql, f"--dbname={self.server.url(self.name)}", folder=self.home)

    def call(self, *words: str, folder: Path, **env: str) -> None:
        """Run a program that has to succeed."""
        given = self.env | env
        done = subprocess.run(words, cwd=folder, env=given, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise OpsError(f"{' '.join(words[:4])} failed: {(done.stderr or done.stdout).strip()[-500:]}")


def near(all_of: Backups) -> dict[str, Callable[[], None]]:
    """The ways that need no other place."""
    return {
        "directory": all_of.bare("--format=directory", "--jobs=2"),
        "stream": all_of.bare("--format=custom"),
        "fingerprint": all_of.fingerprint,
        "folder": all_of.ours("folder", "store"),
        "encrypted": all_of.ours("encrypted", "store", all_of.sealed),
    }


def compare(taken: dict[str, list[float]]) -> dict[str, Ratio]:
    """Show and return our time against theirs."""
    both = [sum(pair) for pair in zip(taken["directory"], taken["fingerprint"], strict=True)]
    dump = "to a folder / pg_dump --format=directory --jobs=2"
    two = "to a folder / that, and then the fingerprint alone"
    return {
        "dump": tell(dump, taken["folder"], taken["directory"], 1.1),
        "dump, then fingerprint": tell(two, taken["folder"], both, 1.1),
        "encrypted": tell("encrypted / pg_dump --format=custom", taken["encrypted"], taken["stream"], 1.25),
    }


def measure(server: Server, name: str, endpoint: str, rounds: int) -> None:
    """One database, every way."""
    all_of, kept = Backups(server, name, endpoint), "s3://bench/kept"
    port = int(endpoint.rsplit(":", 1)[1])
    with far(port, 0.01, SLOW) as slow:
        there = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{slow}"}
        slowly = all_of.ours("slow", kept, all_of.sealed, **there)
        taken = interleaved(rounds, near(all_of) | {"s3": all_of.ours("s3", kept), "slow": slowly})
    compare(taken)
    tell("to S3 / pg_dump --format=directory --jobs=2", taken["s3"], taken["directory"], 1.1)
    tell("encrypted / to a folder", taken["encrypted"], taken["folder"], 1.25)
    tell("encrypted to S3 over a slow line / encrypted to a folder", taken["slow"], taken["encrypted"], None)


def main() -> int:
    """Measure and print; 1 only where that could not be done."""
    given = asked(__doc__)
    try:
        bin = programs([int(major) for major in given.majors.split(",")])
        text = LARGE.format(rows=given.rows) + KEYS
        with served(bin) as server, bucket() as endpoint, database(server, "large", text, server.home):
            measure(server, "large", endpoint, given.rounds)
    except (OpsError, psycopg.Error, OSError) as error:
        return cannot(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
