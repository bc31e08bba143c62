"""What a killed call left in the temporary folder is swept by the next one, also when two begin at once."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ops import private
from ops.inventory_load import load
from ops.world import World
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
    alive = private._sweep

    def other_first(folder: Path) -> None:
        folder.rmdir()
        alive(folder)

    monkeypatch.setattr(private, "_sweep", other_first)
    assert World(load(place / "project" / "inventory.yaml")).private.is_dir()
    assert not left.exists()


def test_what_a_dead_process_left_goes(place: Path) -> None:
    left = place / "tmp" / f"generalprobe-{dead()}-abc"
    left.mkdir()
    assert World(load(place / "project" / "inventory.yaml")).private.is_dir()
    assert not left.exists()


def test_what_a_process_that_we_can_not_see_works_with_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "_alive", lambda pid: False)  # as in a container that shares our temporary files
    first = private.private_folder()
    second = private.private_folder()
    assert first.is_dir() and second.is_dir()
    assert [path.name for path in (place / "tmp").glob(".*")] == []
