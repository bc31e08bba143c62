"""A promotion that fails: the text offers the command, and with --auto-rollback the tool takes production back.

What it decides is a table in tests/cli/test_failed_promotion.py. Here three go from end to end: one where nothing is
applied, one where all is, one half-way that is interrupted and resumed; more of them are slow.
"""

from __future__ import annotations

import json
import re
import shlex
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Project
from tests.failing import FAILURES, half_way, not_at_all
from tests.support.project import begin, ended


def slow_but(quick: str, *names: str) -> list[Any]:
    """Parameters of which all but one are slow."""
    return [pytest.param(name, marks=() if name == quick else pytest.mark.slow) for name in names]


def frozen(shop: Project) -> bool:
    return shop.query("SHOW default_transaction_read_only") == [("on",)]


def command(hint: str) -> list[str]:
    """What a text offers, copied whole."""
    words = shlex.split(hint)
    assert words[0] == "inv"
    return words[1:]


def journal(shop: Project, run: str) -> list[dict[str, Any]]:
    text = (shop.folder / f"backups/shop/runs/{run}/journal.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def failing(project: Callable[..., Project], step: str, **more: object) -> tuple[Project, int, str]:
    arrange, target, code, words = FAILURES[step]
    shop = project("b", freeze="always", **{**target, **more})
    arrange(shop)
    return shop, code, words


@pytest.mark.slow
@pytest.mark.parametrize("step", slow_but("promote.migrate", *FAILURES))
def test_the_command_that_is_offered_takes_production_back(project: Callable[..., Project], step: str) -> None:
    shop, code, words = failing(project, step)
    before = shop.fingerprint()
    done = shop.inv("release", "--json", "--confirm=shop")
    assert done.code == code, done.out + done.err
    outcome = done.outcome
    assert words in outcome["reason"], outcome
    assert "production is frozen" in outcome["stands"]
    applied = "partly migrated (applied: lessons.0002_session; not applied: lessons.0003_more)"
    assert (applied if step == "promote.migrate" else "applied") in outcome["stands"]
    back = f"inv rollback --target=shop --backup={outcome['run']}_last"
    ways = [back, f"inv resume --run={outcome['run']} --target=shop"]
    # Where every row was accounted for, the application is ill and the data are well: going on is offered first.
    first, second = ways[::-1] if step in ("promote.deploy", "health") else ways
    assert outcome["hint"] == first
    assert f"\n  {second}   " in outcome["stands"]
    assert "frozen since before that backup" in outcome["stands"]
    assert "continues; first correct what failed" in outcome["stands"]
    # The way back works without what failed: the deploy command of a broken release may be broken, too.
    inventory = shop.folder / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace("exit 3", "exit 0").replace("false", "true"))
    status = shop.inv("status").out
    assert outcome["hint"] in status and "FROZEN" in status, status
    done = shop.inv(*command(back), "--confirm=shop", "--json")
    assert done.code == 0, done.out + done.err
    assert shop.fingerprint() == before
    assert frozen(shop)
    assert "inv unfreeze --target=shop" in done.outcome["hint"]


@pytest.mark.parametrize("step", slow_but("promote.account", *FAILURES))
def test_with_auto_rollback_production_is_as_before(project: Callable[..., Project], step: str) -> None:
    shop, code, words = failing(project, step)
    if step in ("promote.deploy", "health"):
        # No commit, no release to deploy again: what matters here is that the data come back.
        assert "commit" not in shop.inv("backups").out
    before = shop.fingerprint()
    done = shop.inv("release", "--json", "--confirm=shop", "--auto-rollback")
    assert done.code == code, done.out + done.err
    last = done.outcome
    assert (last["event"], last["procedure"], last["exit"]) == ("outcome", "release", code)
    assert words in last["reason"] and last["reason"].endswith("; rolled back")
    assert "production is as it was before the release, proved row for row" in last["stands"]
    assert shop.fingerprint() == before
    assert not frozen(shop)
    back = journal(shop, last["rolled_back_by"])
    assert back[0]["procedure"] == "auto-rollback" and last["run"] in back[0]["reason"]
    assert back[0]["inputs"]["rollback"]["failed_run"] == last["run"]
    assert back[-1]["outcome"] == "done"
    assert journal(shop, last["run"])[-1]["rolled_back_by"] == last["rolled_back_by"]
    status = shop.inv("status").out
    assert "auto-rollback" in status and "takes writes" in status and "kept:" in status, status


