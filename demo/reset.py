"""Bring the demo back to its beginning; with `--stop`, stop and remove its embedded server instead."""

import argparse
import shutil
import sys
from pathlib import Path

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ops.infra.postgres.embedded_server import Server  # noqa: E402


def main() -> None:
    """Drop every database of the demo, with its backups and runs."""
    server = Server(ROOT)
    server.start()
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        names = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, 'lessons')").fetchall()
        for (name,) in names:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    remove_backups()
    print(f"the demo starts from the beginning: {len(names)} databases of an earlier demo were dropped")


def stop() -> None:
    """Stop the embedded server, and remove its data, backups and runs."""
    server = Server(ROOT)
    server.stop()
    shutil.rmtree(server.home, ignore_errors=True)
    if server.bin.parents[2].name == "programs":  # The copy of the programs that another user runs.
        shutil.rmtree(server.bin.parents[3], ignore_errors=True)
    remove_backups()
    print("the demo's server is stopped and removed")


def remove_backups() -> None:
    """Remove the backups and runs of the demo's targets."""
    for target in ("lessons", "lessons-incident"):
        shutil.rmtree(ROOT / "backups" / target, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stop", action="store_true", help="stop the embedded server and remove its data")
    stop() if parser.parse_args().stop else main()
