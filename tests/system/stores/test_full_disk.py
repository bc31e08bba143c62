"""A disk that fills under the store, here or behind SSH: it is said, no backup is half-written, the run goes on."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.support.stores.hosts import Hosts, reached


@dataclass
class Full:
    """A project whose store is on a small disk, and what fills it."""

    shop: Project
    disk: Path

    def fill(self, left: int) -> None:
        """Leave it so many bytes."""
        content = subprocess.run(["df", "--output=avail", "-B1", self.disk], capture_output=True, text=True).stdout
        (self.disk / "ballast").write_bytes(bytes(int(content.split()[-1]) - left))

    def manifests(self) -> list[Path]:
        """The backups that are on the disk."""
        return list(self.disk.rglob("manifest.json"))


@pytest.fixture
def full(
    request: pytest.FixtureRequest,
    hosts: Hosts,
    project: Callable[..., Project],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Full]:
    """Each kind of store that has a disk."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", str(disk)]
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("no small disk: run the tests as root, in a container with --cap-add SYS_ADMIN")
    with contextlib.ExitStack() as stack:
        stack.callback(subprocess.run, ["umount", "-l", str(disk)], check=True)
        if request.param == "ssh":
            far = stack.enter_context(reached(hosts.login("openssh"), tmp_path / "far", monkeypatch))
            far.folder = disk / "kept"
            shop = project("b", store=far.url)
            shop.env["HOME"] = str(far.login.home)
        else:
            shop = project("b", store=str(disk / "kept"))
        yield Full(shop, disk)


@pytest.mark.slow
@pytest.mark.parametrize(("full", "left"), [("folder", 0), ("folder", 20_480), ("ssh", 0)], indirect=["full"])
def test_a_backup_on_a_full_disk_is_none_and_goes_on_when_there_is_room(full: Full, left: int) -> None:
    assert full.shop.inv("backup").code == 0
    [first] = full.manifests()
    full.fill(left)
    done = full.shop.inv("backup")
    said = done.out + done.err
    assert done.code in (3, 4) and any(
        word in said for word in ("not enough disk space for a backup in", "disk is full", "No space left")
    ), said
    assert "Try:" in said and "free disk space" in said and "Traceback" not in said, said
    assert full.manifests() == [first]
    (full.disk / "ballast").unlink()
    again = full.shop.inv("resume")
    if "nothing to resume" in again.out + again.err:
        again = full.shop.inv("backup")
    assert again.code == 0, again.out + again.err
    assert len(full.manifests()) == 2 and full.shop.inv("check-backups", "--deep").code == 0
    assert not [path for path in full.disk.rglob(".generalprobe*")]
