"""Procedures of a project whose store is a bucket: what is kept there, and who else can go on with it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from ops.errors import Refused
from ops.store import Store
from ops.working_copy import WorkingCopy
from tests.conftest import Project
from tests.stores.conftest import Line, elsewhere


def kept(shop: Project) -> Store:
    """The store of the project, asked by this process."""
    words = (shop.folder / "inventory.yaml").read_text()
    return Store(next(line.split(": ")[1].strip() for line in words.splitlines() if "store: s3" in line))


def names(shop: Project) -> list[str]:
    """What is in the store."""
    return sorted(kept(shop).listed("shop/"))


def run_folder(shop: Project, run: str) -> Path:
    """A run's folder in the working copy."""
    return shop.folder / ".store/s3" / kept(shop).url.removeprefix("s3://") / "shop/runs" / run


def test_a_backup_is_in_the_store_with_its_manifest_and_its_run(shop: Project) -> None:
    done = shop.inv("backup")
    assert done.code == 0, done.out + done.err
    assert "Put it into the store" in done.out and "sent to s3://" in done.out
    there = names(shop)
    [manifest] = [name for name in there if name.endswith("/manifest.json")]
    backup = manifest.split("/")[2]
    assert f"shop/backups/{backup}/dump/toc.dat" in there and f"shop/runs/{backup}/journal.jsonl" in there
    journal = run_folder(shop, backup) / "journal.jsonl"
    assert kept(shop).read(f"shop/runs/{backup}/journal.jsonl")[0] == journal.read_bytes()
    assert "storesecret" not in done.out + done.err + "".join(path.read_text() for path in journal.parent.glob("*"))


def test_a_machine_with_only_the_store_and_the_inventory_takes_a_release_back(shop: Project, tmp_path: Path) -> None:
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    other = elsewhere(shop, tmp_path / "elsewhere")
    listed = other.inv("backups")
    assert listed.code == 0 and len([line for line in listed.out.splitlines() if "MB" in line]) >= 1, listed.out
    status = other.inv("status")
    assert status.code == 0 and "release" in status.out, status.out
    shop.query("INSERT INTO lessons_session(title, teacher_id) VALUES ('since', 1)")
    back = other.inv("rollback", "--backup=latest", "--confirm=shop")
    assert back.code == 0, back.out + back.err
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]
    # The first machine sees what the second one did, and can take it back.
    status = shop.inv("status")
    assert "rollback" in status.out, status.out
    undone = shop.inv("undo", "--confirm=shop")
    assert undone.code == 0, undone.out + undone.err
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1001,)]
    # The safety backup went into the store, too.
    assert any(name.endswith("_safety/manifest.json") for name in names(shop))


def test_a_run_that_stopped_here_is_resumed_there(shop: Project, tmp_path: Path) -> None:
    inventory = shop.folder / "inventory.yaml"
    keys = "\n          ".join(("retries: 0", "lock_timeout: 1", "freeze: never", "test: shop-test"))
    inventory.write_text(inventory.read_text().replace("test: shop-test", keys, 1))
    with psycopg.connect(shop.production, autocommit=True) as other:
        other.execute("BEGIN; LOCK lessons_lesson IN SHARE MODE")
        done = shop.inv("release", "--confirm=shop")
    assert done.code == 4, done.out + done.err
    other_machine = elsewhere(shop, tmp_path / "elsewhere")
    resumed = other_machine.inv("resume", "--confirm=shop")
    assert resumed.code == 0, resumed.out + resumed.err
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)]
    assert "release: done" in (said := shop.inv("status").out) or "outcome: done" in said, said


