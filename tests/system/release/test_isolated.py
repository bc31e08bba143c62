"""A rehearsal reaches nothing but the clone: every database of the application is asked where it leads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.conftest import Project
from tests.support.tiers import quick

Make = Callable[..., Project]

# Deletes rows of the other database.
DELETES = """
from django.db import migrations
def forget(apps, schema_editor):
    from django.db import connections
    if "reports" in connections:
        with connections["reports"].cursor() as cursor:
            cursor.execute("DELETE FROM report")
class Migration(migrations.Migration):
    dependencies = [("lessons", "0001_initial")]
    operations = [migrations.RunPython(forget)]
"""
ALIAS = """
if %s:
    there = urlsplit(os.environ["REPORTS_URL"])
    DATABASES["reports"] = {**DATABASES["default"], "NAME": there.path[1:], "PORT": there.port}
"""
REHEARSES = 'os.environ.get("GENERALPROBE") == "rehearsal"'


@contextmanager
def reports(shop: Project, condition: str = "True") -> Iterator[None]:
    """The application has a second database, of production too, with three rows, and a migration that empties it."""
    settings = shop.folder / "shop/settings.py"
    settings.write_text(settings.read_text() + ALIAS % condition)
    (shop.folder / "shop/lessons/migrations/0002_session.py").write_text(DELETES)
    name = shop.production.rsplit("/", 1)[1].removesuffix("_shop") + "_reports"
    shop.env["REPORTS_URL"] = shop.production.replace("_shop", "_reports")
    shop.query(f"CREATE DATABASE {name}", "postgres")
    shop.query("CREATE TABLE report AS SELECT generate_series(1, 3) AS n", name)
    yield


def left(shop: Project) -> int:
    with psycopg.connect(shop.env["REPORTS_URL"]) as c:
        return int(c.execute("SELECT count(*) FROM report").fetchone()[0])  # type: ignore[index]


def test_an_alias_that_leads_elsewhere_is_refused_before_the_rehearsal(scene: Make) -> None:
    shop = scene("cloned")
    with reports(shop):
        done = shop.inv("migrate-test", "--json")
        assert left(shop) == 3
    assert done.code == 3, done.out + done.err
    assert "'reports' leads to the database" in done.outcome["reason"]
    assert 'GENERALPROBE") == "rehearsal": DATABASES["reports"] = {}' in done.outcome["hint"]


@pytest.mark.slow
def test_an_alias_that_the_settings_disable_in_a_rehearsal_is_not_in_the_way(scene: Make) -> None:
    shop = scene("cloned")
    with reports(shop, f"not ({REHEARSES})"):
        # What the operator's own shell says is not what the application is told.
        shop.env["GENERALPROBE"] = "rehearsal"
        assert "reports" in shop.inv("doctor").out
        done = shop.inv("migrate-test", "--json")
        assert done.code == 0, done.out + done.err
        assert left(shop) == 3


def test_an_alias_that_leads_to_a_clone_is_rehearsed(scene: Make) -> None:
    shop = scene("cloned", app={"dir": "shop", "manage": ["python", "manage.py"], "rehearsal_env": {"REPORTS_URL": ""}})
    with reports(shop):
        clone = shop.production.rsplit("/", 1)[1].removesuffix("_shop") + "_reports_test"
        shop.query(f"CREATE DATABASE {clone} TEMPLATE {clone.removesuffix('_test')}", "postgres")
        shop.query(f"COMMENT ON DATABASE {clone} IS 'generalprobe clone of reports, run 1'", "postgres")
        inventory = shop.folder / "inventory.yaml"
        inventory.write_text(inventory.read_text().replace("REPORTS_URL: ''", f"REPORTS_URL: //x/{clone}"))
        settings = shop.folder / "shop/settings.py"
        settings.write_text(settings.read_text().replace("there.port", "url.port"))
        done = shop.inv("migrate-test", "--json")
        assert done.code == 0, done.out + done.err
        assert left(shop) == 3
        assert shop.query("SELECT count(*) FROM report", clone) == [(0,)]


def test_options_that_replace_what_a_session_is_told_are_refused_before_the_freeze(scene: Make) -> None:
    shop = scene("certified")
    settings = shop.folder / "shop/settings.py"
    options = 'DATABASES["default"]["OPTIONS"] = {"options": "-c search_path=public"}\n'
    settings.write_text(settings.read_text() + options)
    done = shop.inv("promote", "--json", "--confirm=shop")
    assert done.code == 3, done.out + done.err
    assert "lock_timeout is 0" in done.outcome["reason"] and "PGOPTIONS" in done.outcome["hint"]
    assert shop.query("SHOW default_transaction_read_only") == [("off",)]


def test_a_migration_that_reaches_another_server_is_told_why_it_can_not(scene: Make) -> None:
    shop = scene("cloned", 'migrations.RunSQL("SELECT * FROM far")')
    test = shop.test.rsplit("/", 1)[1]
    for words in (
        "CREATE EXTENSION postgres_fdw",
        "CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid')",
        "CREATE FOREIGN TABLE far (n int) SERVER there",
    ):
        shop.query(words, test)
    done = shop.inv("migrate-test", "--json")
    assert done.code == 4 and "user mapping not found" in done.outcome["reason"], done.out + done.err
    assert "a rehearsal reaches no other server" in done.outcome["hint"]
    shop.query("CREATE USER MAPPING FOR PUBLIC SERVER there OPTIONS (user 'x')", test)
    done = shop.inv("migrate-test", "--json")
    assert done.code == 3 and "DROP USER MAPPING FOR PUBLIC SERVER there" in done.outcome["reason"], done.out + done.err


ASKS = """
from django.db import migrations
{top}
def fill(apps, schema_editor):
    import os
    {ask}
