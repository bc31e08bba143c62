"""`inv check-backups --deep` has pgBackRest read its own: a bit that is wrong in its repository is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.system.pgbackrest.conftest import Cluster

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def label(cluster: Cluster, shop: Project) -> str:
    """Of a backup that was made and proved."""
    done = shop.inv("backup")
    assert done.code == 0, done.out + done.err
    found: str = cluster.backups()[-1]["label"]
    return found


def largest(folder: Path) -> Path:
    return max((path for path in folder.rglob("*.gz")), key=lambda path: path.stat().st_size)


def flip(path: Path) -> bytes:
    """Change a bit in the middle of a file; gives what it was."""
    before = path.read_bytes()
    wrong = bytearray(before)
    wrong[len(wrong) // 2] ^= 1
    path.write_bytes(bytes(wrong))
    return before


def test_a_bit_that_is_wrong_in_its_repository_is_said(cluster: Cluster, shop: Project, label: str) -> None:
    done = shop.inv("check-backups", "--deep")
    assert done.code == 0 and "pgbackrest verify read 1," in done.out, done.out + done.err
    path = largest(cluster.folder / "repo/backup/main" / label)
    before = flip(path)
    try:
        # Sizes are right, and what we keep is whole.
        assert shop.inv("check-backups").code == 0
        done = shop.inv("check-backups", "--deep")
        assert done.code == 4, done.out + done.err
        assert f"pgbackrest verify: {label} is damaged: invalid, 1 of 1," in done.out, done.out
        assert "(checksum invalid: 1)" in done.out and "Traceback" not in done.out + done.err
        hint = r"^Try: .* --stanza=main --type=full backup;\n +inv backup --target=shop$"
        assert re.search(hint, done.out, re.MULTILINE), done.out
        path.rename(cluster.folder / "kept")
        done = shop.inv("check-backups", "--deep")
        assert done.code == 4 and "(missing: 1)" in done.out, done.out + done.err
        (cluster.folder / "kept").rename(path)
    finally:
        path.write_bytes(before)


def test_wal_that_is_wrong_and_a_repository_that_is_gone_are_said(cluster: Cluster, shop: Project, label: str) -> None:
    wal = largest(cluster.folder / "repo/archive/main")
    before = flip(wal)
    try:
        done = shop.inv("check-backups", "--deep")
        assert done.code == 4 and f"{label} is valid, but " in done.out, done.out + done.err
    finally:
        wal.write_bytes(before)
    manifest = cluster.folder / "repo/backup/main" / label / "backup.manifest"
    texts = {path: path.read_bytes() for path in (manifest, manifest.with_name("backup.manifest.copy"))}
    try:
        for path in texts:
            path.write_bytes(b"x")
        done = shop.inv("check-backups", "--deep")
        assert done.code == 4 and f"{label} is damaged: invalid" in done.out, done.out + done.err
    finally:
        for path, content in texts.items():
            path.write_bytes(content)
    assert shop.inv("check-backups", "--deep").code == 0
