"""What measuring costs: `migrate` on a copy of a database, with the sampling and without, in turn; the median of both.

    python bench/measures.py [ROWS] [TIMES]

Runs on the tests' embedded server, with a Django project of the tests; prints one JSON object.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from psycopg import sql  # noqa: E402

from ops.infra.postgres.embedded_server import Server  # noqa: E402
from ops.infra.session.session import Session  # noqa: E402
from ops.inventory import load  # noqa: E402
from ops.release.measuring.migration_sampler import Watching  # noqa: E402
from tests.conftest import Project, admin, drop_databases, project_env  # noqa: E402
from tests.projects import write_project  # noqa: E402

MIGRATION = """
from django.db import migrations, models
class Migration(migrations.Migration):
    dependencies = [("lessons", "0002_session")]
    operations = [migrations.RunSQL("update lessons_session set title = title || '!'"),
                  migrations.RunSQL("update lessons_session set title = title || '!'")]
"""


def main(rows: int, times: int) -> None:
    """Measure and print."""
    folder = ROOT / ".embedded" / "tests"
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(folder)
    server.start()
    stem = f"bench{uuid.uuid4().hex[:6]}"
    took: dict[str, list[float]] = {"with": [], "without": []}
    try:
        with tempfile.TemporaryDirectory() as place:
            shop = prepared(server, Path(place), stem, rows)
            for number in range(times):
                for kind in took:
                    took[kind].append(once(server, shop, stem, kind == "with", number))
    finally:
        drop_databases(server, stem)
    with_it, without = statistics.median(took["with"]), statistics.median(took["without"])
    print(json.dumps({"rows": rows, "with": with_it, "without": without, "ratio": with_it / without, "all": took}))


def prepared(server: Server, place: Path, stem: str, rows: int) -> Project:
    """A project with many rows and a migration that writes all of them twice."""
    with admin(server) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(f"{stem}_shop")))
    url = server.url(f"{stem}_shop")
    shop = Project(place, url, server.url(f"{stem}_test"), project_env(server, url, server.url(f"{stem}_test")))
    write_project(place, "b", {})
    shop.manage("migrate")
    shop.query("insert into lessons_teacher(name) values ('Frau 1')")
    shop.query(f"insert into lessons_session(title, teacher_id) select 'n' || n, 1 from generate_series(1, {rows}) n")
    (place / "shop/lessons/migrations/0003_write.py").write_text(MIGRATION)
    return shop


def once(server: Server, shop: Project, stem: str, watch: bool, number: int) -> float:
    """Seconds of one ``migrate`` on a fresh copy."""
    with admin(server) as connection:
        words = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(f"{stem}_test"))
        connection.execute(words)
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(copy.format(sql.Identifier(f"{stem}_test"), sql.Identifier(f"{stem}_shop")))
        connection.execute("CHECKPOINT")
    session = Session(load.load(shop.folder / "inventory.yaml"), shop.env)
    watching = Watching(session, test="shop-test", run=f"r{number}", backup="b", report=f"r{number}/measures.json")
    if watch:
        watching.start()
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "migrate", "--noinput"],
        cwd=shop.folder / "shop",
        env={**os.environ, **shop.env, "DATABASE_URL": shop.test, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    for line in process.stdout:
        watching.line(line.rstrip("\n"))
    assert process.wait() == 0
    took = time.monotonic() - begun
    if watch:
        found = watching.stop()
        assert not found.why_not, found.why_not
    return took


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