def test_of_two_who_resume_one_run_at_once_one_goes_on(shop: Project, tmp_path: Path) -> None:
    inventory = shop.folder / "inventory.yaml"
    keys = "\n          ".join(("retries: 0", "lock_timeout: 1", "freeze: never", "test: shop-test"))
    inventory.write_text(inventory.read_text().replace("test: shop-test", keys, 1))
    with psycopg.connect(shop.production, autocommit=True) as other:
        other.execute("BEGIN; LOCK lessons_lesson IN SHARE MODE")
        assert shop.inv("release", "--confirm=shop").code == 4
    two = [shop, elsewhere(shop, tmp_path / "elsewhere")]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda one: one.inv("resume", "--confirm=shop"), two))
    said = "\n---\n".join(one.out + one.err for one in done)
    codes = sorted(one.code for one in done)
    # The slower one may come when all is done; it must not fail in the middle of what the other one does.
    assert codes in ([0, 0], [0, 2], [0, 3]), said
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)], said
    assert "Traceback" not in said
    assert all("done" in one.inv("status").out for one in two)


def test_a_store_that_does_not_answer_is_told_before_anything_is_dumped(shop: Project, at: Line) -> None:
    at.sever()
    done = shop.inv("backup")
    assert done.code == 3 and "it does not answer; nothing was changed" in done.out + done.err, done.out + done.err
    assert not list((shop.folder / ".store").rglob("journal.jsonl"))


def test_a_key_that_may_not_is_told_in_a_line(shop: Project) -> None:
    inventory = shop.folder / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace(kept(shop).url, "s3://no-such-bucket-here/kept"))
    done = shop.inv("backup")
    assert done.code == 3 and "there is no such bucket; nothing was changed" in done.out + done.err, done.out + done.err


def test_a_line_that_is_cut_leaves_no_backup_in_the_store(shop: Project, at: Line) -> None:
    at.limit = at.passed + 20_000
    done = shop.inv("backup")
    assert done.code == 4 and "it does not answer" in done.out + done.err, done.out + done.err
    assert "Try:" in done.out + done.err and "inv resume" in done.out + done.err
    at.limit, at.cut = -1, False
    assert not any(name.endswith("/manifest.json") for name in names(shop))
    assert "(HERE ONLY)" in shop.inv("backups").out
    resumed = shop.inv("resume")
    assert resumed.code == 0, resumed.out + resumed.err
    assert any(name.endswith("/manifest.json") for name in names(shop))
    listed = shop.inv("backups", "--json").out
    assert '"stored": true' in listed and "HERE ONLY" not in shop.inv("backups").out


@pytest.mark.parametrize("harm", ["bit", "gone"])
def test_a_stored_object_that_is_not_what_was_written_is_noticed(
    shop: Project, tmp_path: Path, harm: str
) -> None:
    assert shop.inv("backup").code == 0
    store = kept(shop)
    key = max((name for name in names(shop) if "/dump/" in name), key=lambda name: store.listed("shop/")[name].size)
    backup = key.split("/")[2]
    if harm == "gone":
        store.delete([key])
    else:
        content = bytearray(store.read(key)[0])
        content[len(content) // 2] ^= 1
        (tmp_path / "harmed").write_bytes(content)
        store.put(key, tmp_path / "harmed")
    deep = shop.inv("tool.check-stored", "--target=shop", f"--backup-id={backup}", "--deep=yes")
    assert deep.code == 4 and key.split("/", 3)[3] in deep.out + deep.err, deep.out + deep.err
    other = elsewhere(shop, tmp_path / "elsewhere")
    back = other.inv("rollback", "--backup=latest", "--confirm=shop")
    assert back.code in (3, 4), back.out + back.err
    said = back.out + back.err
    assert ("is not what was written" if harm == "bit" else "is not in the store") in said, said
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]


def test_two_machines_do_not_go_on_with_one_run(shop: Project, tmp_path: Path) -> None:
    assert shop.inv("backup").code == 0
    [key] = [name for name in names(shop) if name.endswith("/journal.jsonl")]
    content, tag = kept(shop).read(key)
    # As if it was gone on with here while the store was away, and on another machine, too.
    folder = run_folder(shop, key.split("/")[2])
    theirs = content + b'{"event": "resumed"}\n'
    kept(shop).swap(key, theirs, tag)
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"event": "undoing"}\n')
    status = shop.inv("status")
    assert "was written here and on another machine; ours is kept as" in status.err, status.err
    assert (folder / "journal.jsonl").read_bytes() == theirs
    assert [path for path in folder.iterdir() if path.suffix == ".diverged"]


