"""What happens between a rehearsal and its promotion, or between an interruption and a resume: nothing may be lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Project
from tests.support.project import begin, ended

# Fails until somebody writes a row into a table that no model knows.
GATED = """
from django.db import migrations
class Migration(migrations.Migration):
    dependencies = [("lessons", "0002_session")]
    operations = [migrations.RunSQL("select 1 / (select count(*) from lessons_gate)")]
"""


def steps(shop: Project, *words: str) -> None:
    for word in words:
        done = shop.inv(*word.split())
        assert done.code == 0, done.out + done.err


def write(shop: Project, text: str) -> None:
    with psycopg.connect(shop.production, autocommit=True) as connection:
        connection.execute(text.encode())


def test_rows_written_since_into_a_table_that_is_dropped_stop_the_promotion(project: Callable[..., Project]) -> None:
    drop = 'migrations.RemoveField("booking", "lesson"), migrations.DeleteModel("Lesson")'
    shop = project(drop, checks=[])
    write(shop, "DELETE FROM lessons_booking")
    write(shop, "DELETE FROM lessons_lesson")
    steps(shop, "clone-prod-to-test", "migrate-test", "verify")
    write(shop, "INSERT INTO lessons_lesson(title, teacher_id) SELECT 'new', 1 FROM generate_series(1, 500)")
    write(shop, "INSERT INTO lessons_booking(lesson_id) SELECT id FROM lessons_lesson")
    before = shop.fingerprint()
    done = shop.inv("promote", "--json", "--confirm=shop")
    assert done.code == 5, done.out + done.err
    assert (
        "lessons_lesson was empty in the rehearsal and would be dropped; it has 500 rows now" in done.outcome["reason"]
    )
    assert "lessons_booking.lesson_id held nothing" in done.outcome["reason"]
    assert "production is frozen" in done.outcome["stands"]
    assert shop.fingerprint() == before
    assert shop.inv("undo", "--confirm=shop").code == 0
    assert shop.query("SHOW default_transaction_read_only") == [("off",)]


@pytest.mark.slow
def test_rows_written_since_come_along(scene: Callable[..., Project]) -> None:
    shop = scene("certified", "loop")
    write(shop, "INSERT INTO lessons_lesson(title, teacher_id) SELECT 'new ' || n, 1 FROM generate_series(1, 50) n")
    write(shop, "INSERT INTO lessons_booking(lesson_id) SELECT id FROM lessons_lesson WHERE title LIKE 'new %'")
    steps(shop, "promote --confirm=shop")
    assert shop.query("SELECT count(*), count(session_id) FROM lessons_booking") == [(1050, 1050)]


@pytest.mark.slow
def test_a_partial_copy_of_what_was_written_since_is_noticed(project: Callable[..., Project]) -> None:
    copy = (
        "create table lessons_session (id bigint primary key, title varchar(100), teacher_id bigint);"
        " insert into lessons_session select id, title, teacher_id from lessons_lesson where id <= 1000;"
        " alter table lessons_booking drop lesson_id; drop table lessons_lesson"
    )
    shop = project(f'migrations.RunSQL("{copy}")', checks=[])
    write(shop, "UPDATE lessons_booking SET lesson_id = NULL")
    steps(shop, "clone-prod-to-test", "migrate-test", "verify")
    write(shop, "INSERT INTO lessons_lesson(title, teacher_id) SELECT 'new ' || n, 1 FROM generate_series(1, 50) n")
    done = shop.inv("promote", "--json", "--confirm=shop")
    assert done.code == 5, done.out + done.err
    assert "lessons_session has 1,000 rows, public.lessons_lesson had 1,050" in done.outcome["reason"]
    back = shop.inv(*done.outcome["hint"].split()[1:], "--confirm=shop")
    assert back.code == 0, back.out + back.err
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1050,)]


@pytest.mark.slow
def test_a_dump_that_was_cut_off_is_never_sealed(scene: Callable[..., Project]) -> None:
    shop = scene("certified")
    write(shop, "INSERT INTO lessons_teacher(name) SELECT md5(n::text) FROM generate_series(1, 100000) n")
    process = begin(shop, "last-backup.dump", "promote", "--confirm=shop")
    partial = shop.folder / "backups/shop/backups"
    while not list(partial.glob("*_last.partial/dump/toc.dat")) and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    ended(process)
    resumed = shop.inv("resume", "--json", "--confirm=shop")
    assert resumed.code == 0, resumed.out + resumed.err
    back = shop.inv("rollback", "--backup=latest", "--json", "--confirm=shop")
    assert back.code == 0, back.out + back.err
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]


@pytest.mark.slow
def test_undo_twice_does_not_reach_back_further(scene: Callable[..., Project]) -> None:
    shop = scene("released")
    steps(shop, "rollback --backup=latest --confirm=shop", "backup")
    for _ in range(2):
        done = shop.inv("undo", "--confirm=shop")
        assert done.code in (2, 3), done.out + done.err
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]
    named = next(line.split()[0] for line in shop.inv("runs").out.splitlines() if " rollback " in line)
    assert shop.inv("undo", f"--run={named}", "--confirm=shop").code == 0
    again = shop.inv("undo", f"--run={named}", "--confirm=shop")
    assert again.code == 2 and "was taken back already" in again.out
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)]


def two_migrations(shop: Project) -> Path:
    """A second migration that fails on production only, until a row is there."""
    path = shop.folder / "shop/lessons/migrations/0003_gate.py"
    path.write_text(GATED)
    return path


def test_a_stop_between_two_migrations_is_told_and_can_be_resumed(project: Callable[..., Project]) -> None:
    shop = project("b")
    write(shop, "CREATE TABLE lessons_gate (n int)")
    write(shop, "INSERT INTO lessons_gate VALUES (1)")
    two_migrations(shop)
    steps(shop, "clone-prod-to-test", "migrate-test", "verify")
    write(shop, "DELETE FROM lessons_gate")
    done = shop.inv("promote", "--json", "--confirm=shop")
    assert done.code == 4, done.out + done.err
    assert "lessons.0003_gate: division by zero" in done.outcome["reason"]
    assert "run the migrations on production was begun, not finished" in done.outcome["stands"]
    assert shop.query("SELECT 1 FROM django_migrations WHERE name = '0002_session'")
    undone = shop.inv("undo", "--confirm=shop")
    assert undone.code == 3 and "Try: inv rollback --target=shop --backup=" in undone.out, undone.out
    status = shop.inv("status").out
    assert "begun, not finished" in status and "FROZEN" in status
    with psycopg.connect(
        shop.production, autocommit=True, options="-c default_transaction_read_only=off"
    ) as connection:
        connection.execute("INSERT INTO lessons_gate VALUES (1)")
    resumed = shop.inv("resume", "--json", "--confirm=shop")
    # The row that let the migration pass is one more than was held; nothing is missing.
    assert resumed.code in (0, 5), resumed.out + resumed.err
    assert shop.query("SELECT 1 FROM django_migrations WHERE name = '0003_gate'")


def test_a_freeze_that_was_lifted_meanwhile_stops_the_resume(scene: Callable[..., Project]) -> None:
    shop = scene("interrupted")
    run = shop.inv("runs", "--json").events[-1]["run"]
    steps(shop, "unfreeze --confirm=shop")
    resumed = shop.inv("resume", f"--run={run}", "--json", "--confirm=shop")
    assert resumed.code == 3, resumed.out + resumed.err
    assert "not so any more: production is frozen" in resumed.outcome["reason"]
    assert not shop.query("SELECT 1 FROM django_migrations WHERE name = '0002_session'")
    status = shop.inv("status").out
    assert "promote" in status and "unfreeze" in status
