"""Railway's own backup in the place of the volume: what is said before, what holds after it, and each way it fails."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable

import psycopg
import pytest

from ops.infra.session.run_lock import RunLock
from ops.infra.session.session import Session
from ops.inventory.load import load
from tests.conftest import ROOT
from tests.support.tiers import quick
from tests.system.cli.test_pages import paste
from tests.system.railway.conftest import Rail

Make = Callable[..., Rail]
INVENTORY = load(ROOT / "inventory.yaml")
WORDS = ("railway-restore", "--backup=bak-1", "--confirm=shop")
SINCE = "SELECT count(*) FROM lessons_teacher WHERE name = 'written since'"


@pytest.fixture
def backed_up(rail: Make) -> Rail:
    """A project with a dump of ours and Railway's own backup, and a row that was written since."""
    on = rail("b")
    done = on.project.inv("backup")
    assert done.code == 0, done.out + done.err
    (dump,) = (on.project.folder / "backups/shop/backups").iterdir()
    on.change(faults=["keeps-copies"])
    place = ("--project", "prj-1", "--environment", "env-p", "--service", "svc-db")
    for words in (("create", "--name", dump.name), ("list",)):
        call = ("railway", "postgres", "pitr", "backup", *words, *place)
        subprocess.run(call, env=on.project.env, check=True, capture_output=True)
    on.project.query("INSERT INTO lessons_teacher (name) VALUES ('written since')")
    on.change(faults=[])
    return on


def frozen(on: Rail) -> bool:
    return on.project.query("SHOW default_transaction_read_only") == [("on",)]


