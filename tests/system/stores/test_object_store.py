"""Procedures of a project whose store is a bucket: what is kept there, and who else can go on with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import psycopg
import pytest

from ops.infra.session.run_lock import RunLock
from ops.infra.session.session import Session
from ops.infra.stores.object_store import Store
from tests.conftest import Project
from tests.support.stores import s3
from tests.support.stores.fixtures import elsewhere
from tests.support.stores.lines import Line
from tests.support.stores.places import Place
from tests.support.stores.scenes import Buckets

# The class of our locks in production's server (ops.infra.session.run_lock).
CLASS = 0x67656E
NOWHERE = cast(Session, None)
State = Callable[[str], Project]
Shop = Callable[..., Project]
PlaceOf = Callable[[str], Place]


def kept(shop: Project) -> Store:
    """The store of the project, asked by this process."""
    words = (shop.folder / "inventory.yaml").read_text()
    return Store(next(line.split(": ")[1].strip() for line in words.splitlines() if "store: s3" in line))


def names(shop: Project) -> list[str]:
    """What is in the store."""
    return sorted(kept(shop).listed("shop/"))


def manifests(shop: Project) -> list[str]:
    """The backups that are in the store."""
    return [name.split("/")[2] for name in names(shop) if name.endswith("/manifest.json")]


def database(shop: Project) -> str:
    """The name of production's database."""
    return shop.production.rsplit("/", 1)[1]


def run_folder(shop: Project, run: str) -> Path:
    """A run's folder in the working copy."""
    return shop.folder / ".store/s3" / kept(shop).url.removeprefix("s3://") / "shop/runs" / run


def older(shop: Project, name: str, days: int) -> str:
    """A copy of a backup in the store, as if it had been taken before."""
    store, below = kept(shop), f"shop/backups/{name}/"
    manifest = json.loads(store.read(f"{below}manifest.json")[0])
    at = datetime.fromisoformat(manifest["taken_at"]) - timedelta(days=days)
    new = f"{at:%Y%m%d_%H%M%S}_{name[-4:]}"
    files = {key.replace(name, new): store.read(key)[0] for key in store.listed(below)}
    told = json.dumps(manifest | {"backup": new, "taken_at": at.isoformat()})
    files[f"shop/backups/{new}/manifest.json"] = told.encode()
    s3.plant(store.url.split("/")[2], {f"kept/{key}": content for key, content in files.items()})
    return new


# --- a backup --------------------------------------------------------------------------------------------------------


def test_a_backup_is_in_the_store_with_its_manifest_and_its_run(buckets: Buckets) -> None:
    made = buckets.state("backed_up")
    done, there = made.said, {key.removeprefix("kept/"): content for key, content in made.objects.items()}
    assert "Copy the backup to the remote store" in done.out and "sent to s3://" in done.out
    [backup] = [name.split("/")[2] for name in there if name.endswith("/manifest.json")]
    assert f"shop/backups/{backup}/dump/toc.dat" in there and f"shop/runs/{backup}/journal.jsonl" in there
    journal = made.scene.folder / f".store/s3/{made.bucket}/kept/shop/runs/{backup}/journal.jsonl"
    assert there[f"shop/runs/{backup}/journal.jsonl"] == journal.read_bytes()
    assert "storesecret" not in done.out + done.err + "".join(path.read_text() for path in journal.parent.glob("*"))


def test_a_store_that_does_not_answer_is_told_before_anything_is_dumped(shop: Project, at: Line) -> None:
    at.sever()
    done = shop.inv("backup")
    assert done.code == 3 and "the store does not answer; nothing was changed" in done.out + done.err, done.out
    assert not list((shop.folder / ".store").rglob("journal.jsonl"))


def test_a_bucket_that_is_not_there_is_told_in_a_line(shop: Project) -> None:
    inventory = shop.folder / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace(kept(shop).url, "s3://no-such-bucket-here/kept"))
    done = shop.inv("backup")
    assert done.code == 3 and "the bucket does not exist; nothing was changed" in done.out + done.err, done.out


def test_a_line_that_is_cut_leaves_no_backup_in_the_store(shop: Project, at: Line) -> None:
    at.limit = at.passed + 20_000
    done = shop.inv("backup")
    assert done.code == 4 and "the store does not answer" in done.out + done.err, done.out + done.err
    assert "Try:" in done.out + done.err and "inv resume" in done.out + done.err
    at.mend()
    assert manifests(shop) == []
    assert "(ON THIS MACHINE ONLY)" in shop.inv("backups").out
    resumed = shop.inv("resume")
    assert resumed.code == 0, resumed.out + resumed.err
    assert len(manifests(shop)) == 1
    listed = shop.inv("backups", "--json").out
    assert '"stored": true' in listed and "ON THIS MACHINE ONLY" not in shop.inv("backups").out