class Migration(migrations.Migration):
    dependencies = [("lessons", "0001_initial")]
    operations = [migrations.RunPython(fill)]
"""
HELPER = """
import os
def rehearsed():
    return os.environ.get("GENERALPROBE") == "rehearsal"
"""
# The migration's text at its top, in its function, and where the variable is read.
PLACES = {
    "in the migration": ("", 'if os.environ.get("GENERALPROBE"): return', "lessons/migrations/0002_session.py:6"),
    "in an imported function": ("from lessons.helper import rehearsed", "rehearsed()", "lessons/helper.py:4"),
    "in an imported module": ("", "from lessons import helper", "lessons/helper.py:4"),
    "deeper": ("from lessons import middle", "middle.ask()", "code that RunPython calls"),
    "only in the settings": ("from django.conf import settings", "settings.DEBUG", ""),
    "in a helper that it does not import": ("", "'GENERALPROBE is set by the tool'", ""),
}


@pytest.mark.parametrize("place", quick(PLACES, "in the migration", "only in the settings"))
def test_a_migration_that_asks_whether_it_is_rehearsed_is_refused_in_advance(project: Make, place: str) -> None:
    shop = project("b")
    top, ask, where = PLACES[place]
    (shop.folder / "shop/lessons/helper.py").write_text(HELPER)
    (shop.folder / "shop/lessons/middle.py").write_text(
        "def ask():\n    from lessons.helper import rehearsed\n    return rehearsed()\n"
    )
    settings = shop.folder / "shop/settings.py"
    settings.write_text(f"{settings.read_text()}\nif {REHEARSES}:\n    DEBUG = False\n")
    (shop.folder / "shop/lessons/migrations/0002_session.py").write_text(ASKS.format(top=top, ask=ask))
    done = shop.inv("hazards", "--json")
    found = [e for e in done.events if e.get("code") == "GP602"]
    assert len(found) == (1 if where else 0), done.out + done.err
    if where:
        assert found[0]["what"].startswith(where), found
        assert "settings" in found[0]["how"] and "lessons.0002_session" in found[0]["what"]
        assert done.code == 3
