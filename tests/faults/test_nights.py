"""Nights that the matrix does not make by itself: damaged backups, a vanished operator, a wrong clock, migrations that
fail half-way or hang, a closed door, a stale certificate."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ops.procedures.catalog import PROCEDURES
from ops.tasks import namespace
from tests.conftest import Done, Project
from tests.faults.kinds import MORE
from tests.faults.oracle import Oracle
from tests.faults.places import ELSEWHERE
from tests.faults.stage import Stage, applied, tables
from tests.support.project import wait_for

pytestmark = pytest.mark.faults


def said(done: Done, code: int, *words: str) -> str:
    """The text of a call that ended with this code and says these words, and no fault of our own."""
    text = done.out + done.err
    assert done.code == code, text
    for word in words:
        assert word in text, f"not said: {word}\n{text}"
    assert "Traceback" not in text and "(details:" not in text, text
    if code:
        assert "\nTry: " in text, text
    return text


# Backups that are none any more


def flip(backup: Path) -> None:
    file = max((backup / "dump").glob("*"), key=lambda path: path.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def lose(backup: Path) -> None:
    next(path for path in sorted((backup / "dump").glob("*")) if path.name != "toc.dat").unlink()


def cut_short(backup: Path) -> None:
    manifest = backup / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-40])


def other_fingerprint(backup: Path) -> None:
    (backup / "fingerprint.jsonl").write_text((backup / "fingerprint.jsonl").read_text().replace("1000", "1001"))


DAMAGES = [flip, lose, cut_short, other_fingerprint]
# What takes a backup: the procedures whose task has such a flag.
TAKE_BACKUPS = [
    name
    for name in PROCEDURES
    if name not in ELSEWHERE
    and name in namespace.task_names
    and "backup" in {argument.name for argument in namespace[name].get_arguments()}
]


def meant(stage: Stage) -> Path:
    """The backup that ``latest`` means."""
    known = sorted(path for path in (stage.store / "shop" / "backups").iterdir() if "_safety" not in path.name)
    return known[-1]


@pytest.mark.parametrize("name", TAKE_BACKUPS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_backup_changes_nothing(stage: Stage, name: str, damage: Callable[[Path], None]) -> None:
    start = stage.start_of(name)
    stage.at(start)
    backup = meant(stage)
    damage(backup)
    words = [f"--backup={backup.name}" if word.startswith("--backup") else word for word in stage.words(name)]
    done = stage.project.inv(*words)
    assert done.code in (2, 3), done.out + done.err
    said(done, done.code, "damaged" if damage is not cut_short else backup.name)
    assert tables(stage.project) == stage.kept[start].tables
    assert stage.facts().databases == stage.kept[start].databases


@pytest.mark.parametrize("name", TAKE_BACKUPS)
def test_a_backup_damaged_while_the_run_was_away_is_not_restored(stage: Stage, name: str) -> None:
    start = stage.start_of(name)
    stage.at(start)
    stage.forget()
    # At the run's first step, before anything of the backup was read by it.
    done, dealt = stage.struck(stage.words(name), "before", blow="kill")
    assert dealt and done.code == -9
    flip(meant(stage))
    said(stage.project.inv("resume", "--confirm=shop"), 3, "damaged")
    assert tables(stage.project) == stage.kept[start].tables


@pytest.mark.parametrize("name", TAKE_BACKUPS)
def test_a_backup_of_a_newer_server_is_not_restored_into_an_older_one(stage: Stage, name: str) -> None:
    """One server version is installed here: the manifest says that its server was a newer one."""
    stage.at(stage.start_of(name))
    manifest = meant(stage) / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"server": 990001}))
    done = stage.project.inv(*stage.words(name))
    assert done.code in (2, 3), done.out + done.err
    said(done, done.code, "99")
    assert tables(stage.project) == stage.kept[stage.start_of(name)].tables


# Production frozen, and nobody there


def test_a_vanished_operator_leaves_a_freeze_that_anybody_can_end(stage: Stage) -> None:
    stage.at(())
    stage.forget()
    done, dealt = stage.struck(stage.words("release"), "after", blow="kill", only="promote.hold/do/0")
    assert dealt and done.code == -9
    run = sorted(path.name for path in (stage.store / "shop" / "runs").iterdir())[-1]
    text = said(stage.project.inv("status"), 0, "is FROZEN (read-only) since 2", f"by release, run {run}")
    assert "production is frozen: it serves reads and refuses writes" in text
    assert f"inv resume --run={run}" in text and "inv unfreeze --target=shop" in text
    # From a shell that has not even the store of that run.
    away = stage.folder / "away"
    shutil.move(stage.store / "shop", away)
    try:
        said(stage.project.inv("status"), 0, "FROZEN (read-only) (by no run in this store)", "inv unfreeze")
        said(stage.project.inv("unfreeze", "--confirm=shop"), 0)
    finally:
        shutil.rmtree(stage.store / "shop", ignore_errors=True)
        shutil.move(away, stage.store / "shop")
    with stage.connect() as c:
        c.execute("INSERT INTO lessons_teacher (id, name) VALUES (900, 'written in between')")
    # What was promised does not hold any more: going on would lose that row if it had to go back.
    said(stage.project.inv("resume", "--confirm=shop"), 3, "no longer true", "inv undo")
    said(stage.project.inv("undo", f"--run={run}", "--confirm=shop"), 0)
    assert stage.project.query("SELECT count(*) FROM lessons_teacher WHERE id = 900") == [(1,)]


# Migrations that fail or hang


@contextlib.contextmanager
def migration(stage: Stage, name: str, source: str) -> Iterator[Project]:
    """Another text of one of the pending migrations."""
    stage.at(())
    path = stage.project_folder / f"shop/lessons/migrations/{name}.py"
    before = path.read_text()
    path.write_text(source)
    try:
        yield stage.project
    finally:
        path.write_text(before)


ONLY_IN_PRODUCTION = "do $$ begin if current_database() = 'shop' then raise 'not on this one'; end if; end $$"


@pytest.mark.parametrize("atomic", ["", "atomic = False"])
def test_a_migration_that_fails_half_way_is_told_by_name_and_taken_back(stage: Stage, atomic: str) -> None:
    """The second of three fails, and only on production: after its own first operation, atomic or not."""
    operations = f"""migrations.RunSQL("insert into lessons_teacher(id, name) values (5000, 'Neu');"
            " select setval('lessons_teacher_id_seq', 5000)"),
        migrations.RunSQL({ONLY_IN_PRODUCTION!r})"""
    with migration(stage, "0003_more", MORE % ("0002_session", atomic, operations)) as shop:
        before = tables(shop)
        done = shop.inv("release", "--confirm=shop")
        text = said(done, 4, "lessons.0003_more: not on this one", "applied before it: lessons.0002_session")
        assert applied(shop) == ("0001_initial", "0002_session")
        assert shop.query("SELECT count(*) FROM lessons_teacher WHERE id = 5000") == [(1 if atomic else 0,)]
        assert "production is frozen" in text
        status = said(shop.inv("status"), 0, "lessons.0003_more", "FROZEN")
        hint = next(line for line in text.splitlines() if line.startswith("Try: inv rollback"))
        assert hint.removeprefix("Try: ") in status
        # An undo must not pretend that it can.
        said(shop.inv("undo", "--confirm=shop"), 3, "can't be undone", "Try: inv rollback")
        said(shop.inv(*hint.split()[2:], "--confirm=shop"), 0)
        if "FROZEN" in shop.inv("status").out:
            said(shop.inv("unfreeze", "--confirm=shop"), 0)
        assert tables(shop) == before and applied(shop) == ("0001_initial",)
        assert shop.query("SHOW default_transaction_read_only") == [("off",)]


def test_a_migration_that_hangs_is_ended_by_ctrl_c(stage: Stage) -> None:
    source = MORE % ("0002_session", "", 'migrations.RunSQL("select pg_sleep(600)")')
    with migration(stage, "0003_more", source) as shop:
        process = subprocess.Popen(
            shop.command("release", "--confirm=shop"),
            cwd=shop.folder,
            env=shop.env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        asleep = "SELECT 1 FROM pg_stat_activity WHERE query = 'select pg_sleep(600)' AND state = 'active'"
        with stage.connect("postgres") as c:
            assert wait_for(lambda: c.execute(asleep).fetchone(), 60), "it never slept"
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            assert time.monotonic() - began < 20
            said(Done(process.returncode, out, err), 130, 'interrupted in "Run the migrations on the clone"')
            assert wait_for(lambda: not c.execute(asleep).fetchone(), 5), "it sleeps on"
        said(shop.inv("status"), 0, "interrupted", "Try: inv resume")
        said(shop.inv("undo", "--confirm=shop"), 0)
        assert tables(shop) == stage.kept[()].tables


# The clock


def set_back(stage: Stage, days: int) -> dict[str, str]:
    """The environment in which the tool's clock is behind."""
    folder = stage.folder / "clock"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(
        "import datetime, os, time\n"
        "class Behind(datetime.datetime):\n"
        "    @classmethod\n"
        "    def now(cls, tz=None):\n"
        f"        return super().now(tz) - datetime.timedelta(days={days})\n"
        "datetime.datetime = Behind\n"
    )
    return {"PYTHONPATH": os.pathsep.join([str(folder), stage.env["PYTHONPATH"]])}


