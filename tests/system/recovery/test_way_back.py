"""The way back's rehearsal, stopped in its middle: the migrated clone always gets its name back."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable

import pytest

from ops.release import certificate
from tests.conftest import Project, psql_env
from tests.support.project import begin, ended, wait_for
from tests.system.cli.test_faults import SQL
from tests.system.recovery.test_since import steps

pytestmark = pytest.mark.slow


def names(shop: Project) -> dict[str, str]:
    stem = shop.test.rsplit("/", 1)[1]
    found = shop.query(
        f"SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database WHERE starts_with(datname, '{stem}')",
        "postgres",
    )
    return {str(name).removeprefix(stem): str(mark) for name, mark in found}


def stop_in_the_middle(shop: Project, *command: str, beside: str = "roundtrip_{run}", mark: str = "round trip") -> str:
    """Kill a run while the database beside the migrated clone has the clone's name; gives the run."""
    process = begin(shop, "way-back.swap", *(command or ("verify",)))
    process.kill()
    ended(process)
    journal = max(shop.folder.glob("backups/shop/runs/*/journal.jsonl"))
    inputs = json.loads(journal.read_text().splitlines()[0])["inputs"]
    stem, run = inputs["test_server"]["database"], inputs["run"]
    incoming = f"{stem}_{beside.format(run=run)}"
    words = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-v", f"live={stem}", "-v", f"incoming={incoming}"]
    words += ["-v", f"aside={stem}_migrated_{run}", "-f", str(SQL / "swap.sql"), "dbname=postgres"]
    # What the run had begun goes on without it, maybe to the second swap.
    at_work = f"SELECT 1 FROM pg_stat_activity WHERE application_name = 'generalprobe {run}'"
    for _ in range(3):
        while shop.query(at_work, "postgres"):
            time.sleep(0.05)
        time.sleep(0.2)
    if not names(shop)[""].startswith(f"generalprobe clone {mark}"):
        done = subprocess.run(words, env=shop.env | psql_env(shop.test), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert names(shop)[""].startswith(f"generalprobe clone {mark}"), "the restored one has the clone's name"
    return str(run)


def migrated(shop: Project) -> bool:
    clone = Project(shop.folder, shop.test, shop.test, shop.env)
    return clone.query("SELECT count(*) FROM lessons_session") == [(1000,)]


@pytest.mark.parametrize("word", ["resume", "undo"])
def test_a_stop_between_the_two_swaps_can_be_ended_both_ways(scene: Callable[..., Project], word: str) -> None:
    shop = scene("rehearsed")
    stop_in_the_middle(shop)
    done = shop.inv(word, "--json")
    assert done.code == 0, done.out + done.err
    assert names(shop).keys() == {"", "_before"}
    assert migrated(shop)
    if word == "resume":
        folder = shop.folder / "backups/shop"
        recovery = certificate.read(folder, certificate.newest(folder)).recovery
        assert recovery and recovery.swapped > 0
    else:
        steps(shop, "verify")


def test_what_a_run_left_that_nobody_ended_goes_with_the_next_clone(scene: Callable[..., Project]) -> None:
    shop = scene("rehearsed")
    run = stop_in_the_middle(shop)
    steps(shop, "clone-prod-to-test", "migrate-test", "verify")
    assert migrated(shop)
    assert f"_migrated_{run}" not in names(shop)


@pytest.mark.parametrize("word", ["resume", "undo", "release"])
def test_a_release_that_stops_between_the_two_swaps_can_be_ended(scene: Callable[..., Project], word: str) -> None:
    """In a release the copy from before the migrations is swapped in; what no run ended goes with the next release."""
    shop = scene("filled")
    before = names(shop)
    stop_in_the_middle(shop, "release", "--confirm=shop", beside="before", mark="before")
    done = shop.inv(word, "--confirm=shop", "--json")
    assert done.code == 0, done.out + done.err
    if word == "undo":
        assert names(shop) == before
        assert shop.inv("release", "--confirm=shop").code == 0
    folder = shop.folder / "backups/shop"
    recovery = certificate.read(folder, certificate.newest(folder)).recovery
    assert recovery and recovery.swapped > 0 and recovery.restored > 0 and recovery.proved > 0
    assert migrated(shop)
    assert {name for name in names(shop) if "migrated" in name or "roundtrip" in name} == set()


# A check that takes its time where the database is not production.
SLOW = """
CREATE FUNCTION sure(int) RETURNS bool LANGUAGE plpgsql AS
'BEGIN IF current_database() <> ''{name}'' THEN PERFORM pg_sleep(4); END IF; RETURN true; END';
CREATE TABLE told (id int CONSTRAINT checked CHECK (sure(id))); INSERT INTO told VALUES (1)
"""


def test_a_rollback_that_is_killed_before_its_checks_are_validated_is_not_done(scene: Callable[..., Project]) -> None:
    shop = scene("filled")
    shop.query(SLOW.format(name=shop.production.rsplit("/", 1)[1]))
    assert shop.inv("backup").code == 0
    process = begin(shop, "rollback.restore", "rollback", "--backup=latest", "--confirm=shop")
    validates = "SELECT 1 FROM pg_stat_activity WHERE query ~ '^ALTER TABLE .* VALIDATE' AND state = 'active'"
    assert wait_for(lambda: shop.query(validates, "postgres"))
    process.kill()
    ended(process)
    done = shop.inv("resume", "--confirm=shop")
    assert done.code == 0 and "1 of 1 checks that depend on more than their row hold" in done.out, done.out + done.err
    assert shop.query("SELECT convalidated FROM pg_constraint WHERE conname = 'checked'") == [(True,)]
