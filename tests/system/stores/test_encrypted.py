"""Backups that are encrypted to age recipients: nothing readable is kept, and only the identity brings it back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest

from tests.conftest import Project
from tests.support.stores.fixtures import elsewhere
from tests.support.stores.scenes import Buckets
from tests.system.stores.test_object_store import manifests

State = Callable[[str], Project]
# Values of the project's rows, which also stand in a plain dump that is not compressed.
READABLE = (b"Frau 7", b"Stunde 77")


def readable(folder: Path) -> list[str]:
    """Which files below a folder hold a row's value as it is."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(word in path.read_bytes() for word in READABLE)]


@pytest.mark.slow
def test_a_machine_with_store_inventory_and_identity_takes_a_release_back_and_nothing_readable_is_kept(
    sealed: State, key: Path, tmp_path: Path
) -> None:
    shop = sealed("sealed_and_released")
    assert readable(shop.folder / ".store") == []
    assert not list((shop.folder / ".store").rglob("dump")) and list((shop.folder / ".store").rglob("dump.age"))
    other = elsewhere(shop, tmp_path / "elsewhere")
    listed = other.inv("backups")
    assert listed.code == 0 and len([line for line in listed.out.splitlines() if "MB" in line]) >= 1, listed.out
    status = other.inv("status")
    assert status.code == 0 and "release" in status.out, status.out
    shop.query("INSERT INTO lessons_session(title, teacher_id) VALUES ('since', 1)")
    back = other.inv("rollback", "--backup=latest", "--confirm=shop")
    assert back.code == 0, back.out + back.err
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]
    assert readable(other.folder / ".store") == []
    # The first machine sees what the second one did, and can take it back.
    status = shop.inv("status")
    assert "rollback" in status.out, status.out
    undone = shop.inv("undo", "--confirm=shop")
    assert undone.code == 0, undone.out + undone.err
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1001,)]
    # The safety backup went into the store, too.
    assert any(name.endswith("_safety") for name in manifests(shop))
    secret = key.read_text().split("\n")[1]
    for path in (*other.folder.rglob("*"), *shop.folder.rglob("*")):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_what_is_looked_for_is_found_in_a_plain_dump(buckets: Buckets) -> None:
    folder = buckets.state("backed_up").scene.folder
    words = "for f in $(find .store -name '*.zst' -o -name '*.gz'); do (zstd -dc $f || gzip -dc $f) 2>/dev/null; done"
    said = subprocess.run(["sh", "-c", words], cwd=folder, capture_output=True).stdout
    names = [path.name for path in (folder / ".store").rglob("*.dat*")]
    assert said == b"" or all(word in said for word in READABLE), names


@pytest.mark.slow
def test_lost_rows_come_back_from_an_encrypted_backup(sealed: State) -> None:
    shop = sealed("sealed")
    shop.query("DELETE FROM lessons_booking")
    done = shop.inv("salvage", "--backup=latest", "--table=lessons_booking", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert shop.query("SELECT count(*) FROM lessons_booking") == [(1000,)]
    assert readable(shop.folder / ".store") == []


def test_a_backup_needs_no_identity_and_a_restore_does(sealed: State, key: Path) -> None:
    shop = sealed("sealed")
    known = manifests(shop)
    key.unlink()
    inventory = shop.folder / "inventory.yaml"
    inventory.write_text("".join(line for line in inventory.read_text().splitlines(True) if "identity" not in line))
    done = shop.inv("backup")
    assert done.code == 0, done.out + done.err
    assert len(manifests(shop)) == len(known) + 1
    back = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    assert back.code == 2 and "the inventory names no identity to decrypt it" in back.out + back.err, back.out
    assert "Try: encrypt:" in back.out + back.err


def test_an_identity_that_does_not_open_it_is_told_before_production_is_touched(sealed: State, key: Path) -> None:
    shop = sealed("sealed")

    def told(said: str) -> None:
        back = shop.inv("rollback", "--backup=latest", "--confirm=shop")
        assert back.code in (2, 3, 4) and said in back.out + back.err, back.out + back.err
        assert "AGE-SECRET-KEY-1" not in back.out + back.err
        assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]

    key.chmod(0o644)
    told("can be read by others")
    key.chmod(0o600)
    key.write_text(str(pyrage.x25519.Identity.generate()))
    told("does not decrypt backup")
    key.unlink()
    told("is empty or missing")


def test_the_dump_is_ages_own_format(buckets: Buckets) -> None:
    [dump] = [content for key, content in buckets.state("sealed").objects.items() if key.endswith("/dump.age")]
    keys = [pyrage.x25519.Identity.from_str(buckets.key.read_text().split("\n")[1])]
    assert pyrage.decrypt(dump, keys)[:5] == b"PGDMP"


@pytest.mark.slow
def test_doctor_proves_that_the_identity_opens_the_newest_backup(sealed: State, key: Path) -> None:
    shop = sealed("sealed")
    said = shop.inv("doctor", "--all").out
    assert "ok    encryption    to 1 recipient; file:" in said and " decrypts 20" in said, said
    key.write_text(str(pyrage.x25519.Identity.generate()))
    said = shop.inv("doctor").out
    assert "warn  encryption" in said and "belongs to no recipient" in said, said
    key.unlink()
    said = shop.inv("doctor").out
    assert "FAIL  encryption" in said and "is empty or missing" in said, said