@contextlib.contextmanager
def clock_behind(stage: Stage, days: int) -> Iterator[None]:
    """Set the clock of processes back; a call in the tests' own would not see it."""
    plain = stage.project.env
    stage.project.env = plain | set_back(stage, days)
    try:
        yield
    finally:
        stage.project.env = plain


def test_what_was_done_last_is_the_last_also_with_the_clock_set_back(stage: Stage) -> None:
    stage.at(())
    shop = stage.project
    said(shop.inv("backup"), 0)
    first = meant(stage).name
    with stage.connect() as c:
        c.execute("INSERT INTO lessons_teacher (id, name) VALUES (901, 'after the first backup')")
    with clock_behind(stage, 3):
        said(shop.process("backup"), 0)
        second = meant(stage).name
        assert second > first
        manifest = json.loads((meant(stage) / "manifest.json").read_text())
        today = f"{first[:4]}-{first[4:6]}-{first[6:8]}"
        assert manifest["taken_at"][:10] < today, "the clock was not behind"
        stage.forget()
        done, dealt = stage.struck(["clone-prod-to-test"], "before", blow="kill", only="clone.restore/do/0")
        assert dealt and done.code == -9
        # struck() has a PYTHONPATH of its own, so this run's clock is right; the next one's is not.
        said(shop.process("resume"), 0)
        said(shop.process("status"), 0, "clone-prod-to-test", "outcome: done")
        said(shop.process("freeze", "--confirm=shop"), 0)
        said(shop.process("undo", "--confirm=shop"), 0, "freeze was undone")
    said(shop.inv("rollback", "--backup=latest", "--confirm=shop"), 0)
    assert shop.query("SELECT count(*) FROM lessons_teacher WHERE id = 901") == [(1,)]


