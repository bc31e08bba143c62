"""Bring the demo back to its beginning: drop its databases; `--stop` stops the embedded server too."""

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
    for target in ("lessons", "lessons-incident"):
        shutil.rmtree(ROOT / "backups" / target, ignore_errors=True)
    print(f"the demo is at its beginning ({len(names)} databases dropped)")
    if "--stop" in sys.argv[1:]:
        server.stop()


if __name__ == "__main__":
    main()
