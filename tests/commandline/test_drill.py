"""Drills: a backup is restored on the test server, proved, timed and dropped, without production."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.conftest import Project

Make = Callable[..., Project]


def drills(shop: Project) -> list[str]:
    """The throw-away databases that are there."""
    stem = shop.test.rsplit("/", 1)[1]
    names = shop.query("SELECT datname FROM pg_database", "postgres")
    return [name for (name,) in names if name.startswith(f"{stem}_drill_")]


@pytest.mark.slow
def test_the_newest_backup_that_was_never_proved_is_proved(scene: Make) -> None:
    shop = scene("backed_up")
    first = shop.inv("backups", "--json").events[0]["backup"]
    listed = shop.inv("backups").out
    assert "never" in listed, listed
    done = shop.inv("drill")
    assert done.code == 0 and f"{first}, taken" in done.out and "never proved yet" in done.out, done.out + done.err
    assert drills(shop) == []
    listed = shop.inv("backups").out
    assert "by drill" in listed and "restored in" in listed, listed
    [event] = shop.inv("backups", "--json").events
    assert event["proved"]["procedure"] == "drill" and event["proved"]["seconds"] > 0, event
    assert shop.inv("backup").code == 0
    done = shop.inv("drill")
    assert done.code == 0 and first not in done.out, done.out


def test_production_is_not_needed(scene: Make) -> None:
    shop = scene("backed_up")
    del shop.env["DATABASE_URL"]
    done = shop.inv("drill")
    assert done.code == 0, done.out + done.err


def test_a_damaged_backup_is_not_restored_and_shown_as_failed(scene: Make) -> None:
    shop = scene("backed_up")
    dump = max((shop.folder / "backups").rglob("*.dat*"), key=lambda path: path.stat().st_size)
    content = bytearray(dump.read_bytes())
    content[len(content) // 2] ^= 1
    dump.write_bytes(content)
    done = shop.inv("drill")
    assert done.code == 3 and "is not what was written" in done.out + done.err, done.out + done.err
    assert drills(shop) == []
    assert "FAILED" in (listed := shop.inv("backups").out), listed


def test_what_was_restored_other_than_it_was_dumped_fails_the_drill(scene: Make) -> None:
    shop = scene("backed_up")
    [fingerprint] = (shop.folder / "backups").rglob("fingerprint.jsonl")
    manifest = fingerprint.with_name("manifest.json")
    text = fingerprint.read_text()
    import hashlib
    import json
    import re

    harmed = re.sub(r'("rows" : )1000\b', r"\g<1>999", text, count=1)
    assert harmed != text, text[:2000]
    fingerprint.write_text(harmed)
    found = json.loads(manifest.read_text())
    found["files"]["fingerprint.jsonl"] = [hashlib.sha256(harmed.encode()).hexdigest(), len(harmed.encode())]
    manifest.write_text(json.dumps(found))
    done = shop.inv("drill")
    assert done.code == 4 and "not what was dumped" in done.out, done.out + done.err
    assert "inv backups   says which backups were proved" in done.out, done.out
    assert "FAILED" in (listed := shop.inv("backups").out), listed
    # What is left is dropped by the way back.
    assert len(drills(shop)) == 1
    undone = shop.inv("undo")
    assert undone.code == 0 and drills(shop) == [], undone.out + undone.err
    # It was not proved all the same.
    assert "FAILED" in (listed := shop.inv("backups").out), listed


@pytest.mark.slow
def test_a_drill_that_was_killed_is_resumed(scene: Make) -> None:
    shop = scene("backed_up")
    child = subprocess.Popen(shop.command("drill"), cwd=shop.folder, env=shop.env, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not drills(shop) and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert drills(shop)
    done = shop.inv("resume")
    assert done.code == 0 and drills(shop) == [], done.out + done.err


def test_a_target_without_a_test_target_is_refused(scene: Make) -> None:
    shop = scene("backed_up")
    inventory = shop.folder / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace("          test: shop-test\n", ""))
    done = shop.inv("drill")
    assert done.code == 2 and "names no test target" in done.out + done.err, done.out + done.err


def test_without_a_backup_there_is_nothing_to_drill(project: Make) -> None:
    done = project("b").inv("drill")
    assert done.code == 2 and "inv backup --target=shop" in done.out + done.err, done.out + done.err
