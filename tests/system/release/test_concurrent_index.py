"""An index that is built concurrently on production: it waits for readers, and what an interrupted build left goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg
import pytest

from tests.conftest import Project
from tests.support.project import begin, ended

INDEX = 'migrations.RunSQL("CREATE INDEX CONCURRENTLY lesson_title ON lessons_lesson (title)")'
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('lesson_title')"
RECORDED = "SELECT count(*) FROM django_migrations WHERE name = '0002_session'"


def certified(project: Callable[..., Project], **target: object) -> Project:
    """A certificate for a migration that builds an index concurrently; production is not frozen meanwhile."""
    shop = project(INDEX, freeze="never", checks=[], **target)
    path = shop.folder / "shop/lessons/migrations/0002_session.py"
    head = "class Migration(migrations.Migration):\n"
    path.write_text(path.read_text().replace(head, f"{head}    atomic = False\n"))
    for words in ("clone-prod-to-test", "migrate-test", "verify"):
        done = shop.inv(words)
        assert done.code == 0, done.out + done.err
    return shop


class Reader(threading.Thread):
    """Holds a snapshot, as a long report does, until the index has waited for it for some seconds."""

    def __init__(self, shop: Project, seconds: float) -> None:
        super().__init__(daemon=True)
        self.shop, self.seconds, self.ready = shop, seconds, threading.Event()

    def run(self) -> None:
        waits = "SELECT 1 FROM pg_stat_activity WHERE query ILIKE 'CREATE INDEX CONC%' AND wait_event_type = 'Lock'"
        # A test that does not wait for it ends its session with its database.
        with suppress(psycopg.OperationalError), psycopg.connect(self.shop.production) as holder:
            holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            holder.execute("SELECT * FROM lessons_lesson LIMIT 1")
            self.ready.set()
            deadline = time.monotonic() + 60
            while not self.shop.query(waits) and time.monotonic() < deadline:
                time.sleep(0.1)
            time.sleep(self.seconds)


@pytest.mark.slow
def test_an_index_waits_for_a_reader_beyond_lock_timeout(project: Callable[..., Project]) -> None:
    """The time-out left an invalid index, and the retry said that it exists."""
    shop = certified(project, lock_timeout=0.2, retries=2)
    # A wait is reported after some three seconds.
    reader = Reader(shop, 8)
    reader.start()
    reader.ready.wait(10)
    done = shop.inv("promote", "--confirm=shop")
    reader.join()
    assert done.code == 0, done.out + done.err
    assert "again in" not in done.out
    assert "waits for a lock that pid" in done.out and "statement SELECT) holds" in done.out, done.out
    assert (shop.query(VALID), shop.query(RECORDED)) == ([(True,)], [(1,)])


@pytest.mark.slow
def test_what_a_given_up_build_left_goes_when_the_run_goes_on(project: Callable[..., Project]) -> None:
    shop = certified(project, lock_timeout=0.2, retries=2, lock_wait=2.0)
    reader = Reader(shop, 30)
    reader.start()
    reader.ready.wait(10)
    process = begin(shop, "promote.migrate", "promote", "--confirm=shop")
    done = ended(process)
    assert done.code == 4 and "gave up after 2 s of waiting for a lock" in done.out, done.out + done.err
    assert (shop.query(VALID), shop.query(RECORDED)) == ([(False,)], [(0,)])
    shop.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' "
        "AND datname = current_database()"
    )
    again = shop.inv("resume", "--confirm=shop")
    assert again.code == 0, again.out + again.err
    assert (shop.query(VALID), shop.query(RECORDED)) == ([(True,)], [(1,)])
