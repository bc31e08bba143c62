"""Waits for locks: who holds them is reported, the wait has a limit, and only sessions of named roles are ended."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest

from ops.core.errors import Unreachable
from ops.infra.postgres.embedded_server import Server
from ops.infra.session.client_tools import some_tools
from ops.infra.session.server import schema_digest
from ops.infra.session.session import Session
from ops.inventory import load
from tests.support.project import Project, admin, begin, ended, wait_for

HOLDER = r"pid (\d+) \(role {}, idle in transaction since [\d: -]+ UTC, statement {}\)"


@pytest.fixture
def reporting(server: Server) -> Iterator[str]:
    """A role that reads, and holds locks while it does."""
    name = f"reporting_{uuid.uuid4().hex[:6]}"
    with admin(server) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x' IN ROLE pg_read_all_data".encode())
    yield name
    with admin(server) as connection:
        connection.execute(f"DROP ROLE {name}".encode())


@pytest.mark.slow
def test_a_backup_that_waits_names_the_holder_and_gives_up(project: Callable[..., Project]) -> None:
    shop = project("b", lock_wait=4.0)
    with psycopg.connect(shop.production) as holder:
        pid = holder.info.backend_pid
        holder.execute(
            "LOCK TABLE lessons_teacher IN ACCESS EXCLUSIVE MODE; UPDATE lessons_teacher SET name = 'secret'"
        )
        done = shop.inv("backup")
        holder.execute("SELECT 1")
        ours = "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'generalprobe 2%'"
        # A session's process outlives its client by a moment.
        gone = wait_for(lambda: not shop.query(ours))
    assert done.code == 4, done.out + done.err
    held = HOLDER.format("postgres", "LOCK")
    said = re.search(
        f"waits for a lock that {held} holds; SELECT pg_terminate_backend\\((\\d+)\\); ends that session", done.out
    )
    assert said, done.out
    assert said[1] == said[2] == str(pid)
    assert re.search(
        f"FAILED  shop: gave up after 4 s of waiting for a lock \\(lock_wait\\) that is held by {held}", done.out
    )
    assert re.search(
        r"Try: SELECT pg_terminate_backend\(\d+\);\s+ends that session,?\s+then   inv resume --run=", done.out
    )
    assert "secret" not in done.out + done.err
    assert gone, "the sessions end with the backup, not with the lock"
    again = shop.inv("resume")
    assert again.code == 0, again.out + again.err


@pytest.mark.slow
def test_a_backup_gives_way_to_those_who_wait_for_it(project: Callable[..., Project]) -> None:
    """One table is held, and a change of another one queues behind the backup, and then everybody behind that."""
    shop = project("b", lock_yield=2.0)
    shop.query("CREATE TABLE first (id int); CREATE TABLE second (id int)")
    with psycopg.connect(shop.production) as holder, psycopg.connect(shop.production) as other:
        holder.execute("LOCK TABLE second IN ACCESS EXCLUSIVE MODE")
        process = begin(shop, "backup.dump", "backup")
        deadline = time.monotonic() + 45
        # Where a dump and its fingerprint can't lock together, they let go, begin anew: the change then comes through.
        while process.poll() is None and time.monotonic() < deadline:
            other.execute("ALTER TABLE first ALTER COLUMN id SET DEFAULT 1")
            other.commit()
            time.sleep(0.3)
        done = ended(process)
    assert done.code == 4, done.out + done.err
    assert re.search(
        r"gave up after 2 s in which pid \d+ \(role postgres, active since .*, statement ALTER\)", done.out
    )


@pytest.mark.slow
def test_a_look_at_the_schema_that_waits_names_the_holder(project: Callable[..., Project]) -> None:
    """The defaults of a table that is locked can't be read: it waited for ever without a word."""
    shop = project("b")
    shop.query("CREATE TABLE counted (id int DEFAULT 5)")
    session = Session(load.load(shop.folder / "inventory.yaml"), shop.env)
    some_tools(session)
    with psycopg.connect(shop.production) as holder:
        holder.execute("LOCK TABLE counted IN ACCESS EXCLUSIVE MODE")
        assert shop.inv("status").code == 0
        with pytest.raises(Unreachable) as found:
            schema_digest(session, "shop")
    held = HOLDER.format("postgres", "LOCK")
    assert re.search(f"lock timeout; ACCESS EXCLUSIVE locks are held by {held}", found.value.message)
    assert re.fullmatch(
        r"SELECT pg_terminate_backend\(\d+\);   in psql ends that session, or wait until they end", found.value.hint
    )


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.slow
def test_only_sessions_of_named_roles_are_ended(scene: Callable[..., Project], reporting: str, named: bool) -> None:
    shop = scene("certified", lock_timeout=3.0, retries=0, end_blockers=[reporting if named else "another"])
    process = begin(shop, "promote.fingerprint_before", "promote", "--confirm=shop")
    with psycopg.connect(shop.production, user=reporting, password="x") as holder:
        holder.execute("SELECT * FROM lessons_lesson LIMIT 1")
        done = ended(process)
        held = HOLDER.format(reporting, "SELECT")
        if named:
            assert done.code == 0, done.out + done.err
            assert re.search(f"ended {held}, which held a lock \\(end_blockers\\)", done.out), done.out
            with pytest.raises(psycopg.OperationalError):
                holder.execute("SELECT 1")
        else:
            holder.execute("SELECT 1")
            assert done.code == 4, done.out + done.err
            assert re.search(f"lock timeout; the lock is held by {held}: SELECT pg_terminate_backend", done.out), (
                done.out
            )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "words"),
    [("lessons_lesson", ["salvage", "--backup=latest", "--table=lessons_lesson"]), ("django_migrations", ["release"])],
    ids=["our own session", "the application's"],
)
def test_what_is_looked_up_before_there_is_a_run_is_reported_and_ends(
    scene: Callable[..., Project], table: str, words: list[str]
) -> None:
    """Rows are counted and migrations read before anything is planned, and nobody said why nothing happened."""
    shop = scene("backed_up", lock_wait=5.0)
    with psycopg.connect(shop.production) as holder:
        holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        done = shop.inv(*words, "--confirm=shop")
        holder.execute("SELECT 1")
    assert done.code == 4, done.out + done.err
    held = HOLDER.format("postgres", "LOCK")
    assert re.search(f"waits for a lock that {held} holds; SELECT pg_terminate_backend", done.out), done.out
    assert re.search(f"shop: gave up after 5 s of waiting for a lock \\(lock_wait\\) that is held by {held}", done.out)
    assert "ends that session, then   repeat the command" in done.out
    assert words[0] not in shop.inv("runs").out


@pytest.mark.slow
def test_a_wait_is_told_to_programs_and_by_status(project: Callable[..., Project]) -> None:
    shop = project("b", lock_wait=8.0)
    with psycopg.connect(shop.production) as holder:
        holder.execute("LOCK TABLE lessons_teacher IN ACCESS EXCLUSIVE MODE")
        process = begin(shop, "backup.dump", "backup", "--json")
        time.sleep(4)
        status = shop.inv("status")
        [told] = shop.inv("status", "--json").events
        done = ended(process)
    held = HOLDER.format("postgres", "LOCK")
    assert re.search(f"lock:    waits for a lock that {held} holds; SELECT pg_terminate_backend", status.out), (
        status.out
    )
    assert re.search(held, told["waits"][0]), told
    waits = [event for event in done.events if event["event"] == "wait"]
    assert waits and waits[0]["step"] == "backup.dump" and re.search(held, waits[0]["text"]), done.out
