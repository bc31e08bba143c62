"""What happens in the middle: kill -9, Ctrl-C, a second operator, a lock that is held, a changed migration."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import Project
from tests.support.project import begin, ended
from tests.support.tiers import quick

SQL = Path(__file__).parents[3] / "ops" / "sql"


def clone_equals_production(shop: Project) -> bool:
    copy = Project(shop.folder, shop.test, shop.test, shop.env)
    return copy.fingerprint() == shop.fingerprint()


@pytest.mark.parametrize("step", quick(["backup.dump", "backup.seal", "clone.restore", "clone.swap"], "clone.restore"))
def test_a_killed_clone_is_explained_and_resumed(project: Callable[..., Project], step: str) -> None:
    shop = project("b")
    before = shop.fingerprint()
    process = begin(shop, step, "clone-prod-to-test")
    process.kill()
    ended(process)
    status = shop.inv("status")
    assert status.code == 0, status.out + status.err
    assert "interrupted" in status.out
    assert "this run has not changed production's data" in status.out
    assert "inv resume --run=" in status.out
    resumed = shop.inv("resume", "--json")
    assert resumed.code == 0, resumed.out + resumed.err
    assert resumed.outcome["outcome"] == "done"
    assert clone_equals_production(shop)
    assert shop.fingerprint() == before
    assert "interrupted" not in shop.inv("status").out


@pytest.mark.slow
def test_a_killed_clone_can_be_undone(project: Callable[..., Project]) -> None:
    shop = project("b")
    process = begin(shop, "clone.restore", "clone-prod-to-test")
    process.kill()
    ended(process)
    undone = shop.inv("undo", "--json")
    assert undone.code == 0, undone.out + undone.err
    stem = shop.test.rsplit("/", 1)[1]
    assert not shop.query(f"SELECT 1 FROM pg_database WHERE starts_with(datname, '{stem}')", "postgres")


def test_what_is_offered_after_a_killed_backup_ends_it(project: Callable[..., Project]) -> None:
    shop = project("b")
    process = begin(shop, "backup.dump", "backup")
    process.kill()
    ended(process)
    status = shop.inv("status").out
    assert f"inv undo --run={(run := shop.inv('runs', '--json').outcome['run'])}" in status, status
    planned = shop.inv("undo", "--plan")
    assert planned.code == 0 and "there is nothing to undo: An unfinished dump" in planned.out, planned.out
    undone = shop.inv("undo", f"--run={run}")
    assert undone.code == 0 and "backup was undone: there was nothing to undo: An unfinished" in undone.out, undone
    assert shop.inv("runs", "--json").outcome["undone"] is True
    assert "state:   this run has not changed production's data" in (said := shop.inv("status").out), said
    assert "Try:" not in said, said
    assert shop.inv("backup").code == 0
    finished = shop.inv("undo")
    assert finished.code == 3 and "nothing to undo: A finished backup" in finished.out, finished.out


def test_the_plan_of_an_undo_shows_what_is_taken_back(scene: Callable[..., Project]) -> None:
    shop = scene("interrupted")
    before = shop.query("SHOW default_transaction_read_only")
    planned = shop.inv("undo", "--plan")
    assert planned.code == 0, planned.out + planned.err
    assert planned.out.startswith("shop: undo: ") and "Undo: Freeze production" in planned.out, planned.out
    assert "run   psql " in planned.out and "nothing was changed" in planned.out
    steps = shop.inv("undo", "--plan", "--json").events[0]
    assert (steps["event"], steps["undo"]) == ("plan", True)
    assert [step["step"] for step in steps["steps"]] == ["promote.freeze"] and steps["steps"][0]["commands"]
    resumed = shop.inv("resume", "--plan", "--json").events[0]["steps"]
    assert resumed[0]["step"] == "promote.fingerprint_before", resumed
    assert shop.query("SHOW default_transaction_read_only") == before == [("on",)]


@pytest.mark.parametrize("number", quick([signal.SIGINT, signal.SIGTERM, signal.SIGHUP], signal.SIGTERM))
def test_an_interrupted_clone_says_how_to_go_on(project: Callable[..., Project], number: int) -> None:
    shop = project("b")
    process = begin(shop, "clone.restore", "clone-prod-to-test")
    process.send_signal(number)
    done = ended(process)
    assert done.code == 130, done.out + done.err
    assert "INTERRUPTED" in done.out and "State: this run has not changed production's data" in done.out
    assert "Try: inv resume --run=" in done.out
    assert "Traceback" not in done.out + done.err
    assert shop.inv("resume").code == 0
    assert clone_equals_production(shop)


def test_a_second_operator_is_told_who_is_at_work(project: Callable[..., Project]) -> None:
    shop = project("b")
    process = begin(shop, "backup.dump", "clone-prod-to-test")
    process.send_signal(signal.SIGSTOP)
    second = shop.inv("release", "--json", "--confirm=shop")
    process.send_signal(signal.SIGCONT)
    assert second.code == 3, second.out + second.err
    assert "another run holds the run lock: clone-prod-to-test" in second.outcome["reason"]
    assert ended(process).code == 0


@pytest.mark.slow
def test_a_lock_that_is_not_to_be_had_leaves_production_as_it_was(scene: Callable[..., Project]) -> None:
    shop = scene("certified", lock_timeout=0.2, retries=1)
    before = shop.fingerprint()
    # The holder sits on the table when the migration comes: after the freeze, which ends older sessions.
    process = begin(shop, "promote.fingerprint_before", "promote", "--json", "--confirm=shop")
    with psycopg.connect(shop.production) as holder:
        holder.execute("SELECT * FROM lessons_lesson LIMIT 1")
        done = ended(process)
    assert done.code == 4, done.out + done.err
    assert "lock timeout" in done.outcome["reason"]
    assert "production is frozen" in done.outcome["stands"]
    assert shop.fingerprint() == before
    assert "FROZEN" in shop.inv("status").out
    undone = shop.inv("undo", "--json", "--confirm=shop")
    assert undone.code == 0, undone.out + undone.err
    assert shop.query("SHOW default_transaction_read_only") == [("off",)]


@pytest.mark.slow
def test_a_promotion_that_failed_on_a_lock_can_be_resumed(scene: Callable[..., Project]) -> None:
    shop = scene("certified", lock_timeout=0.2, retries=0)
    process = begin(shop, "promote.fingerprint_before", "promote", "--json", "--confirm=shop")
    with psycopg.connect(shop.production) as holder:
        holder.execute("SELECT * FROM lessons_lesson LIMIT 1")
        assert ended(process).code == 4
    done = shop.inv("resume", "--json", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)]


@pytest.mark.slow
def test_the_parts_one_by_one_make_a_release(project: Callable[..., Project]) -> None:
    shop = project("c")
    for words in (["clone-prod-to-test"], ["migrate-test"], ["verify"], ["promote", "--confirm=shop"]):
        done = shop.inv(*words)
        assert done.code == 0, done.out + done.err
    assert shop.query("SELECT count(*), count(session_id) FROM lessons_booking") == [(1000, 1000)]


def test_a_migration_edited_after_the_rehearsal_is_not_promoted(scene: Callable[..., Project]) -> None:
    shop = scene("certified")
    path = shop.folder / "shop/lessons/migrations/0002_session.py"
    path.write_text(path.read_text() + "\n# one more line\n")
    done = shop.inv("promote", "--json", "--confirm=shop")
    assert done.code == 3, done.out + done.err
    assert "the pending migrations' files changed since the rehearsal" in done.outcome["reason"]
    assert not shop.query("SELECT 1 FROM django_migrations WHERE name = '0002_session'")


def test_settings_that_ignore_the_variable_are_refused(project: Callable[..., Project]) -> None:
    shop = project("b")
    path = shop.folder / "shop/settings.py"
    path.write_text(path.read_text().replace('os.environ["DATABASE_URL"]', repr(shop.production)))
    before = shop.fingerprint()
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 3, done.out + done.err
    assert "its settings do not read app.database_env" in done.outcome["reason"]
    assert shop.fingerprint() == before


def test_a_migration_that_fails_on_the_clone_names_itself(project: Callable[..., Project]) -> None:
    shop = project('migrations.RunSQL("select 1 / 0")')
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == 4, done.out + done.err
    assert "division by zero" in done.outcome["reason"]
    assert "0002_session" in done.outcome["reason"]
    # The same would fail again: going on is no advice, now or later.
    hint = f"correct the migration, then   inv undo --run={done.outcome['run']}   and   inv release --target=shop"
    assert (done.outcome["fails_again"], done.outcome["hint"]) == (True, hint)
    status = shop.inv("status")
    assert f"Try: {hint}" in status.out and "inv resume" not in status.out


def test_what_is_kept_is_for_its_owner_only(scene: Callable[..., Project]) -> None:
    shop = scene("backed_up")
    for path in (shop.folder / "backups").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_backup_with_a_flipped_bit_is_not_rolled_back_to(scene: Callable[..., Project]) -> None:
    shop = scene("backed_up")
    dump = next((shop.folder / "backups/shop/backups").glob("*/dump/toc.dat"))
    content = bytearray(dump.read_bytes())
    content[len(content) // 2] ^= 1
    dump.write_bytes(content)
    before = shop.fingerprint()
    done = shop.inv("rollback", "--backup=latest", "--json", "--confirm=shop")
    assert done.code == 3, done.out + done.err
    assert "damaged" in done.outcome["reason"]
    assert shop.fingerprint() == before


def test_every_line_of_json_keeps_the_contract(project: Callable[..., Project]) -> None:
    shop = project("b")
    events: list[dict[str, Any]] = shop.inv("release", "--json", "--confirm=shop").events
    steps = [event for event in events if event["event"] == "step"]
    assert {event["status"] for event in steps} <= {"begun", "done", "skipped", "failed", "refused", "undone"}
    assert all(event["step"].count(".") >= 1 for event in steps)
    last = events[-1]
    assert {"event", "procedure", "target", "run", "outcome", "exit", "reason", "hint"} <= last.keys()
    assert (last["event"], last["procedure"], last["outcome"], last["exit"]) == ("outcome", "release", "done", 0)
    journal = shop.folder / f"backups/shop/runs/{last['run']}/journal.jsonl"
    assert [json.loads(line) for line in journal.read_text().splitlines()] == events


def test_a_process_that_was_killed_leaves_no_secret_behind_for_long(project: Callable[..., Project]) -> None:
    shop = project("b")
    process = begin(shop, "backup.dump", "backup")
    process.kill()
    ended(process)
    assert shop.inv("status").code == 0
    temporary = Path(os.environ.get("TMPDIR", "/tmp"))
    assert not list(temporary.glob(f"generalprobe-{process.pid}-*"))
