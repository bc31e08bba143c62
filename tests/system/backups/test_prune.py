"""Retention on real backups: shown first, removed when confirmed, nothing that is needed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import Project

Make = Callable[..., Project]
KEEP = {"daily": 0, "weekly": 0, "monthly": 0, "last": 1, "least": 1}


def place(shop: Project) -> Path:
    return shop.folder / "backups/shop/backups"


def ids(shop: Project) -> list[str]:
    return sorted(path.name for path in place(shop).iterdir())


def backup(shop: Project) -> str:
    assert shop.inv("backup").code == 0
    return ids(shop)[-1]


def begun(shop: Project) -> int:
    """How many runs have a journal with a whole line."""
    paths = (shop.folder / "backups/shop/runs").glob("*/journal.jsonl")
    return sum(b"\n" in path.read_bytes() for path in paths)


def older(shop: Project, name: str, days: int) -> str:
    """A copy of a backup, as if it had been taken before."""
    manifest = json.loads((place(shop) / name / "manifest.json").read_text())
    at = datetime.fromisoformat(manifest["taken_at"]) - timedelta(days=days)
    new = f"{at:%Y%m%d_%H%M%S}_{name[-4:]}"
    shutil.copytree(place(shop) / name, place(shop) / new)
    found = json.dumps(manifest | {"backup": new, "taken_at": at.isoformat()})
    (place(shop) / new / "manifest.json").write_text(found)
    return new


def test_it_is_shown_first_and_removed_when_confirmed(scene: Make) -> None:
    shop = scene("backed_up", keep=KEEP)
    [newest] = ids(shop)
    old = [older(shop, newest, days) for days in (40, 20, 10)]
    shown = shop.inv("prune-backups")
    assert shown.code == 3 and "3 backups" in shown.out, shown.out
    assert "would be removed; nothing was changed" in shown.out + shown.err
    assert "Try: inv prune-backups --confirm=shop" in shown.out + shown.err
    assert ids(shop) == sorted([*old, newest])
    planned = shop.inv("prune-backups", "--plan")
    assert planned.code == 0 and "no rule retains it" in planned.out and ids(shop) == sorted([*old, newest])
    pinned = shop.inv("pin", old[1], "--reason=before the season")
    assert pinned.code == 0, pinned.out + pinned.err
    assert f"{old[1]} (pinned)" in shop.inv("backups").out
    done = shop.inv("prune-backups", "--confirm=shop")
    assert done.code == 0 and "pinned: before the season" in done.out, done.out + done.err
    assert ids(shop) == sorted([old[1], newest])
    [note] = (shop.folder / "backups/shop/prunings").iterdir()
    assert json.loads(note.read_text())["removed"] == sorted([old[0], old[2]])
    again = shop.inv("prune-backups", "--confirm=shop")
    assert again.code == 0 and "every backup is retained" in again.out, again.out
    latest = shop.inv("unpin", "latest")
    assert latest.code == 0 and f"nothing to do: {newest} is not pinned; pinned: {old[1]}" in latest.out, latest.out
    assert shop.inv("unpin", "20200101_000000_nope").code == 2
    unpinned = shop.inv("unpin", old[1])
    assert unpinned.code == 0 and f"{old[1]} is no longer pinned" in unpinned.out, unpinned.out
    shop.inv("pin", "latest")
    assert f"{newest} is no longer pinned" in shop.inv("unpin", "--backup=latest").out
    assert shop.inv("prune-backups", "--confirm=shop").code == 0
    assert ids(shop) == [newest]


def test_another_name_or_an_unknown_backup_is_refused(scene: Make) -> None:
    shop = scene("backed_up", keep=KEEP)
    [newest] = ids(shop)
    older(shop, newest, 10)
    wrong = shop.inv("prune-backups", "--confirm=shops")
    assert wrong.code == 3 and len(ids(shop)) == 2, wrong.out + wrong.err
    assert shop.inv("pin", "20200101_000000_nope").code == 2
    assert shop.inv("pin", "../../etc").code == 2


@pytest.mark.slow
def test_what_a_drill_proved_and_what_a_run_needs_stays(scene: Make) -> None:
    shop = scene("backed_up", keep=KEEP)
    [first] = ids(shop)
    assert shop.inv("drill").code == 0
    second = backup(shop)
    third = backup(shop)
    shown = shop.inv("prune-backups", "--plan").out
    line = {name: next(line for line in shown.splitlines() if name in line) for name in (first, second, third)}
    assert "the newest proved backup" in line[first] and "REMOVE" in line[second] and "the newest" in line[third], shown
    # A drill that was killed needs its backup.
    known = begun(shop)
    words = shop.command("drill", f"--backup={second}")
    child = subprocess.Popen(words, cwd=shop.folder, env=shop.env, stdout=subprocess.DEVNULL)
    while child.poll() is None and begun(shop) == known:
        time.sleep(0.01)
    child.kill()
    child.wait()
    shown = shop.inv("prune-backups", "--plan").out
    assert "is not finished" in next(line for line in shown.splitlines() if second in line), shown


@pytest.mark.slow
def test_a_run_that_was_refused_long_ago_holds_nothing(project: Make) -> None:
    shop = project("a", keep=KEEP)
    refused = shop.inv("release", "--confirm=shop")
    assert refused.code == 5, refused.out + refused.err
    [name] = ids(shop)
    assert "is not finished" in (shown := shop.inv("prune-backups", "--plan").out), shown
    backup(shop)
    [journal] = (shop.folder / f"backups/shop/runs/{name}").glob("journal.jsonl")
    journal.write_text(re.sub(r'"at": "20[0-9]{2}', '"at": "2020', journal.read_text()))
    shown = shop.inv("prune-backups", "--plan").out
    line = next(line for line in shown.splitlines() if name in line)
    assert "is not finished" not in line, shown


@pytest.mark.slow
def test_a_certificate_and_a_kept_database_need_theirs(scene: Make) -> None:
    shop = scene("rolled_back", keep=KEEP)
    for _ in range(2):
        backup(shop)
    shown = shop.inv("prune-backups", "--plan").out
    assert "needs it" in shown and "certificate" in shown and "the kept database" in shown, shown
    # Where the server does not answer, what it could need stays.
    del shop.env["DATABASE_URL"]
    away = shop.inv("prune-backups", "--plan")
    assert away.code == 0 and "backups that a kept database may need are retained" in away.out, away.out + away.err


@pytest.mark.parametrize("left", ["removing", "partial"])
def test_what_was_cut_off_is_finished(scene: Make, left: str) -> None:
    shop = scene("backed_up", keep=KEEP)
    [newest] = ids(shop)
    old = older(shop, newest, 10)
    (place(shop) / old).rename(place(shop) / f"{old}.{left}")
    if left == "partial":
        # Somebody may still be writing it.
        assert "every backup is retained" in shop.inv("prune-backups", "--confirm=shop").out
        for path in (place(shop) / f"{old}.{left}", *(place(shop) / f"{old}.{left}").rglob("*")):
            os.utime(path, (0, 0))
    assert old not in shop.inv("backups").out
    done = shop.inv("prune-backups", "--confirm=shop")
    assert done.code == 0 and "1 incomplete backup" in done.out, done.out + done.err
    assert ids(shop) == [newest]


def test_json_tells_each_decision(scene: Make) -> None:
    shop = scene("backed_up", keep=KEEP)
    [newest] = ids(shop)
    old = older(shop, newest, 10)
    *told, outcome = shop.inv("prune-backups", "--plan", "--json").events
    assert [(one["backup"], one["stays"]) for one in told] == [(old, False), (newest, True)]
    assert outcome["outcome"] == "done" and outcome["exit"] == 0
