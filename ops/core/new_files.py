"""Write several new files: all of them or none. Never overwrite an existing file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.core.errors import Refused
from ops.core.files import make_folder, sync_folder


@dataclass(frozen=True)
class NewFile:
    """A file to write: its path, its text, and whether it holds a secret (mode 0600, in a folder with mode 0700)."""

    path: Path
    text: str
    private: bool = False


def write_new(target: str, files: Sequence[NewFile]) -> None:
    """Write all files or none, each atomically. Never overwrite an existing file.

    Args:
        target: the target that begins the messages; empty if no target is known yet.

    Raises:
        Refused: a file exists already.
    """
    for file in files:
        if file.path.exists():
            _refuse(target, file.path)
    made: list[Path] = []
    try:
        for file in files:
            _write(target, file)
            made.append(file.path)
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def _write(target: str, file: NewFile) -> None:
    if file.private:
        make_folder(file.path.parent)
    handle, temporary = tempfile.mkstemp(dir=file.path.parent, prefix=f".{file.path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(file.text)
            out.flush()
            os.fsync(out.fileno())
        if not file.private:
            # Give the file the read permissions of its folder, as other files there have.
            os.chmod(temporary, (file.path.parent.stat().st_mode & 0o664) | 0o600)
        # A hard link, unlike a rename, never overwrites an existing file.
        os.link(temporary, file.path)
    except FileExistsError:
        _refuse(target, file.path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    sync_folder(file.path.parent)


def _refuse(target: str, path: Path) -> None:
    named = f"{target}: " if target else ""
    raise Refused(f"{named}{path} exists already; nothing was written", f"rm {path}   if it is not needed")
