"""What a killed call left in the temporary folder is swept by the next one, also when two begin at once."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ops.core import permissions
from ops.infra.session.session import Session
from ops.inventory.load import load
from tests.projects import write_project


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    write_project(tmp_path / "project", "b", {})
    return tmp_path


def dead() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_two_that_sweep_at_once_do_not_stumble(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = place / "tmp" / f"generalprobe-{dead()}-abc"
    left.mkdir()
    alive = permissions._sweep

    def other_first(folder: Path) -> None:
        folder.rmdir()
        alive(folder)

    monkeypatch.setattr(permissions, "_sweep", other_first)
    assert Session(load(place / "project" / "inventory.yaml")).secrets.private.is_dir()
    assert not left.exists()


def test_what_a_dead_process_left_goes(place: Path) -> None:
    left = place / "tmp" / f"generalprobe-{dead()}-abc"
    left.mkdir()
    assert Session(load(place / "project" / "inventory.yaml")).secrets.private.is_dir()
    assert not left.exists()


def test_what_a_process_that_we_can_not_see_works_with_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permissions, "_alive", lambda pid: False)  # as in a container that shares our temporary files
    first = permissions.private_folder()
    second = permissions.private_folder()
    assert first.is_dir() and second.is_dir()
    assert [path.name for path in (place / "tmp").glob(".*")] == []


def test_what_was_killed_before_it_had_a_name_goes_after_an_hour(place: Path) -> None:
    """Found empty and hidden: the process died between making the folder and naming it."""
    left = {name: place / "tmp" / f".generalprobe-{dead()}-{name}" for name in ("old", "young", "full")}
    for folder in left.values():
        folder.mkdir()
    (left["full"] / "mine").touch()
    for name in ("old", "full"):
        os.utime(left[name], (0, 0))
    (place / "tmp" / ".generalprobe-1-link").symlink_to(place)
    assert permissions.private_folder().is_dir()
    assert [folder.exists() for folder in left.values()] == [False, True, True]
    assert place.is_dir()