def test_where_nothing_is_applied_the_release_is_taken_back(project: Callable[..., Project]) -> None:
    shop = project("b", freeze="always")
    not_at_all(shop)
    before = shop.fingerprint()
    done = shop.inv("release", "--confirm=shop", "--auto-rollback")
    assert done.code == 4, done.out + done.err
    assert "no migration was applied, and production takes writes again" in done.out
    assert shop.fingerprint() == before
    assert not frozen(shop)
    # Its last backup is older than what is written from now on: nothing of it may be gone on with.
    again = shop.inv("resume", "--confirm=shop")
    assert again.code == 2 and "nothing to resume" in again.out and "was undone" in again.out, again.out
    status = shop.inv("status").out
    assert "the changes of this run are undone" in status and "Try:" not in status, status
    assert "undone" in shop.inv("runs").out
    assert not frozen(shop)
    assert "Traceback" not in done.out + done.err


@pytest.mark.slow
def test_a_production_that_was_not_frozen_is_left_to_a_person(project: Callable[..., Project]) -> None:
    shop = project("b", freeze="never")
    half_way(shop)
    done = shop.inv("release", "--confirm=shop", "--auto-rollback")
    assert done.code == 4, done.out + done.err
    assert "--auto-rollback has no effect" in done.out
    assert "not rolled back automatically: production was not frozen" in done.out
    last = done.out.rsplit("Try: ", 1)[1]
    assert re.fullmatch(r"inv rollback --target=shop --backup=\d+_\d+_\w{4}\n", last), last
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)]
    assert shop.inv(*command(last), "--confirm=shop").code == 0
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]


def rehearsed(project: Callable[..., Project]) -> Project:
    """A shop that has only to be promoted, which will fail half-way."""
    shop, _, _ = failing(project, "promote.migrate")
    for words in (["clone-prod-to-test"], ["migrate-test"], ["verify"]):
        assert shop.inv(*words).code == 0
    return shop


@pytest.mark.slow
@pytest.mark.parametrize("step", slow_but("rollback.restore", "rollback.restore", "auto-rollback.look_again"))
def test_ctrl_c_during_it_can_be_resumed(project: Callable[..., Project], step: str) -> None:
    shop = rehearsed(project)
    before = shop.fingerprint()
    process = begin(shop, step, "promote", "--confirm=shop", "--auto-rollback")
    process.send_signal(signal.SIGINT)
    done = ended(process)
    assert done.code == 130, done.out + done.err
    assert "Try: inv resume --run=" in done.out
    assert frozen(shop)
    resumed = shop.inv("resume", "--confirm=shop", "--json")
    assert resumed.code == 0, resumed.out + resumed.err
    assert resumed.outcome["procedure"] == "auto-rollback"
    assert shop.fingerprint() == before
    assert not frozen(shop)


@pytest.mark.slow
def test_promote_takes_back_too_and_resume_remembers_it(project: Callable[..., Project]) -> None:
    shop = rehearsed(project)
    before = shop.fingerprint()
    process = begin(shop, "promote.fingerprint_before", "promote", "--confirm=shop", "--auto-rollback")
    process.kill()
    ended(process)
    done = shop.inv("resume", "--confirm=shop", "--json")
    assert done.code == 4, done.out + done.err
    assert "proved row for row" in done.outcome["stands"]
    assert shop.fingerprint() == before
    assert not frozen(shop)
