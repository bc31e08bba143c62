"""Names that would be SQL, a shell's or psql's: a whole release and rollback on them, beside a canary."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ops.infra.postgres.embedded_server import Server
from tests.conftest import Project, admin, project_env
from tests.projects import write_project
from tests.support.tiers import quick

# 63 bytes with the stem that makes them unique, or less.
NAMES = {
    "sql": 'x"; DROP DATABASE "y"; --',
    "shell": "'$(touch pwned)`touch pwned`; touch pwned #\\",
    "psql": ":'x' :\"live\" \\! touch pwned %s {x} é",
    "long": "-" + "ü" * 25,
}
TABLE, COLUMN = """a"b'; SELECT 1/0; -- $(touch pwned) \\! :'x', d""", """c"; DROP TABLE t; -- %s é :'live' .x"""
MOVED = """m, n"o' $(touch pwned) :"x" """


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.mark.slow
@pytest.mark.parametrize("kind", quick(NAMES, "shell"))
def test_a_release_and_its_way_back_on_any_names(
    kind: str, tmp_path: Path, server: Server, old_release: str, make_database: Callable[..., str]
) -> None:
    folder = tmp_path / "a project; touch pwned"
    folder.mkdir()
    production = make_database(NAMES[kind], old_release)
    canary = make_database("canary")
    database = str(conninfo_to_dict(production)["dbname"])
    test = server.url(database[:9] + "_t" + NAMES[kind])
    with psycopg.connect(canary, autocommit=True) as connection:
        connection.execute("CREATE TABLE canary AS SELECT 1 AS v")
    with psycopg.connect(production, autocommit=True) as connection:
        table = f"CREATE TABLE {quoted(TABLE)} ({quoted(COLUMN)} int PRIMARY KEY, {quoted(COLUMN + '2')} text)"
        connection.execute(table.encode())
        rows = f"INSERT INTO {quoted(TABLE)} SELECT n, 'row ' || n FROM generate_series(1, 50) n"
        connection.execute(rows.encode())
    rename = f"ALTER TABLE {quoted(TABLE)} RENAME TO {quoted(MOVED)}"
    write_project(folder, f"migrations.RunSQL({rename!r})", {"freeze": "always", "store": "it's a store; touch pwned"})
    models = folder / "shop/lessons/models.py"
    models.write_text(models.read_text().replace("Session", "Lesson").replace("session", "lesson"))
    shop = Project(folder, production, test, project_env(server, production, test))
    (folder / "shop/lessons/management/commands/check_lessons_data.py").write_text(
        "from django.core.management.base import BaseCommand\n"
        "class Command(BaseCommand):\n    def handle(self, **options): pass\n"
    )
    before = shop.fingerprint()
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert "every row" in done.out
    after = shop.fingerprint()
    named = {name.split(".", 1)[1]: found for name, found in after.items()}
    assert named[quoted(MOVED)][0] == 50 and quoted(TABLE) not in named
    done = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert shop.fingerprint() == before
    with psycopg.connect(canary) as connection:
        assert connection.execute("SELECT v FROM canary").fetchone() == (1,)
    with admin(server) as connection:
        words = sql.SQL("SELECT count(*) FROM pg_database WHERE datname = {}").format(sql.Literal(database))
        assert connection.execute(words).fetchone() == (1,)
    assert not [path for path in tmp_path.rglob("pwned*")] and not os.path.exists("pwned")
