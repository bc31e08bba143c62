"""A backup of production's streaming replica: what it holds, its lag, and a replay that always goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from ops.infra.postgres.embedded_server import Server
from ops.verdict.fingerprint import read
from tests.conftest import Project, admin, drop_databases
from tests.projects import inventory, write_project
from tests.support.project import begin, ended, project_env, wait_for
from tests.support.servers import QUICK
from tests.support.standby import Replicated, replicated
from tests.support.tiers import quick
from tests.support.versions import MAJORS, servers
from tests.system.cli.test_pages import blocks

pytestmark = pytest.mark.timeout(300)
SERVERS = servers()
Make = Callable[..., Project]
# The dump takes about four seconds.
SLOW = {"max_rate": "150kB"}
BALLAST = "CREATE TABLE ballast AS SELECT md5(random()::text) AS v FROM generate_series(1, 20000)"
ENDS = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name "
GUARDS = "SELECT count(*)::int FROM pg_stat_activity WHERE application_name LIKE 'generalprobe replay %'"
DUMPS = "SELECT count(*)::int FROM pg_stat_activity WHERE application_name ~ '^generalprobe 2'"
COPIES = "SELECT count(*)::int FROM pg_stat_activity WHERE query LIKE 'COPY public.ballast%'"
READER = """
CREATE ROLE reader LOGIN PASSWORD 'x';
GRANT pg_read_all_data TO reader;
"""
FUNCTIONS = "FUNCTION pg_wal_replay_pause(), pg_wal_replay_resume()"


def fill(replicas: Replicated, folder: Path, name: str) -> Project:
    """A project whose production is a filled database on the primary."""
    with admin(replicas.primary) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = replicas.primary.url(name)
    made = Project(folder, url, url, project_env(replicas.primary, url, url))
    write_project(folder, "b", {})
    for words in (["migrate", "lessons", "0001"], ["migrate", "contenttypes"], ["migrate", "auth"], ["fill"]):
        made.manage(*words)
    made.query(BALLAST)
    return made


@pytest.fixture(scope="session")
def filled(replicas: Replicated, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a filled database on the primary."""
    with admin(replicas.primary) as connection:
        connection.execute(READER)
    fill(replicas, tmp_path_factory.mktemp("filled"), "old_shop")
    return "old_shop"


@pytest.fixture
def make(replicas: Replicated, filled: str, tmp_path: Path) -> Iterator[Make]:
    """Makes a project whose production is on the primary and is dumped from the standby."""
    stem = f"s{os.urandom(4).hex()}"

    def made(dump: dict[str, object] | None = None, **target: object) -> Project:
        with admin(replicas.primary) as connection:
            connection.execute(f"CREATE DATABASE {stem}_shop TEMPLATE {filled}")
        write_project(tmp_path / "project", "b", {})
        urls = replicas.primary.url(f"{stem}_shop"), replicas.primary.url(f"{stem}_test")
        shop = Project(tmp_path / "project", *urls, project_env(replicas.primary, *urls))
        shop.env["STANDBY_URL"] = replicas.standby.url(f"{stem}_shop")
        write(shop, {"standby": "env:STANDBY_URL", "dump": {"from": "standby", **(dump or {})}} | target)
        replicas.caught_up()
        return shop

    yield made
    replicas.resume()
    replicas.caught_up()
    drop_databases(replicas.primary, stem)


def write(shop: Project, target: dict[str, Any]) -> None:
    """Write the inventory."""
    (shop.folder / "inventory.yaml").write_text(yaml.safe_dump(inventory(target)))


def manifests(shop: Project) -> list[dict[str, Any]]:
    """The manifests of all backups, the oldest first."""
    return [json.loads(path.read_text()) for path in sorted(shop.folder.glob("backups/shop/backups/*/manifest.json"))]


def rows(shop: Project, table: str = "public.lessons_teacher") -> int:
    """The rows of a table in the last backup."""
    return int(manifests(shop)[-1]["rows"][table])


def dumping(shop: Project, replicas: Replicated) -> subprocess.Popen[str]:
    """Start a slow backup, and return when the replay is paused and the dump runs."""
    process = begin(shop, "backup.dump", "backup")
    assert wait_for(lambda: replicas.paused and replicas.ask(COPIES)), "the dump does not begin"
    return process


