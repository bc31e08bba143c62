"""Files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ops.core.files import make_folder, sha256, write_whole

ROOT = Path(__file__).parents[2]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("content", ["", "groß\n", b"\0\xff"])
def test_a_file_holds_what_was_written_for_its_owner_only(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "new" / "folder" / "file"
    write_whole(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert (mode(path), mode(path.parent), mode(path.parent.parent)) == (0o600, 0o700, 0o700)
    assert os.listdir(path.parent) == ["file"]


def test_an_open_reader_keeps_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, "old")
    with path.open() as reader:
        write_whole(path, "newer")
        assert (reader.read(), path.read_text()) == ("old", "newer")


def test_a_write_that_raises_leaves_no_partial_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "half\ud800")
    assert (os.listdir(tmp_path), path.read_text()) == (["file"], "old")


def test_a_rename_that_fails_leaves_no_partial_file(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "file", "text")
    assert os.listdir(tmp_path) == ["file"]


def test_a_full_disk_leaves_no_partial_file(tmp_path: Path) -> None:
    code = """if True:
        import pathlib, resource, signal, sys
        from ops.core.files import write_whole
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        write_whole(pathlib.Path(sys.argv[1]), b"x" * 5000)
    """
    words = [sys.executable, "-c", code, str(tmp_path / "file")]
    done = subprocess.run(words, cwd=ROOT, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True)
    assert b"File too large" in done.stderr
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    assert make_folder(tmp_path / "open" / "new") == tmp_path / "open" / "new"
    assert [mode(tmp_path / name) for name in ("open", "open/new")] == [0o755, 0o700]


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 3_000_000)
    assert sha256(tmp_path / "file") == hashlib.sha256(b"x" * 3_000_000).hexdigest()