def test_the_backup_is_live_and_what_was_written_since_is_in_the_last_dump(backed_up: Rail) -> None:
    on, shop = backed_up, backed_up.project
    dump = on.state["backups"][0]["name"]
    planned = shop.inv(*WORDS[:2], "--plan")
    assert planned.code == 0 and f"prefer inv rollback --backup={dump}" in planned.out, planned.out
    done = shop.inv("railway-restore", f"--backup={dump}", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert f"prefer   inv rollback --backup={dump} --target=shop" in done.out
    assert "no other change is staged in the environment" in done.out
    assert "answers from volume vi-restored-1, in place of vi-env-p" in done.out
    assert f"compared with the nearest dump, {dump}" in done.out and "every table is equal" in done.out
    assert re.search(r"safety backup \w+_safety: public.lessons_teacher ([\d,]+) → [\d,]+ rows; bring", done.out)
    assert shop.query(SINCE) == [(0,)] and not frozen(on)
    run = json.loads(shop.inv("runs", "--json").out.splitlines()[-1])["run"]
    assert f"inv salvage --backup={run}_safety" in done.out
    undone = shop.inv("undo", f"--run={run}", "--confirm=shop")
    assert undone.code == 3 and f"inv rollback --backup={run}_safety" in undone.out, undone.out


@pytest.mark.slow
def test_a_run_that_was_killed_asks_for_no_second_restore(backed_up: Rail) -> None:
    on, shop = backed_up, backed_up.project
    on.change(faults=["kills-its-caller"])
    assert shop.process(*WORDS).code == -9
    stopped = r'stopped: in step \d+ of \d+, "Restore the volume backup on Railway"'
    assert re.search(stopped, shop.inv("status").out)
    on.change(faults=[])
    done = shop.inv("resume", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert on.state["restores"] == 1 and shop.query(SINCE) == [(0,)] and not frozen(on)


@pytest.mark.slow
def test_what_railway_refuses_is_taken_back_whole(backed_up: Rail) -> None:
    on, shop = backed_up, backed_up.project
    on.change(faults=["ha-cluster"])
    done = shop.inv(*WORDS)
    assert done.code == 4 and "HA cluster" in done.out and frozen(on), done.out + done.err
    on.change(faults=[])
    undone = shop.inv("undo", "--confirm=shop")
    assert undone.code == 0 and not frozen(on), undone.out + undone.err
    assert shop.query(SINCE) == [(1,)]


@pytest.mark.slow
def test_what_is_staged_already_or_typed_wrong_changes_nothing(backed_up: Rail) -> None:
    on, shop = backed_up, backed_up.project
    done = shop.inv("railway-restore", "--backup=bak-9", "--confirm=shop")
    assert done.code == 2 and "no backups 'bak-9'; the newest are: bak-1 (" in done.out, done.out + done.err
    done = shop.inv("railway-restore")
    assert done.code == 2 and "--backup is missing; the newest are: bak-1 (" in done.out, done.out
    done = shop.inv("railway-restore", "--backup=bak-1")
    assert done.code in (2, 3) and "--confirm=shop" in done.out + done.err, done.out + done.err
    on.change(version="5.30.2")
    done = shop.inv(*WORDS)
    assert done.code == 2 and "railway 5.30.2 can't restore a backup; 5.33.0 or newer can" in done.out, done.out
    on.change(version="5.43.1")
    with psycopg.connect(f"{shop.production.rsplit('/', 1)[0]}/postgres") as other:
        key = RunLock(Session(INVENTORY), "shop", shop.production.rsplit("/", 1)[1], "", "").key
        other.execute("SELECT pg_advisory_lock(%s, %s)", [0x67656E, key])
        done = shop.inv(*WORDS)
        assert done.code == 3 and "another run holds the run lock" in done.out, done.out + done.err
    on.change(staged={"services": {"svc-web": {"variables": {"DEBUG": {"value": "1"}}}}})
    done = shop.inv(*WORDS)
    assert done.code == 3 and "other changes are staged in its environment" in done.out, done.out + done.err
    assert not frozen(on) and "restores" not in on.state
    on.change(staged={"services": {}}, faults=["may-not-ask"])
    assert "may not query staged changes" in shop.inv("tool.check-unstaged", "--target=shop").out


@pytest.mark.slow
def test_a_database_that_does_not_answer_needs_a_word(backed_up: Rail) -> None:
    shop = backed_up.project
    name = shop.production.rsplit("/", 1)[1]
    shop.query(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false', "postgres")
    done = shop.inv(*WORDS)
    assert done.code == 3 and "Try: repeat the command with --no-safety" in done.out, done.out + done.err
    done = shop.inv(*WORDS, "--no-safety")
    assert done.code == 0, done.out + done.err
    assert "no safety backup is made, so they are lost" in done.out and shop.query(SINCE) == [(0,)]


SAID = {
    "does-nothing": "the former server still answers",
    "restore-only-stages": "the exchange is staged, not applied",
    "restore-drops-the-link": "requests no second restore",
}


# One after the other on one project: all of them in CI.
@pytest.mark.parametrize("faults", quick(["restore-drops-the-link", " ".join(SAID)], "restore-drops-the-link"))
def test_what_railway_says_it_did_is_looked_at(backed_up: Rail, faults: str) -> None:
    on, shop = backed_up, backed_up.project
    database = shop.production.rsplit("/", 1)[1]
    for fault in faults.split():
        said = SAID[fault]
        noted = shop.inv("tool.note-volume", "--target=shop", "--volume-backup=bak-1", f"--report={fault}")
        assert noted.code == 0 and "volume vi-env-p, at " in noted.out, noted.out + noted.err
        on.change(faults=[fault], staged={})
        given = ("--target=shop", "--place=prj-1/env-p/svc-db", "--volume-backup=bak-1", f"--report={fault}")
        words = ("tool.volume-restore", *given, f"--database={database}", "--timeout=1", "--every=0.2")
        done = shop.inv(*words)
        assert done.code == 4 and said in done.out + done.err, done.out + done.err
    assert shop.inv("tool.check-volume-untouched", "--target=shop", f"--report={fault}").code == 4
    # Asked again, it only looks.
    on.change(faults=["ha-cluster"])
    assert "HA cluster" not in shop.inv(*words).out
    assert shop.query(SINCE) == [(1,)]


@pytest.mark.slow
def test_a_server_that_went_back_on_the_same_volume_counts(backed_up: Rail) -> None:
    shop = backed_up.project
    file = shop.folder / "v.json"
    words = ("tool.check-volume-restored", "--target=shop", "--report=v.json")
    words = (*words, f"--database={shop.production.rsplit('/', 1)[1]}")
    noted = {"volume": "vi-env-p", "taken": "", "life": "another start 1", "lsn": "FF/0"}
    file.write_text(json.dumps(noted))
    assert "the same volume, back at" in shop.inv(*words).out
    file.write_text(json.dumps(noted | {"lsn": "0/1"}))
    assert "the database is still in its former state: volume vi-env-p" in shop.inv(*words).out
    file.write_text(json.dumps(noted))
    asked = ("tool.check-volume-backup", "--target=shop", "--volume-backup=bak-1")
    assert shop.inv(*asked, "--place=prj-1/env-p/svc-db").code == 0
    assert "planned for prj-1/env-p/svc-web" in shop.inv(*asked, "--place=prj-1/env-p/svc-web").out
    done = shop.inv(*words, "--system=123")
    assert done.code == 3 and "the run was planned for" in done.out + done.err, done.out + done.err


@pytest.mark.slow
def test_the_page_does_the_same(backed_up: Rail) -> None:
    on, shop = backed_up, backed_up.project
    assert shop.inv("runbooks").code == 0
    done = paste(shop, "railway-restore", VOLUME_BACKUP="bak-1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert shop.query(SINCE) == [(0,)] and not frozen(on) and on.state["restores"] == 1
    (last,) = (path.name for path in (shop.folder / "backups/shop/backups").glob("*_hand_safety"))
    back = shop.inv("salvage", f"--backup={last}", "--table=lessons_teacher", "--confirm=shop")
    assert back.code == 0, back.out + back.err
    assert shop.query(SINCE) == [(1,)]
