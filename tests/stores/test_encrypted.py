"""Backups that are encrypted to age recipients: nothing readable is kept, and only the identity brings it back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest

from tests.conftest import Project
from tests.stores.conftest import Sealed, elsewhere

# Values of the project's rows, which also stand in a plain dump that is not compressed.
READABLE = (b"Frau 7", b"Stunde 77")


def readable(folder: Path) -> list[str]:
    """Which files below a folder hold a row's value as it is."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(word in path.read_bytes() for word in READABLE)]


def test_release_and_way_back_and_nothing_readable_is_kept(sealed: Sealed, tmp_path: Path) -> None:
    shop = sealed.shop
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert readable(shop.folder / ".store") == []
    assert not list((shop.folder / ".store").rglob("dump")) and list((shop.folder / ".store").rglob("dump.age"))
    other = elsewhere(shop, tmp_path / "elsewhere")
    back = other.inv("rollback", "--backup=latest", "--confirm=shop")
    assert back.code == 0, back.out + back.err
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]
    assert readable(other.folder / ".store") == []
    key = sealed.key.read_text().split("\n")[1]
    for path in (*other.folder.rglob("*"), *shop.folder.rglob("*")):
        assert not path.is_file() or key.encode() not in path.read_bytes(), path


def test_what_is_looked_for_is_found_in_a_plain_dump(project: Callable[..., Project]) -> None:
    shop = project("b")
    assert shop.inv("backup").code == 0
    words = "for f in $(find backups -name '*.zst' -o -name '*.gz'); do (zstd -dc $f || gzip -dc $f) 2>/dev/null; done"
    said = subprocess.run(["sh", "-c", words], cwd=shop.folder, capture_output=True).stdout
    names = [path.name for path in (shop.folder / "backups").rglob("*.dat*")]
    assert said == b"" or all(word in said for word in READABLE), names


def test_lost_rows_come_back_from_an_encrypted_backup(sealed: Sealed) -> None:
    shop = sealed.shop
    assert shop.inv("backup").code == 0
    shop.query("DELETE FROM lessons_booking")
    done = shop.inv("salvage", "--backup=latest", "--table=lessons_booking", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert shop.query("SELECT count(*) FROM lessons_booking") == [(1000,)]
    assert readable(shop.folder / ".store") == []


def test_a_backup_needs_no_identity_and_a_restore_does(sealed: Sealed) -> None:
    shop = sealed.shop
    hidden = sealed.key.rename(sealed.key.with_name("elsewhere"))
    inventory = shop.folder / "inventory.yaml"
    inventory.write_text("".join(line for line in inventory.read_text().splitlines(True) if "identity" not in line))
    done = shop.inv("backup")
    assert done.code == 0, done.out + done.err
    back = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    assert back.code == 2 and "no identity that opens it is named" in back.out + back.err, back.out + back.err
    assert "Try: encrypt:" in back.out + back.err
    hidden.rename(sealed.key)


@pytest.mark.parametrize(
    ("harm", "said"),
    [("missing", "is empty or not there"), ("wide", "can be read by others"), ("other", "does not open backup")],
)
def test_an_identity_that_does_not_open_it_is_told_before_production_is_touched(
    sealed: Sealed, harm: str, said: str
) -> None:
    shop = sealed.shop
    assert shop.inv("backup").code == 0
    if harm == "missing":
        sealed.key.unlink()
    elif harm == "wide":
        sealed.key.chmod(0o644)
    else:
        sealed.key.write_text(str(pyrage.x25519.Identity.generate()))
    back = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    assert back.code in (2, 3, 4) and said in back.out + back.err, back.out + back.err
    assert "AGE-SECRET-KEY-1" not in back.out + back.err
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]


def test_the_dump_is_ages_own_format(sealed: Sealed) -> None:
    shop = sealed.shop
    assert shop.inv("backup").code == 0
    [dump] = (shop.folder / ".store").rglob("dump.age")
    keys = [pyrage.x25519.Identity.from_str(sealed.key.read_text().split("\n")[1])]
    assert pyrage.decrypt(dump.read_bytes(), keys)[:5] == b"PGDMP"


def test_doctor_proves_that_the_identity_opens_the_newest_backup(sealed: Sealed) -> None:
    shop = sealed.shop
    assert "there is no backup yet" in shop.inv("doctor").out
    assert shop.inv("backup").code == 0
    said = shop.inv("doctor").out
    assert "ok    encryption    to 1 recipient; file:" in said and " opens 20" in said, said
    sealed.key.write_text(str(pyrage.x25519.Identity.generate()))
    said = shop.inv("doctor").out
    assert "warn  encryption" in said and "is none of theirs" in said, said
    sealed.key.unlink()
    said = shop.inv("doctor").out
    assert "FAIL  encryption" in said and "is empty or not there" in said, said