def test_a_journal_that_was_sent_before_a_stop_is_gone_on_with(shop: Project) -> None:
    assert shop.inv("backup").code == 0
    [key] = [name for name in names(shop) if name.endswith("/journal.jsonl")]
    folder = run_folder(shop, key.split("/")[2])
    before = kept(shop).read(key)[0]
    copy = WorkingCopy(kept(shop), "shop", folder.parent.parent)
    # Stopped after it was sent, and before it was noted that it was.
    (folder / ".store.json").unlink()
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"event": "undoing"}\n')
    copy.push(folder.name)
    assert kept(shop).read(key)[0] == before + b'{"event": "undoing"}\n'
    # The same, found by the next process.
    (folder / ".store.json").unlink()
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"event": "x"}\n')
    told: list[str] = []
    WorkingCopy(kept(shop), "shop", folder.parent.parent, told.append).follow()
    assert told == [] and not list(folder.glob("*.diverged"))
    assert kept(shop).read(key)[0] == (folder / "journal.jsonl").read_bytes()
    copy = WorkingCopy(kept(shop), "shop", folder.parent.parent)
    theirs, tag = kept(shop).read(key)
    kept(shop).swap(key, theirs + b'{"event": "resumed"}\n', tag)
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"event": "undone"}\n')
    with pytest.raises(Refused, match="gone on with on another machine"):
        copy.push(folder.name)


def test_a_store_that_is_away_does_not_stop_the_way_back(shop: Project, at: Line) -> None:
    assert shop.inv("release", "--confirm=shop").code == 0
    at.sever()
    status = shop.inv("status")
    assert status.code == 0 and "it does not answer; what is known here is used" in status.err, status.err
    back = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    # Production is back; only the safety backup is not in the store yet.
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]
    assert back.code == 4 and "safety" in back.out.lower(), back.out + back.err
    at.cut = False
    done = shop.inv("resume", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert any(name.endswith("_safety/manifest.json") for name in names(shop))


def test_doctor_says_whether_the_store_answers(shop: Project, at: Line) -> None:
    found = shop.inv("doctor")
    assert "ok    store" in found.out and "lists 0 files in" in found.out, found.out
    at.sever()
    found = shop.inv("doctor")
    assert "FAIL  store" in found.out and "it does not answer" in found.out, found.out


def test_retention_removes_from_the_store_the_manifest_first(shop: Project, tmp_path: Path) -> None:
    inventory = shop.folder / "inventory.yaml"
    keep = "keep: {daily: 0, weekly: 0, monthly: 0, last: 1, least: 1}\n          test: shop-test"
    inventory.write_text(inventory.read_text().replace("test: shop-test", keep, 1))
    for _ in range(3):
        assert shop.inv("backup").code == 0
    first, second, third = [name.split("/")[2] for name in names(shop) if name.endswith("/manifest.json")]
    assert shop.inv("pin", second).code == 0
    other = elsewhere(shop, tmp_path / "elsewhere")
    done = other.inv("prune-backups", "--confirm=shop")
    assert done.code == 0 and "pinned" in done.out, done.out + done.err
    left = {name.split("/")[2] for name in names(shop) if name.startswith("shop/backups/")}
    assert left == {second, third}
    assert other.inv("unpin", second).code == 0
    assert not any(name.startswith("shop/pins/") for name in names(shop))


def test_check_backups_says_that_the_store_is_away(shop: Project, at: Line) -> None:
    assert shop.inv("backup").code == 0
    well = shop.inv("check-backups", "--deep")
    assert well.code == 0 and "shop: ok" in well.out, well.out + well.err
    at.sever()
    away = shop.inv("check-backups")
    assert away.code == 4 and "it does not answer" in away.out and "there is no backup" not in away.out, away.out
