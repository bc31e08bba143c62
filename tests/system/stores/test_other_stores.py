"""Procedures of projects whose store is not S3: a smoke test each; and what takes longer."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from ops.infra.stores.base import AnyStore
from tests.conftest import Project
from tests.infra.stores.test_store_errors import WRONGS
from tests.support.stores import azure, google
from tests.support.stores.fixtures import elsewhere
from tests.support.stores.places import SSH, Place
from tests.support.tiers import quick

Shop = Callable[..., Project]
PlaceOf = Callable[[str], Place]
SECRETS = (azure.KEY, google.TOKEN)
ALL = pytest.mark.parametrize("kind", ["s3", "azure", SSH])
KEEP = {"daily": 0, "weekly": 0, "monthly": 0, "last": 1, "least": 1}
AZURES = [name for name, wrong in WRONGS.items() if wrong.kind == "azure"]


def manifests(store: AnyStore) -> list[str]:
    """The backups that are in the store."""
    return sorted(key.split("/")[2] for key in store.listed("shop/backups/") if key.endswith("/manifest.json"))


def far_folder(place: Place) -> Path:
    """The folder of a store behind SSH, which is on this machine."""
    return Path("/" + place.url.split("/", 3)[3])


def private(place: Place, shop: Project, said: str) -> None:
    """Nobody else reads what is kept, and no secret of ours stands in it, or was said."""
    assert not any(secret in said for secret in SECRETS)
    written = [path.read_bytes() for path in shop.folder.rglob("*") if path.is_file()]
    assert not any(secret.encode() in content for secret in SECRETS for content in written)
    if place.url.startswith("ssh:"):
        assert all(path.stat().st_mode & 0o077 == 0 for path in far_folder(place).rglob("*"))


# --- a smoke test each -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", quick(["file", "azure", "google", SSH], "file"))
def test_a_backup_there_is_listed_and_taken_back_on_another_machine(
    place_of: PlaceOf, shop_in: Shop, tmp_path: Path, kind: str
) -> None:
    place = place_of(kind)
    shop = shop_in(place)
    done = shop.inv("backup")
    assert done.code == 0 and f"sent to {place.url}" in done.out, done.out + done.err
    [backup] = manifests(place.store)
    other = elsewhere(shop, tmp_path / "elsewhere")
    listed = other.inv("backups")
    assert listed.code == 0 and backup in listed.out and "ON THIS MACHINE ONLY" not in listed.out, listed.out
    shop.query("DELETE FROM lessons_booking")
    back = other.inv("rollback", "--backup=latest", "--confirm=shop")
    assert back.code == 0, back.out + back.err
    assert shop.query("SELECT count(*) FROM lessons_booking") == [(1000,)]
    # The safety backup went there, too.
    assert manifests(place.store)[-1].endswith("_safety")
    private(place, shop, done.out + done.err + back.out + back.err)


# --- what takes longer -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@ALL
def test_a_machine_with_only_the_store_and_the_inventory_takes_a_release_back(
    place_of: PlaceOf, shop_in: Shop, tmp_path: Path, kind: str
) -> None:
    place = place_of(kind)
    shop = shop_in(place)
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 0 and f"sent to {place.url}" in done.out, done.out + done.err
    # What the first one sent is known by the tags that the store lists, so nothing seems to be another's.
    again = shop.inv("status")
    assert again.code == 0 and "another machine" not in again.err, again.err
    other = elsewhere(shop, tmp_path / "elsewhere")
    listed = other.inv("backups")
    assert listed.code == 0 and all(name in listed.out for name in manifests(place.store)), listed.out
    assert "release" in other.inv("status").out
    shop.query("INSERT INTO lessons_session(title, teacher_id) VALUES ('since', 1)")
    back = other.inv("rollback", "--backup=latest", "--confirm=shop")
    assert back.code == 0, back.out + back.err
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]
    assert any(name.endswith("_safety") for name in manifests(place.store))
    assert "rollback" in shop.inv("status").out
    undone = shop.inv("undo", "--confirm=shop")
    assert undone.code == 0, undone.out + undone.err
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1001,)]
    private(place, shop, done.out + done.err + back.out + back.err)


@pytest.mark.slow
@ALL
def test_of_two_who_resume_one_run_at_once_one_goes_on(
    place_of: PlaceOf, shop_in: Shop, tmp_path: Path, kind: str
) -> None:
    shop = shop_in(place_of(kind), retries=0, lock_timeout=1, freeze="never")
    with psycopg.connect(shop.production, autocommit=True) as other:
        other.execute("BEGIN; LOCK lessons_lesson IN SHARE MODE")
        assert shop.inv("release", "--confirm=shop").code == 4
    two = [shop, elsewhere(shop, tmp_path / "elsewhere")]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda one: one.inv("resume", "--confirm=shop"), two))
    said = "\n---\n".join(one.out + one.err for one in done)
    # The slower one may come when all is done; it must not fail in the middle of what the other one does.
    assert sorted(one.code for one in done) in ([0, 0], [0, 2], [0, 3]), said
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)], said
    assert "Traceback" not in said and all("done" in one.inv("status").out for one in two)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["azure", SSH])
def test_two_machines_do_not_go_on_with_one_run(place_of: PlaceOf, shop_in: Shop, kind: str) -> None:
    place = place_of(kind)
    shop, store = shop_in(place), place.store
    assert shop.inv("backup").code == 0
    [key] = [name for name in store.listed("shop/") if name.endswith("/journal.jsonl")]
    content, tag = store.read(key)
    theirs = content + b'{"event": "resumed"}\n'
    store.swap(key, theirs, tag)
    [journal] = (shop.folder / ".store").rglob("journal.jsonl")
    with journal.open("ab") as file:
        file.write(b'{"event": "undoing"}\n')
    status = shop.inv("status")
    assert "was written on this and on another machine; the local file is retained as" in status.err, status.err
    assert journal.read_bytes() == theirs


@pytest.mark.slow
def test_backups_behind_ssh_are_proved_and_pruned_and_the_doctor_knows_them(
    place_of: PlaceOf, shop_in: Shop, tmp_path: Path
) -> None:
    place = place_of(SSH)
    shop, folder = shop_in(place, keep=KEEP), far_folder(place)
    assert "ok    store" in (found := shop.inv("doctor", "--all").out) and "listed 0 files in" in found, found
    assert " free here, " in found and " in the store; a backup takes" in found, found
    for _ in range(2):
        assert shop.inv("backup").code == 0
    first, second = manifests(place.store)
    known = len(place.store.listed("shop/"))
    assert f"{place.url} listed {known} files in" in (found := shop.inv("doctor", "--all").out), found
    well = shop.inv("check-backups", "--deep")
    assert well.code == 0 and "shop: ok" in well.out, well.out + well.err
    [biggest] = sorted(folder.glob(f"shop/backups/{second}/dump/*"), key=lambda one: one.stat().st_size)[-1:]
    content = bytearray(biggest.read_bytes())
    content[len(content) // 2] ^= 1
    biggest.write_bytes(content)
    deep = shop.inv("tool.check-stored", "--target=shop", f"--backup-id={second}", "--deep=yes")
    assert deep.code == 4 and f"{biggest.name} does not match the manifest" in deep.out + deep.err, deep.out + deep.err
    done = elsewhere(shop, tmp_path / "elsewhere").inv("prune-backups", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert manifests(place.store) == [second] and not (folder / "shop/backups" / first).exists()
    (Path(place.env["HOME"]) / ".ssh/known_hosts").write_text("")
    found = shop.inv("doctor").out
    assert "FAIL  store" in found and "is unknown" in found and "ssh -p" in found, found


@pytest.mark.slow
def test_a_line_that_is_cut_leaves_no_backup_behind_ssh_and_is_sent_again(place_of: PlaceOf, shop_in: Shop) -> None:
    place = place_of(SSH)
    shop = shop_in(place)
    assert shop.inv("status").code == 0
    place.line.limit = place.line.passed + 60_000
    done = shop.inv("backup")
    said = done.out + done.err
    assert done.code == 4 and f"{place.url}: the connection was lost" in said and "inv resume" in said, said
    place.line.mend()
    assert manifests(place.store) == []
    resumed = shop.inv("resume")
    assert resumed.code == 0, resumed.out + resumed.err
    [backup] = manifests(place.store)
    listed = place.store.listed(f"shop/backups/{backup}/")
    manifest = json.loads(place.store.read(f"shop/backups/{backup}/manifest.json")[0])
    assert {f"shop/backups/{backup}/{name}" for name in manifest["files"]} < set(listed)


# --- what is told before anything is dumped --------------------------------------------------------------------------


def refused(shop: Project, said: str) -> str:
    """A backup is, in a line with what to type, and no run was begun."""
    began = time.monotonic()
    done = shop.inv("backup")
    assert done.code == 3 and said in done.out and "; nothing was changed\nTry: " in done.out, done.out + done.err
    assert "Traceback" not in done.out + done.err and time.monotonic() - began < 60
    assert not list((shop.folder / ".store").rglob("journal.jsonl"))
    return done.out


@pytest.mark.slow
@pytest.mark.parametrize("name", [*AZURES, "away", "silent"])
def test_a_backup_to_azure_is_refused_in_a_line_before_anything_is_dumped(
    place_of: PlaceOf, shop_in: Shop, name: str
) -> None:
    place = place_of("azure")
    shop = shop_in(place)
    if name in ("away", "silent"):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = 1 if name == "away" else silent.getsockname()[1]
            shop.env["AZURE_STORAGE_ENDPOINT"] = f"http://127.0.0.1:{port}/{azure.ACCOUNT}"
            refused(shop, "the store does not answer")
        return
    wrong = WRONGS[name]
    shop.env |= wrong.env
    shop.env = {name: value for name, value in shop.env.items() if value}
    inventory = shop.folder / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace(place.url, wrong.url or place.url))
    refused(shop, wrong.said)


@pytest.mark.slow
def test_a_backup_behind_ssh_is_refused_in_a_line_before_anything_is_dumped(place_of: PlaceOf, shop_in: Shop) -> None:
    place = place_of(SSH)
    shop = shop_in(place)
    (Path(place.env["HOME"]) / ".ssh/known_hosts").write_text("")
    assert f"Try: ssh -p {place.line.port}" in refused(shop, "is unknown")
    place.line.sever()
    refused(shop, "no connection: ")
