"""A migration that is not one transaction stops half-way and is not recorded: nothing is undone, retried or resumed on
that record alone; production is compared."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.conftest import Project
from tests.support.project import begin, ended
from tests.system.recovery.test_since import steps, write

Make = Callable[..., Project]
NEW = "insert into lessons_teacher (name) values ('half')"
# Fails where nothing is in the gate: on the clone there is.
GATE = "select 1 / (select count(*) from lessons_gate)"
ADD = 'migrations.AddField("lesson", "note", models.TextField(null=True))'


def certified(project: Make, operations: str, **target: object) -> Project:
    """A certificate for a migration that is not atomic, with production frozen meanwhile."""
    shop = project(operations, freeze="always", checks=[], **target)
    path = shop.folder / "shop/lessons/migrations/0002_session.py"
    text = path.read_text()
    head = "class Migration(migrations.Migration):\n"
    assert head in text
    path.write_text(text.replace(head, f"{head}    atomic = False\n"))
    write(shop, "CREATE TABLE lessons_gate (n int)")
    write(shop, "INSERT INTO lessons_gate VALUES (1)")
    steps(shop, "clone-prod-to-test", "migrate-test", "verify")
    write(shop, "DELETE FROM lessons_gate")
    return shop


def thaw(shop: Project, how: str) -> None:
    """What somebody else does to the freeze."""
    writes = "-c default_transaction_read_only=off"
    with psycopg.connect(shop.production, autocommit=True, options=writes) as connection:
        connection.execute(SQL("ALTER DATABASE {} {}").format(Identifier(connection.info.dbname), SQL(how)))


def teachers(shop: Project) -> int:
    return int(str(shop.query("SELECT count(*) FROM lessons_teacher")[0][0]))


@pytest.fixture
def half(project: Make) -> Project:
    return certified(project, f'migrations.RunSQL("{NEW}"), migrations.RunSQL("{GATE}")')


def test_what_stopped_half_way_is_not_undone_and_comes_back_from_the_last_backup(half: Project) -> None:
    done = half.inv("promote", "--json", "--confirm=shop")
    assert done.code == 4, done.out + done.err
    assert "a part of lessons.0002_session may be applied" in done.outcome["stands"]
    assert done.outcome["hint"].startswith("inv rollback --target=shop --backup=")
    assert teachers(half) == 11 and not half.query("SELECT FROM django_migrations WHERE name = '0002_session'")

    # In a process of its own: in this one, the actions of all commands are known by now.
    status = half.process("status")
    assert "a part of lessons.0002_session may be applied" in status.out, status.out
    assert f"Try: {done.outcome['hint']}" in status.out and status.out.count("inv rollback --target=shop") == 1

    undone = half.inv("undo", "--confirm=shop")
    assert undone.code == 3 and "Try: inv rollback --target=shop --backup=" in undone.out, undone.out
    assert "can't be undone: production is not as it was before the release: public." in undone.out
    assert half.query("SHOW default_transaction_read_only") == [("on",)], "it stays frozen"
    resumed = half.inv("resume", "--confirm=shop")
    assert resumed.code == 3 and "could execute a part twice" in resumed.out, resumed.out
    assert "Try: inv rollback --target=shop --backup=" in resumed.out and teachers(half) == 11

    back = half.inv(*done.outcome["hint"].split()[1:], "--confirm=shop")
    assert back.code == 0, back.out + back.err
    assert teachers(half) == 10


@pytest.mark.slow
def test_auto_rollback_takes_it_back_and_proves_it(half: Project) -> None:
    before = half.fingerprint()
    done = half.inv("promote", "--auto-rollback", "--json", "--confirm=shop")
    assert done.code == 4, done.out + done.err
    assert "rolled back by run" in done.outcome["stands"], done.outcome
    assert half.fingerprint() == before
    assert half.query("SHOW default_transaction_read_only") == [("off",)]


@pytest.mark.slow
def test_what_left_nothing_is_undone(project: Make) -> None:
    shop = certified(project, f'migrations.RunSQL("{GATE}"), migrations.RunSQL("{NEW}")')
    assert shop.inv("promote", "--json", "--confirm=shop").code == 4
    undone = shop.inv("undo", "--json", "--confirm=shop")
    assert undone.code == 0, undone.out + undone.err
    assert teachers(shop) == 10 and shop.query("SHOW default_transaction_read_only") == [("off",)]


@pytest.mark.slow
def test_a_lock_is_not_waited_for_again_where_a_part_is_done(project: Make) -> None:
    shop = certified(project, f'migrations.RunSQL("{NEW}"), {ADD}', lock_timeout=0.2, retries=2)
    process = begin(shop, "promote.fingerprint_before", "promote", "--json", "--confirm=shop")
    with psycopg.connect(shop.production) as holder:
        holder.execute("SELECT * FROM lessons_lesson LIMIT 1")
        done = ended(process)
    assert done.code == 4, done.out + done.err
    assert "lock timeout; not tried again: " in done.outcome["reason"], done.outcome["reason"]
    assert teachers(shop) == 11
    assert shop.inv("resume", "--confirm=shop").code == 3
    assert teachers(shop) == 11


@pytest.mark.slow
def test_what_stands_is_asked_of_the_server_each_time(half: Project) -> None:
    assert half.inv("promote", "--json", "--confirm=shop").code == 4
    kept, aside = "frozen since before that backup", "production was not frozen continuously"
    status = half.inv("status").out
    assert kept in status and "production is frozen: it serves reads" in status, status

    thaw(half, "RESET default_transaction_read_only")
    status = half.inv("status").out
    assert kept not in status and aside in status, status
    assert "not true, or no longer true: production is frozen" in status, status
    database = half.query("SELECT current_database()")[0][0]
    assert f"production (database {database}) takes writes" in status, status

    thaw(half, "SET default_transaction_read_only = on")
    status = half.inv("status").out
    assert kept not in status and aside in status, "it was frozen again, and not all the time"
    assert "production is frozen: it serves reads" in status, status

    back = next(line for line in half.inv("status").out.splitlines() if line.strip().startswith("Try: inv rollback"))
    assert half.inv(*back.split()[2:], "--confirm=shop").code == 0
    store = half.folder / "backups/shop"
    run = sorted(path.name for path in (store / "runs").iterdir())[-2]
    certificate = next((store / "certificates").glob("*.json")).stem
    given = ["--target=shop", f"--name={certificate}", f"--run={run}", f"--backup-id={run}_last", "--frozen=yes"]
    told = half.inv("tool.explain-promotion", *given)
    words = "another database took production's name after this run froze production (generalprobe restored"
    assert told.out.startswith(words)
    assert "Try: inv status --target=shop" in told.out and "inv resume" not in told.out, told.out