def test_a_certificate_from_the_future_does_not_hold(stage: Stage) -> None:
    stage.at(stage.start_of("promote"))
    with clock_behind(stage, 3):
        said(stage.project.process(*stage.words("promote")), 3, "a clock is wrong", "inv release")
    assert applied(stage.project) == ("0001_initial",)


def test_a_stale_certificate_does_not_hold(stage: Stage) -> None:
    stage.at(stage.start_of("promote"))
    with clock_behind(stage, -2):
        said(stage.project.process(*stage.words("promote")), 3, "expired at", "inv release")
    assert applied(stage.project) == ("0001_initial",)


# Doors


def test_a_server_that_is_full_from_the_start_is_said(stage: Stage) -> None:
    stage.at(())
    held: list[psycopg.Connection[Any]] = []
    with contextlib.suppress(psycopg.OperationalError):
        while True:
            held.append(stage.connect("postgres"))
    try:
        said(stage.project.inv("release", "--confirm=shop"), 4, "too many clients")
        status = said(stage.project.inv("status"), 0, "too many clients")
        assert "no run yet" in status
    finally:
        for one in held:
            one.close()
    assert tables(stage.project) == stage.kept[()].tables


def swapping(name: str) -> str:
    """The step of a procedure that exchanges databases on production; empty where none does."""
    for step, _ in PROCEDURES[name].entries:
        if step.data and step.undo and "swap" in step.name:
            return step.name
    return ""


def cut_off(stage: Stage, process: subprocess.Popen[str], how: str) -> None:
    if how == "int":
        process.send_signal(signal.SIGINT)
    elif how == "restart":
        stage._control("restart", "immediate")
    else:
        with stage.connect("postgres") as c:
            c.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE query LIKE '%generalprobe.incoming%' AND pid <> pg_backend_pid()"
            )


@pytest.mark.parametrize("name", [name for name in PROCEDURES if swapping(name)])
@pytest.mark.parametrize(("how", "way"), [("cut", "undo"), ("int", "resume"), ("restart", "resume")])
def test_a_swap_that_is_cut_off_does_not_leave_production_closed(stage: Stage, name: str, how: str, way: str) -> None:
    """A session that does not die keeps the gate closed; then comes Ctrl-C, a cut connection, or a restart."""
    start, end = stage.start_of(name), stage.end_of(name)
    stage.at(start)
    with stage.connect() as c:
        pid = c.info.backend_pid
        os.kill(pid, signal.SIGSTOP)
        # A freeze would end that session first, or be what fails.
        words = [word for word in stage.words(name) if word != "--freeze"]
        process = subprocess.Popen(
            stage.project.command(*words),
            cwd=stage.project.folder,
            env=stage.project.env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        closed = "SELECT 1 FROM pg_database WHERE datname = 'shop' AND NOT datallowconn"
        try:
            with stage.connect("postgres") as outside:
                assert wait_for(lambda: outside.execute(closed).fetchone(), 60), "the gate never closed"
            cut_off(stage, process, how)
            out, err = process.communicate(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    # Nobody had to do anything for users to be let in again.
    oracle = Oracle(stage, stage.kept[start], end, [out + err])
    frozen = oracle.production()
    oracle.verdict()
    words = ["State: ", "Try: inv resume", *(["shop is open to its users"] if how != "int" else [])]
    said(Done(process.returncode, out, err), 130 if how == "int" else 4, *words)
    said(stage.project.inv("status"), 0, "Try: inv resume", "FROZEN" if frozen else "takes writes")
    said(stage.project.inv(way, "--confirm=shop"), 0)
    oracle.production()
    assert tables(stage.project) == (end if way == "resume" else stage.kept[start]).tables


def test_a_production_that_stays_closed_is_said_to_be(stage: Stage) -> None:
    """Where the machine itself went down with the gate closed, nothing could open it."""
    stage.at(())
    with stage.connect("postgres") as c:
        c.execute("ALTER DATABASE shop ALLOW_CONNECTIONS false")
    said(stage.project.inv("status"), 0, "the database is CLOSED to all users")
