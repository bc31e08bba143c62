"""A freeze, as a person types it: refused before anything is changed, and nothing migrated of which no backup knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.conftest import Project

Make = Callable[..., Project]
Scene = Callable[..., Project]
CREATE = "CREATE SUBSCRIPTION \"It's\" CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false)"


@pytest.fixture
def replicated(project: Make) -> Iterator[Project]:
    """A production into which another server replicates."""
    shop = project("b")
    for words in (CREATE, 'ALTER SUBSCRIPTION "It\'s" ENABLE'):
        shop.query(words)
    yield shop
    for words in ("ALTER {} DISABLE", "ALTER {} SET (slot_name = NONE)", "DROP {}"):
        shop.query(words.format('SUBSCRIPTION "It\'s"'))


def test_a_writer_that_cannot_be_stopped_is_refused_before_anything_is_changed(replicated: Project) -> None:
    with psycopg.connect(replicated.production, autocommit=True) as user:
        done = replicated.inv("freeze", "--confirm=shop")
        user.execute("SELECT 1")
    assert done.code == 3, done.out + done.err
    said = done.out + done.err
    assert 'could still write to a frozen production: the subscription "It\'s"' in said
    assert 'Try: ALTER SUBSCRIPTION "It\'s" DISABLE' in said
    assert replicated.query("SHOW default_transaction_read_only") == [("off",)]
    assert "nothing was changed" in replicated.inv("status").out
    assert 'could still write to a frozen production, so a freeze is refused: the subscription "It\'s"' in (
        replicated.inv("doctor").out
    )


@pytest.mark.slow
def test_what_was_written_in_spite_of_the_freeze_is_not_migrated(scene: Scene) -> None:
    shop = scene("interrupted")
    with psycopg.connect(shop.production, autocommit=True) as administrator:
        administrator.execute("SET default_transaction_read_only = off")
        administrator.execute("INSERT INTO lessons_teacher (name) VALUES ('in no backup')")
    done = shop.inv("resume", "--confirm=shop")
    assert done.code == 5, done.out + done.err
    assert "wrote to the frozen production since the last backup; no migration was applied" in done.out + done.err
    assert "public.lessons_teacher has 11 rows instead of 10" in done.out + done.err
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)], "nothing was migrated"
    assert shop.inv("undo", "--confirm=shop").code == 0
    assert shop.query("SHOW default_transaction_read_only") == [("off",)]


def test_a_role_that_only_reads_is_not_called_a_freeze(scene: Scene) -> None:
    shop = scene("backed_up")
    user, database = shop.query("SELECT current_user, quote_ident(current_database())")[0]
    shop.query(f"ALTER ROLE {user} IN DATABASE {database} SET default_transaction_read_only = on")
    assert "takes writes" in shop.inv("status").out
    assert "FROZEN" not in shop.inv("doctor", "--all").out
    assert shop.inv("freeze", "--confirm=shop").code == 0
    assert "is FROZEN" in shop.inv("status").out
    assert shop.inv("unfreeze", "--confirm=shop").code == 0
    assert "takes writes" in shop.inv("status").out
    assert shop.query("SHOW default_transaction_read_only") == [("on",)], "that is the role's own again"


def test_an_address_that_requires_a_writable_session_reaches_a_frozen_production(scene: Scene) -> None:
    shop = scene("certified", freeze="always")
    shop.env["DATABASE_URL"] += "?target_session_attrs=read-write"
    done = shop.inv("promote", "--confirm=shop")
    assert done.code == 0, done.out + done.err
