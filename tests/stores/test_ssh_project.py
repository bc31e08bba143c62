"""Procedures of a project whose store is a folder behind SSH."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.ssh_store import SshStore
from tests.conftest import Project
from tests.stores.conftest import Far, elsewhere


@pytest.fixture
def shop(project: Callable[..., Project], openssh: Far) -> Project:
    """A project whose store is behind SSH."""
    made = project("b", store=openssh.url)
    made.env["HOME"] = str(openssh.login.home)
    return made


def manifests(far: Far) -> list[str]:
    """The backups that are in the store."""
    return sorted(path.parent.name for path in far.folder.glob("shop/backups/*/manifest.json"))


def test_a_machine_with_inventory_key_and_store_takes_a_release_back(
    shop: Project, openssh: Far, tmp_path: Path
) -> None:
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert f"sent to {openssh.url}" in done.out
    other = elsewhere(shop, tmp_path / "elsewhere")
    listed = other.inv("backups")
    assert listed.code == 0 and all(name in listed.out for name in manifests(openssh)), listed.out
    assert "release" in other.inv("status").out
    back = other.inv("rollback", "--backup=latest", "--confirm=shop")
    assert back.code == 0, back.out + back.err
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]
    assert any(name.endswith("_safety") for name in manifests(openssh))
    assert "rollback" in shop.inv("status").out
    undone = shop.inv("undo", "--confirm=shop")
    assert undone.code == 0, undone.out + undone.err
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)]
    assert all(path.stat().st_mode & 0o077 == 0 for path in openssh.folder.rglob("*"))


def test_backups_are_proved_and_pruned_and_the_doctor_knows_them(
    shop: Project, openssh: Far, tmp_path: Path
) -> None:
    inventory = shop.folder / "inventory.yaml"
    keep = "keep: {daily: 0, weekly: 0, monthly: 0, last: 1, least: 1}\n          test: shop-test"
    inventory.write_text(inventory.read_text().replace("test: shop-test", keep, 1))
    assert "ok    store" in (found := shop.inv("doctor").out) and "lists 0 files in" in found, found
    assert " free here, " in found and " in the store; a backup takes" in found, found
    for _ in range(2):
        assert shop.inv("backup").code == 0
    first, second = manifests(openssh)
    known = len(SshStore(openssh.url).listed("shop/"))
    assert f"{openssh.url} lists {known} files in" in (found := shop.inv("doctor").out), found
    well = shop.inv("check-backups", "--deep")
    assert well.code == 0 and "shop: ok" in well.out, well.out + well.err
    [biggest] = sorted(openssh.folder.glob(f"shop/backups/{second}/dump/*"), key=lambda one: one.stat().st_size)[-1:]
    content = bytearray(biggest.read_bytes())
    content[len(content) // 2] ^= 1
    biggest.write_bytes(content)
    deep = shop.inv("tool.check-stored", "--target=shop", f"--backup-id={second}", "--deep=yes")
    assert deep.code == 4 and f"{biggest.name} is not what was written" in deep.out + deep.err, deep.out + deep.err
    done = elsewhere(shop, tmp_path / "elsewhere").inv("prune-backups", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert manifests(openssh) == [second] and not (openssh.folder / "shop/backups" / first).exists()
    openssh.login.known.write_text("")
    found = shop.inv("doctor").out
    assert "FAIL  store" in found and "is not known here" in found and "ssh -p" in found, found


def test_a_line_that_is_cut_leaves_no_backup_and_is_sent_again(shop: Project, openssh: Far) -> None:
    assert shop.inv("status").code == 0
    openssh.line.limit = openssh.line.passed + 60_000
    done = shop.inv("backup")
    said = done.out + done.err
    assert done.code == 4 and f"{openssh.url}: the link was lost" in said and "inv resume" in said, said
    assert manifests(openssh) == []
    openssh.line.limit, openssh.line.cut = -1, False
    resumed = shop.inv("resume")
    assert resumed.code == 0, resumed.out + resumed.err
    [backup] = manifests(openssh)
    listed = SshStore(openssh.url).listed(f"shop/backups/{backup}/")
    manifest = json.loads((openssh.folder / f"shop/backups/{backup}/manifest.json").read_text())
    assert {f"shop/backups/{backup}/{name}" for name in manifest["files"]} < set(listed)


def test_a_host_that_is_away_or_unknown_is_told_before_anything_is_dumped(shop: Project, openssh: Far) -> None:
    openssh.login.known.write_text("")
    done = shop.inv("backup")
    said = done.out + done.err
    assert done.code == 3 and "is not known here" in said and "nothing was changed" in said, said
    assert f"Try: ssh -p {openssh.line.port}" in said and "Traceback" not in said
    openssh.line.sever()
    done = shop.inv("backup")
    assert done.code == 3 and "no connection: " in done.out + done.err, done.out + done.err
    assert not list((shop.folder / ".store").rglob("journal.jsonl"))


def test_two_machines_do_not_go_on_with_one_run(shop: Project, openssh: Far) -> None:
    assert shop.inv("backup").code == 0
    store = SshStore(openssh.url)
    [key] = [name for name in store.listed("shop/") if name.endswith("/journal.jsonl")]
    content, tag = store.read(key)
    theirs = content + b'{"event": "resumed"}\n'
    store.swap(key, theirs, tag)
    [journal] = (shop.folder / ".store/ssh").rglob("journal.jsonl")
    with journal.open("ab") as file:
        file.write(b'{"event": "undoing"}\n')
    status = shop.inv("status")
    assert "was written here and on another machine; ours is kept as" in status.err, status.err
    assert journal.read_bytes() == theirs