def test_a_stored_object_that_is_not_what_was_written_is_noticed(state: State, tmp_path: Path) -> None:
    shop = state("backed_up")
    store, [backup] = kept(shop), manifests(shop)
    dump = store.listed(f"shop/backups/{backup}/dump/")
    key = max(dump, key=lambda name: dump[name].size)
    content = bytearray(store.read(key)[0])
    content[len(content) // 2] ^= 1
    (tmp_path / "harmed").write_bytes(content)
    for said in ("does not match the manifest", "does not exist in the store"):
        store.delete([key]) if "exist" in said else store.put(key, tmp_path / "harmed")
        deep = shop.inv("tool.check-stored", "--target=shop", f"--backup-id={backup}", "--deep=yes")
        assert deep.code == 4 and key.split("/", 3)[3] in deep.out + deep.err, deep.out + deep.err
        other = elsewhere(shop, tmp_path / said.replace(" ", "-"))
        back = other.inv("rollback", "--backup=latest", "--confirm=shop")
        assert back.code in (3, 4) and said in back.out + back.err, back.out + back.err
        assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]


def test_retention_removes_from_the_store_the_manifest_first(state: State, tmp_path: Path) -> None:
    shop = state("backed_up")
    inventory = shop.folder / "inventory.yaml"
    keep = "keep: {daily: 0, weekly: 0, monthly: 0, last: 1, least: 1}\n          test: shop-test"
    inventory.write_text(inventory.read_text().replace("test: shop-test", keep, 1))
    [third] = manifests(shop)
    first, second = older(shop, third, 20), older(shop, third, 10)
    assert manifests(shop) == [first, second, third]
    assert shop.inv("pin", second).code == 0
    other = elsewhere(shop, tmp_path / "elsewhere")
    done = other.inv("prune-backups", "--confirm=shop")
    assert done.code == 0 and "pinned" in done.out, done.out + done.err
    left = {name.split("/")[2] for name in names(shop) if name.startswith("shop/backups/")}
    assert left == {second, third}
    assert other.inv("unpin", second).code == 0
    assert not any(name.startswith("shop/pins/") for name in names(shop))


def test_check_backups_says_that_the_store_is_away(state: State, at: Line) -> None:
    shop = state("backed_up")
    well = shop.inv("check-backups", "--deep")
    assert well.code == 0 and "shop: ok" in well.out, well.out + well.err
    at.sever()
    away = shop.inv("check-backups")
    assert away.code == 4 and "the store does not answer" in away.out and "there is no backup" not in away.out, away.out


def test_doctor_says_whether_the_store_answers(shop_in: Shop, place_of: PlaceOf, buckets: Buckets, at: Line) -> None:
    shop = shop_in(place_of("s3"), encrypt={"recipients": [buckets.recipient], "identity": f"file:{buckets.key}"})
    found = shop.inv("doctor", "--all")
    assert "ok    store" in found.out and "listed 0 files in" in found.out, found.out
    assert "there is no backup yet" in found.out
    at.sever()
    found = shop.inv("doctor")
    assert "FAIL  store" in found.out and "the store does not answer" in found.out, found.out


# --- a run on two machines -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_that_was_killed_here_is_resumed_there_and_by_one_at_a_time(sealed: State, tmp_path: Path) -> None:
    shop = sealed("sealed_and_killed")
    other = elsewhere(shop, tmp_path / "elsewhere")
    with psycopg.connect(shop.production, dbname="postgres", autocommit=True) as first:
        # As whoever resumes it here at this moment.
        first.execute("SELECT pg_advisory_lock(%s, %s)", [CLASS, RunLock(NOWHERE, "shop", database(shop), "", "").key])
        refused = other.inv("resume", "--confirm=shop")
    assert refused.code == 3 and "another run holds the run lock" in refused.out + refused.err, refused.out
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]
    resumed = other.inv("resume", "--confirm=shop")
    assert resumed.code == 0, resumed.out + resumed.err
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)]
    # The slower one comes when all is done.
    late = shop.inv("resume", "--confirm=shop")
    assert late.code in (0, 2, 3) and "Traceback" not in late.out + late.err, late.out + late.err
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)]
    assert "release: done" in (said := shop.inv("status").out) or "outcome: done" in said, said


def test_two_machines_do_not_go_on_with_one_run(state: State) -> None:
    shop = state("backed_up")
    [key] = [name for name in names(shop) if name.endswith("/journal.jsonl")]
    content, tag = kept(shop).read(key)
    # As if it was gone on with here while the store was away, and on another machine, too.
    folder = run_folder(shop, key.split("/")[2])
    theirs = content + b'{"event": "resumed"}\n'
    kept(shop).swap(key, theirs, tag)
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"event": "undoing"}\n')
    status = shop.inv("status")
    assert "was written on this and on another machine; the local file is retained as" in status.err, status.err
    assert (folder / "journal.jsonl").read_bytes() == theirs
    assert [path for path in folder.iterdir() if path.suffix == ".diverged"]


@pytest.mark.slow
def test_a_store_that_is_away_does_not_stop_the_way_back(sealed: State, at: Line) -> None:
    shop = sealed("sealed_and_released")
    at.sever()
    status = shop.inv("status")
    assert status.code == 0 and "the store does not answer; using the local copy" in status.err, status.err
    back = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    # Production is back; only the safety backup is not in the store yet.
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]
    assert back.code == 4 and "safety" in back.out.lower(), back.out + back.err
    at.mend()
    done = shop.inv("resume", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert any(name.endswith("_safety") for name in manifests(shop))