def psql_of(shop: Project) -> list[int]:
    """The processes of psql that run dump.sql for a project, and their children are in their groups."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        dumps = words[0].endswith(b"psql") and any(word.endswith(b"/dump.sql") for word in words)
        if dumps and os.readlink(path.parent / "cwd") == str(shop.folder):
            found.append(int(path.parent.name))
    return found


def test_it_dumps_the_standby(make: Make, replicas: Replicated) -> None:
    """The manifest has position and lag; a restore of what was dumped equals its fingerprint."""
    shop = make()
    shop.query("UPDATE lessons_teacher SET name = name")
    done = shop.inv("backup")
    assert done.code == 0 and "dumped from the standby at " in done.out, done.out + done.err
    moment = read(next(shop.folder.glob("backups/shop/backups/*/fingerprint.jsonl"))).moment
    assert moment and moment.updated == {"public.lessons_teacher": 10}, "the standby does not count what users update"
    found = manifests(shop)[-1]["standby"]
    assert re.fullmatch(r"[0-9A-F]+/[0-9A-F]+", found["lsn"]) and 0 <= found["lag"] < 60
    assert not replicas.paused and replicas.ask(GUARDS) == 0
    assert shop.inv("backups", "--json").events[0]["standby"] == found
    drilled = shop.inv("drill", "--backup=latest")
    assert drilled.code == 0, drilled.out + drilled.err
    assert not list(shop.folder.glob("backups/shop/backups/*/.*"))


@pytest.mark.slow
def test_the_replay_is_paused_meanwhile(make: Make, replicas: Replicated) -> None:
    shop = make(SLOW)
    process = dumping(shop, replicas)
    shop.query("DELETE FROM lessons_booking WHERE id > 9")
    shop.query("VACUUM lessons_booking")
    shop.query("ALTER TABLE lessons_booking ADD later int")
    done = ended(process)
    assert done.code == 0, done.out + done.err
    assert rows(shop, "public.lessons_booking") == 1000 and not replicas.paused
    replicas.caught_up()


def test_a_pause_of_somebody_else_stays(make: Make, replicas: Replicated) -> None:
    shop = make()
    replicas.ask("SELECT pg_wal_replay_pause()")
    shop.query("INSERT INTO lessons_teacher (name) VALUES ('new')")
    done = shop.inv("backup")
    assert done.code == 0 and "was paused before this backup, and stays paused" in done.out + done.err
    assert rows(shop) == 10 and replicas.paused


@pytest.mark.parametrize("group", [True, False])
@pytest.mark.slow
def test_after_a_kill_the_server_itself_resumes_the_replay(make: Make, replicas: Replicated, group: bool) -> None:
    shop = make(SLOW)
    process = dumping(shop, replicas)
    programs = psql_of(shop)
    process.kill()
    ended(process)
    assert "replay paused for backup" in shop.inv("status").out
    for pid in programs if group else []:
        os.killpg(pid, signal.SIGKILL)
    assert wait_for(lambda: not replicas.paused), "the replay is still paused"
    assert wait_for(lambda: replicas.ask(GUARDS) == 0)
    assert "replay" not in shop.inv("status").out
    done = shop.inv("resume")
    assert done.code == 0 and not replicas.paused, done.out + done.err


@pytest.mark.parametrize("word", quick(["undo", "resume"], "undo"))
def test_a_pause_without_its_guard_is_named_and_undone(make: Make, replicas: Replicated, word: str) -> None:
    """An administrator ends the sessions of the tool, and the tool is killed."""
    shop = make(SLOW)
    process = dumping(shop, replicas)
    programs = psql_of(shop)
    replicas.ask(f"{ENDS} LIKE 'generalprobe replay %'")
    process.kill()
    for pid in programs:
        os.killpg(pid, signal.SIGKILL)
    ended(process)
    assert wait_for(lambda: replicas.ask(DUMPS) == 0) and replicas.paused
    said = shop.inv("status").out
    assert "replay PAUSED by backup" in said and "Try: inv resume" in said
    done = shop.inv(word)
    assert done.code == 0 and not replicas.paused, done.out + done.err
    assert "replay" not in shop.inv("status").out


@pytest.mark.slow
def test_ctrl_c_resumes_the_replay(make: Make, replicas: Replicated) -> None:
    shop = make(SLOW)
    process = dumping(shop, replicas)
    process.send_signal(signal.SIGINT)
    assert ended(process).code == 130
    assert not replicas.paused and replicas.ask(GUARDS) == 0


@pytest.mark.slow
def test_an_error_resumes_the_replay(make: Make, replicas: Replicated) -> None:
    shop = make(SLOW)
    process = dumping(shop, replicas)
    replicas.ask(f"{ENDS} ~ '^generalprobe 2'")
    assert ended(process).code == 4
    assert not replicas.paused and replicas.ask(GUARDS) == 0


@pytest.mark.slow
def test_two_backups_at_once_share_the_pause(make: Make, replicas: Replicated) -> None:
    shop = make({"max_rate": "50kB"})
    first = dumping(shop, replicas)
    second = begin(shop, "backup.dump", "backup")
    assert wait_for(lambda: replicas.ask(GUARDS) == 2)
    assert [ended(one).code for one in (first, second)] == [0, 0]
    assert not replicas.paused


@pytest.mark.slow
def test_it_waits_for_a_lock_that_the_replay_holds(make: Make, replicas: Replicated) -> None:
    """A paused replay would hold the lock of a transaction that production has not finished, forever."""
    shop = make()
    with psycopg.connect(shop.production) as session:
        session.execute("LOCK TABLE lessons_teacher IN ACCESS EXCLUSIVE MODE")
        # A standby learns of the lock with the next record of the transaction that is sent.
        session.execute("CREATE TABLE later ()")
        replicas.caught_up()
        timer = threading.Timer(4, session.rollback)
        timer.start()
        begun = time.monotonic()
        done = shop.inv("backup")
        timer.join()
    assert done.code == 0 and time.monotonic() - begun > 3, done.out + done.err
    assert not replicas.paused


@pytest.mark.slow
def test_a_release_dumps_the_standby_first_and_production_last(make: Make, replicas: Replicated) -> None:
    shop = make(freeze="always")
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    found = {one["backup"].removeprefix(one["run"]): one["standby"] for one in manifests(shop)}
    assert found[""] is not None and found["_last"] is None and not replicas.paused


def test_without_the_right_to_pause_it_says_so(make: Make, replicas: Replicated) -> None:
    shop = make()
    as_reader(shop)
    done = shop.inv("backup")
    assert done.code == 0 and "the replay of the standby was not paused" in done.out + done.err, done.out + done.err
    assert manifests(shop)[-1]["standby"]["lag"] is not None


def test_a_conflict_names_the_right_to_grant(make: Make, replicas: Replicated) -> None:
    shop = make(SLOW)
    as_reader(shop)
    process = begin(shop, "backup.dump", "backup")
    assert wait_for(lambda: replicas.ask(COPIES))
    with psycopg.connect(replicas.primary.url(shop.production.rsplit("/", 1)[1]), autocommit=True) as session:
        session.execute("DROP TABLE ballast")
    done = ended(process)
    assert done.code == 4 and "conflicts with the dump" in done.err + done.out, done.out + done.err
    assert f"GRANT EXECUTE ON {FUNCTIONS} TO reader" in done.err + done.out


@pytest.mark.slow
def test_with_the_right_a_reader_pauses(make: Make, replicas: Replicated) -> None:
    shop = make(SLOW)
    as_reader(shop)
    with admin(replicas.primary) as connection:
        connection.execute(f"GRANT EXECUTE ON {FUNCTIONS} TO reader")
    try:
        replicas.caught_up()
        done = ended(dumping(shop, replicas))
        assert done.code == 0 and not replicas.paused, done.out + done.err
    finally:
        with admin(replicas.primary) as connection:
            connection.execute(f"REVOKE EXECUTE ON {FUNCTIONS} FROM reader")


def as_reader(shop: Project) -> None:
    """Let the tool connect as a role that may only read."""
    for name in ("DATABASE_URL", "STANDBY_URL"):
        shop.env[name] = re.sub("//postgres:[^@]*@", "//reader:x@", shop.env[name])


@contextmanager
def _paused(replicas: Replicated) -> Iterator[None]:
    replicas.ask("SELECT pg_wal_replay_pause()")
    yield
    replicas.resume()


def refused(shop: Project, *said: str) -> str:
    """The one line of a refusal before anything was done, with its hint."""
    done = shop.inv("backup")
    text = done.out + done.err
    assert done.code == 3 and "Traceback" not in text and "Try:" in text, text
    for words in said:
        assert words in text, text
    assert not list(shop.folder.glob("backups/shop/backups/*"))
    return text


def test_a_standby_that_is_too_far_behind_is_refused(make: Make, replicas: Replicated) -> None:
    shop = make({"max_lag": 1})
    with _paused(replicas):
        shop.query("INSERT INTO lessons_teacher (name) VALUES ('new')")
        time.sleep(1.5)
        refused(shop, "more than max_lag: 1", "its replay is paused", "SELECT pg_wal_replay_resume()")
    replicas.caught_up()
    assert shop.inv("backup").code == 0


def test_what_is_no_standby_is_refused(make: Make, replicas: Replicated, server: Server) -> None:
    shop = make()
    standby = shop.env["STANDBY_URL"]
    shop.env["STANDBY_URL"] = replicas.primary.url("postgres")
    refused(shop, "inventory.yaml:", "is not in recovery", "dump: {from: production}")
    shop.env["STANDBY_URL"] = replicas.standby.url("postgres")
    refused(shop, "leads to another database: database postgres")
    shop.env["STANDBY_URL"] = re.sub(r":\d+/", ":1/", standby)
    refused(shop, "the standby can't be used", "`standby` in the inventory", "dump: {from: production}")
    del shop.env["STANDBY_URL"]
    done = shop.inv("backup")
    assert done.code == 2 and "standby: env:STANDBY_URL is empty or missing" in done.out, done.out + done.err
    shop.env["STANDBY_URL"] = standby
    name = standby.rsplit("/", 1)[1]
    with admin(server) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        shop.env["DATABASE_URL"] = server.url(name)
        refused(shop, "leads to a standby of another server")
    finally:
        drop_databases(server, name)


def test_unlogged_tables_are_refused_or_excluded(make: Make, replicas: Replicated) -> None:
    shop = make()
    shop.query("CREATE UNLOGGED TABLE cache (id serial PRIMARY KEY)")
    shop.query("INSERT INTO cache DEFAULT VALUES")
    replicas.caught_up()
    refused(shop, "the rows of unlogged tables: public.cache", "exclude: [cache]")
    write(shop, {"standby": "env:STANDBY_URL", "dump": {"from": "standby", "exclude": ["cache"]}})
    done = shop.inv("backup")
    assert done.code == 0, done.out + done.err
    drilled = shop.inv("drill", "--backup=latest")
    assert drilled.code == 0, drilled.out + drilled.err


@pytest.mark.slow
def test_the_page_does_the_same(make: Make, replicas: Replicated) -> None:
    """The blocks of the page, pasted into a shell."""
    shop = make()
    assert shop.inv("runbooks").code == 0
    script = "set -e\n" + blocks((shop.folder / "runbooks/backup.md").read_text())
    done = subprocess.run(["bash"], input=script, cwd=shop.folder, env=shop.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert manifests(shop)[-1]["standby"]["lag"] is not None and not replicas.paused


def test_the_doctor_reports_the_standby(make: Make, replicas: Replicated) -> None:
    shop = make()

    def found() -> dict[str, Any]:
        events = shop.inv("doctor", "--json").events
        return next(one for one in events if one.get("check") == "standby")

    assert (found()["status"], "behind production" in found()["said"]) == ("ok", True)
    as_reader(shop)
    one = found()
    assert one["status"] == "warn" and f"GRANT EXECUTE ON {FUNCTIONS} TO \"reader\"" in one["hint"]
    shop.env["STANDBY_URL"] = replicas.primary.url("postgres")
    assert found()["status"] == "fail"


@pytest.mark.slow
@pytest.mark.parametrize("major", MAJORS)
def test_each_version_pauses_and_resumes(major: int, tmp_path: Path) -> None:
    if major not in SERVERS:
        pytest.skip(f"another PostgreSQL is needed here (server {major}): tests/support/versions.py says how")
    with replicated(f"v{major}", QUICK, SERVERS[major]) as replicas:
        shop = fill(replicas, tmp_path / "project", "v_shop")
        shop.env["STANDBY_URL"] = replicas.standby.url("v_shop")
        write(shop, {"standby": "env:STANDBY_URL", "dump": {"from": "standby", **SLOW}})
        replicas.caught_up()
        process = dumping(shop, replicas)
        shop.query("TRUNCATE ballast")
        done = ended(process)
        assert done.code == 0 and rows(shop, "public.ballast") == 20000, done.out + done.err
        process = dumping_again(shop, replicas)
        process.kill()
        ended(process)
        assert wait_for(lambda: not replicas.paused)


def dumping_again(shop: Project, replicas: Replicated) -> subprocess.Popen[str]:
    """Start a backup of a table that is filled anew."""
    shop.query("INSERT INTO ballast SELECT md5(random()::text) FROM generate_series(1, 20000)")
    replicas.caught_up()
    return dumping(shop, replicas)


def test_no_password_is_printed(make: Make, replicas: Replicated) -> None:
    shop = make()
    password = shop.env["STANDBY_URL"].split(":")[2].split("@")[0]
    shop.inv("backup")
    texts = [path.read_text(errors="replace") for path in (shop.folder / "backups").rglob("*") if path.is_file()]
    assert texts and not [text for text in texts if password in text]
