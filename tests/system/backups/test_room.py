"""Room is looked for before anything is written: where the backups are, and on the server. Numbers are said."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.backups import disk_space
from tests.conftest import Project
from tests.system.backups.test_excluded import manifests, refused, settings

Make = Callable[..., Project]
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="a small disk is mounted by root only: run the tests as root")
NOISE = """CREATE TABLE noise AS SELECT sha512(n::text::bytea) AS a, sha512((-n)::text::bytea) AS b
    FROM generate_series(1, {}) n"""


@contextmanager
def small(folder: Path, size: str) -> Iterator[None]:
    """A small disk in the place of a folder, with what was in it."""
    aside = folder.with_name("aside")
    folder.mkdir(exist_ok=True)
    folder.rename(aside)
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)], check=True)
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def left(shop: Project) -> list[str]:
    return sorted(path.name for path in (shop.folder / "backups/shop/backups").glob("*"))


@pytest.mark.slow
@ROOT_ONLY
def test_a_backup_that_does_not_fit_is_refused_with_both_numbers(project: Make) -> None:
    shop = project("b")
    with small(shop.folder / "backups", "3m"):
        refused(shop.inv("backup"), "for a backup in", "3.1 MB free; a backup takes at most about 4", "half of")
        assert left(shop) == []
    shop.query(NOISE.format(40_000))
    assert shop.inv("backup").code == 0
    with small(shop.folder / "backups", "11m"):
        known = left(shop)
        done = shop.inv("backup")
        refused(done, "MB free; a backup takes about 6", f"as {known[0]} did; nothing was written", "du -sh")
        assert left(shop) == known
        # What a large table takes is not needed where it stays out.
        settings(shop, dump={"exclude": ["noise"]})
        done = shop.inv("backup")
        assert done.code == 0, done.out
        small_one = manifests(shop)[-1]
        # And the next one like it goes by that, not by the larger one.
        assert f"as {small_one['backup']} did" in shop.inv("doctor", "--all").out
        settings(shop, dump={})
        refused(shop.inv("backup"), "a backup takes about 6", f"as {known[0]} did")


@ROOT_ONLY
def test_a_disk_that_fills_up_in_the_middle_still_fails_well(scene: Make) -> None:
    shop = scene("backed_up")
    shop.query(NOISE.format(40_000))
    # Of a table that grew by what can't be compressed, the last backup tells too little.
    with small(shop.folder / "backups", "3m"):
        done = shop.inv("backup")
        assert done.code == 4 and "Try: " in done.out and "Traceback" not in done.out + done.err, done.out
        assert [name for name in left(shop) if not name.endswith(".partial")] == left(shop)[:1]


@pytest.mark.slow
@ROOT_ONLY
def test_room_for_the_last_backup_is_looked_for_before_production_is_frozen(project: Make) -> None:
    shop = project("b", freeze="always")
    shop.query("INSERT INTO lessons_teacher (name) SELECT md5(n::text) FROM generate_series(1, 60000) n")
    for words in (["clone-prod-to-test"], ["migrate-test"], ["verify"]):
        assert shop.inv(*words).code == 0
    used = sum(-(-path.stat().st_size // 4096) + 1 for path in shop.folder.glob("backups/**/*")) * 4096
    with small(shop.folder / "backups", str(used + 700_000)):
        refused(shop.inv("promote", "--confirm=shop"), "disk space for a backup in", "nothing was written", "du -sh")
        begun = [path.read_text() for path in shop.folder.glob("backups/shop/runs/*/journal.jsonl")]
        assert not any('"step": "promote.freeze", "status": "begun"' in text for text in begun)
    assert shop.query("SHOW default_transaction_read_only") == [("off",)]


@pytest.mark.parametrize("words", [["drill", "--backup=latest"], ["rollback", "--backup=latest", "--confirm=shop"]])
def test_a_copy_that_does_not_fit_on_the_server_is_refused(scene: Make, words: list[str]) -> None:
    shop = scene("backed_up")
    manifest = next(shop.folder.glob("backups/shop/backups/*/manifest.json"))
    text = manifest.read_text()
    size = manifests(shop)[0]["database_bytes"]
    assert size > 5_000_000
    manifest.write_text(text.replace(f'"database_bytes": {size}', '"database_bytes": 900000000000000'))
    refused(shop.inv(*words), "not enough disk space for a copy", "GB free; a restored copy takes about 900,000.0 GB")
    assert not shop.beside("restored") and not shop.beside("drill")


def test_a_process_that_is_no_server_of_this_machine_says_nothing_of_its_disk() -> None:
    assert disk_space._is_here(os.getpid()) is False
    assert disk_space._is_here(2**22 + 1) is False
