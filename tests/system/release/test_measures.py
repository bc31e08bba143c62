"""What the rehearsal measures, on a real server with real migrations: locks, rows, rewrites, and what is decided."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.conftest import Done, Project

CODE = """
import time
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
%s
class Migration(migrations.Migration):
    atomic = %s
    dependencies = [("lessons", "%s")]
    operations = [%s]
"""
# What 0002 of every project here is: its models' state and production's tables agree on Session from then on.
RENAME = "b"
ADD = 'migrations.AddField("session", "room", models.CharField(max_length=20, default="x"))'
SLEEP = 'migrations.RunSQL("lock table lessons_session in share mode"), migrations.RunSQL("select pg_sleep(2)")'
HOLD = """
def hold(apps, editor):
    editor.execute("lock table lessons_booking in access exclusive mode")
    time.sleep(1.5)
def update(apps, editor):
    Session = apps.get_model("lessons", "Session")
    Session.objects.filter(id__lte=700).update(title="neu")
    Session.objects.filter(id__in=[1, 2]).delete()
def slow(apps, editor):
    time.sleep(1.2)
"""
NOTHING = "migrations.RunPython(slow)"


def later(shop: Project, number: int, name: str, operations: str, *, code: str = HOLD, atomic: bool = True) -> str:
    """Add a migration to a project; gives its full name."""
    folder = shop.folder / "shop/lessons/migrations"
    before = sorted(path.stem for path in folder.glob("0*.py"))[-1]
    (folder / f"000{number}_{name}.py").write_text(CODE % (code, atomic, before, operations))
    return f"lessons.000{number}_{name}"


def rehearse(shop: Project) -> tuple[Done, dict[str, Any]]:
    """Clone and migrate; gives how migrate-test ended, and its measures."""
    cloned = shop.inv("clone-prod-to-test", "--json")
    assert cloned.code == 0, cloned.out + cloned.err
    done = shop.inv("migrate-test", "--json")
    (path,) = shop.folder.glob("backups/shop/runs/*/measures.json")
    found = json.loads(path.read_text())
    assert found["why_not"] == "", found
    (event,) = [event for event in done.events if event["event"] == "measures"]
    assert {**event, **found} == event
    return done, found


def lock_of(found: dict[str, Any], name: str, table: str) -> dict[str, Any]:
    """The lock that a migration held on a table."""
    (migration,) = [m for m in found["migrations"] if m["migration"] == name]
    (lock,) = [lock for lock in migration["locks"] if lock["relation"] == f"public.{table}"]
    return dict(lock)


def written(effects: dict[str, Any], table: str) -> tuple[int, int, int]:
    """Inserted, updated, deleted."""
    for row in effects["rows"]:
        if row["table"] == f"public.{table}":
            return row["inserted"], row["updated"], row["deleted"]
    return 0, 0, 0


def candidates(found: dict[str, Any]) -> list[tuple[list[str], dict[str, Any]]]:
    """All effects with the migrations that they may belong to."""
    own = [([m["migration"]], m["effects"]) for m in found["migrations"]]
    return own + [(group["migrations"], group["effects"]) for group in found["together"]]


def changes(effects: dict[str, Any], what: str) -> set[str]:
    return {change["relation"] for change in effects["changes"] if change["what"] == what}


@pytest.fixture
def renamed(project: Callable[..., Project]) -> Callable[..., Project]:
    """A project whose production has 0002 already: lessons_session is a table of 1,000 rows that exists."""

    def make(**target: object) -> Project:
        shop = project("b", **target)
        shop.manage("migrate", "lessons", "0002")
        return shop

    return make


@pytest.mark.slow
def test_a_lock_of_a_moment_and_a_lock_that_sleeps(renamed: Callable[..., Project]) -> None:
    shop = renamed()
    add = later(shop, 3, "add", ADD)
    share = later(shop, 4, "share", SLEEP)
    hold = later(shop, 5, "hold", "migrations.RunPython(hold)")
    done, found = rehearse(shop)
    assert done.code == 0, done.out
    assert [m["migration"] for m in found["migrations"]] == [add, share, hold]
    assert {m["state"] for m in found["migrations"]} == {"applied"}
    seconds = {m["migration"]: m["seconds"] for m in found["migrations"]}
    widest = found["widest"]

    # Too short for a sample to be sure, long enough to be there: the catalog proves it.
    short = lock_of(found, add, "lessons_session")
    assert short["mode"] == "AccessExclusiveLock"
    assert short["reads_blocked"] <= short["writes_blocked"] <= seconds[add]

    writes = lock_of(found, share, "lessons_session")
    assert writes["mode"] == "ShareLock"
    assert 2 - 2 * widest <= writes["writes_blocked"] <= seconds[share]
    assert writes["longest_write_block"] >= 0.5 * writes["writes_blocked"]
    assert writes["reads_blocked"] == 0

    both = lock_of(found, hold, "lessons_booking")
    assert both["mode"] == "AccessExclusiveLock"
    assert 1.5 - 2 * widest <= both["reads_blocked"] <= seconds[hold]
    assert both["writes_blocked"] == both["reads_blocked"]

    detail = next(
        e["detail"]
        for e in done.events
        if e["event"] == "step" and "migrate-test.migrate" in e["step"] and e["status"] == "done"
    )
    assert "writes to lessons_session blocked for" in detail
    assert "reads and writes of lessons_booking blocked for" in detail
    marked = re.findall(r"^LOCK +(lessons\.\d+): ", detail, re.MULTILINE)
    assert "lessons.0004" in marked and marked == sorted(marked), detail
    assert len(detail.splitlines()) <= 6


@pytest.mark.slow
def test_rows_of_the_run_are_counted_exactly(renamed: Callable[..., Project]) -> None:
    shop = renamed()
    slow = later(shop, 3, "slow", NOTHING)
    update = later(shop, 4, "update", "migrations.RunPython(update)")
    slower = later(shop, 5, "slower", NOTHING)
    done, found = rehearse(shop)
    assert done.code == 0, done.out
    # Booking links to what is deleted: set to NULL by the same migration.
    assert written(found["total"], "lessons_session") == (0, 700, 2)
    assert written(found["total"], "lessons_booking") == (0, 2, 0)
    # Whose they are is exact, or said to be one of several: never another's.
    owners = [names for names, effects in candidates(found) if written(effects, "lessons_session") != (0, 0, 0)]
    assert owners
    assert all(update in names for names in owners), (slow, slower, owners)
    parts = [written(effects, "lessons_session") for _, effects in candidates(found)]
    assert tuple(map(sum, zip(*parts, strict=True))) == (0, 700, 2)


def test_a_single_migration_has_its_rows_for_itself(renamed: Callable[..., Project]) -> None:
    shop = renamed()
    update = later(shop, 3, "update", "migrations.RunPython(update)")
    _, found = rehearse(shop)
    assert found["together"] == []
    (migration,) = found["migrations"]
    assert migration["migration"] == update
    assert written(migration["effects"], "lessons_session") == (0, 700, 2)
    assert "702" not in str(found["total"]["rows"])
    assert migration["wal"] > 10_000


@pytest.mark.slow
def test_a_wider_column_rewrites_its_table(renamed: Callable[..., Project]) -> None:
    shop = renamed()
    shop.query("alter table lessons_teacher add column rank integer not null default 1")
    state = 'migrations.AddField("teacher", "rank", models.IntegerField(default=1))'
    wider = later(
        shop,
        3,
        "wider",
        f"migrations.SeparateDatabaseAndState(state_operations=[{state}]), "
        'migrations.AlterField("teacher", "rank", models.BigIntegerField(default=1))',
    )
    done, found = rehearse(shop)
    assert done.code == 0, done.out
    (migration,) = found["migrations"]
    assert migration["migration"] == wider
    assert changes(migration["effects"], "rewritten") >= {"public.lessons_teacher"}
    assert changes(migration["effects"], "new") == changes(migration["effects"], "dropped") == set()
    assert lock_of(found, wider, "lessons_teacher")["mode"] == "AccessExclusiveLock"
    assert "lessons_teacher rewritten" in done.out


@pytest.mark.slow
def test_new_and_dropped_tables_are_told_apart_from_rewritten_ones(project: Callable[..., Project]) -> None:
    shop = project("a")
    _, found = rehearse(shop)
    assert "public.lessons_session" in changes(found["total"], "new")
    assert "public.lessons_lesson" in changes(found["total"], "dropped")
    assert changes(found["total"], "rewritten") == set()


@pytest.mark.slow
def test_a_concurrent_index_keeps_nobody_waiting(renamed: Callable[..., Project]) -> None:
    shop = renamed()
    shop.query("insert into lessons_session(title, teacher_id) select 'n' || n, 1 from generate_series(1, 200000) n")
    index = later(
        shop,
        3,
        "index",
        'AddIndexConcurrently("session", models.Index(fields=["title"], name="session_title"))',
        atomic=False,
    )
    done, found = rehearse(shop)
    assert done.code == 0, done.out
    lock = lock_of(found, index, "lessons_session")
    assert lock["mode"] == "ShareUpdateExclusiveLock"
    assert lock["seconds"] > 0
    assert lock["writes_blocked"] == lock["reads_blocked"] == 0
    assert "blocked" not in done.out.split('"event": "outcome"')[0].split('"detail"')[-1]
    assert "public.session_title" in changes(found["total"], "new")
    assert found["total"]["growth"] > 1_000_000


@pytest.mark.slow
def test_a_migration_that_fails_is_named_with_the_measures_so_far(renamed: Callable[..., Project]) -> None:
    shop = renamed()
    good = later(shop, 3, "update", "migrations.RunPython(update)")
    bad = later(
        shop,
        4,
        "bad",
        'migrations.RunPython(hold), migrations.RunSQL("select 1 / (id - 1) from auth_group")'
        ', migrations.RunSQL("select 1/0")',
    )
    done, found = rehearse(shop)
    assert done.code == 4
    one, two = found["migrations"]
    assert (one["migration"], one["state"], two["migration"], two["state"]) == (good, "applied", bad, "failed")
    assert "division by zero" in two["error"]
    assert two["seconds"] >= 1.5
    assert lock_of(found, bad, "lessons_booking")["reads_blocked"] >= 1.5 - 2 * found["widest"]
    assert bad in done.outcome["reason"]
    assert "division by zero" in done.outcome["reason"]
    assert f"applied before it: {good}" in done.outcome["reason"]
    assert written(found["total"], "lessons_session") == (0, 700, 2)
    again = shop.inv("migrate-test")
    assert "failed after" in again.out
    assert "lessons.0004" in again.out


@pytest.mark.slow
def test_the_application_is_seen_under_the_runs_name(renamed: Callable[..., Project]) -> None:
    shop = renamed()
    later(shop, 3, "hold", "migrations.RunPython(hold)")
    assert shop.inv("clone-prod-to-test").code == 0
    seen: set[str] = set()
    stop = threading.Event()

    def look() -> None:
        with psycopg.connect(shop.production, dbname="postgres", autocommit=True) as connection:
            while not stop.wait(0.02):
                rows = connection.execute(
                    "select application_name from pg_stat_activity where datname = %s", [shop.test.rsplit("/", 1)[1]]
                )
                seen.update(name for (name,) in rows)

    thread = threading.Thread(target=look)
    thread.start()
    done = shop.inv("migrate-test", "--json")
    stop.set()
    thread.join()
    assert f"generalprobe {done.outcome['run']}" in seen
    assert "generalprobe measures" in seen


@pytest.mark.slow
def test_without_a_connection_nothing_is_measured_and_nothing_fails(renamed: Callable[..., Project]) -> None:
    shop = renamed()
    later(shop, 3, "hold", "migrations.RunPython(hold)")
    assert shop.inv("clone-prod-to-test").code == 0
    stop = threading.Event()

    def cut() -> None:
        with psycopg.connect(shop.production, dbname="postgres", autocommit=True) as connection:
            while not stop.wait(0.02):
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where application_name = 'generalprobe measures' and datname = %s",
                    [shop.test.rsplit("/", 1)[1]],
                )

    thread = threading.Thread(target=cut)
    thread.start()
    begun = time.monotonic()
    done = shop.inv("migrate-test", "--json")
    stop.set()
    thread.join()
    assert done.code == 0, done.out
    assert time.monotonic() - begun < 40
    (path,) = shop.folder.glob("backups/shop/runs/*/measures.json")
    # The server's word or the client's: which of the two is heard is a matter of moments.
    why = json.loads(path.read_text())["why_not"]
    assert "connection" in why
    assert f"not measured: {why}" in done.out
    verified = shop.inv("verify", "--json")
    assert verified.code == 0, verified.out
    details = {event["step"]: event.get("detail", "") for event in verified.events if event["event"] == "step"}
    assert "the locks of the migrations were not measured" in details["verify.write_certificate"]
    (path,) = shop.folder.glob("backups/shop/certificates/*.json")
    assert json.loads(path.read_text())["measured"] is None
