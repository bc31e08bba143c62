"""Write files atomically, readable by their owner only."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO


def make_folder(folder: Path) -> Path:
    """Create a folder and its missing parents, each with mode 0700."""
    missing = [folder, *folder.parents]
    for part in reversed(missing):
        if not part.exists():
            part.mkdir(mode=0o700, exist_ok=True)
    return folder


def private_file(path: Path, flags: int) -> int:
    """Open a file with mode 0600; restrict the mode of an existing file. Never follow a symbolic link.

    Returns:
        the file descriptor.
    """
    handle = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(handle, 0o600)
    except BaseException:
        os.close(handle)
        raise
    return handle


@contextlib.contextmanager
def arriving(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that is written under a temporary name. On exit, sync it and rename it to ``path``."""
    make_folder(path.parent)
    part = path.with_name(f".{path.name}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        yield file
        file.flush()
        os.fsync(handle)
    part.replace(path)
    sync_folder(path.parent)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file atomically with mode 0600: write to a temporary name, fsync, rename, fsync the folder."""
    _write(path, [content.encode() if isinstance(content, str) else content])


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines like ``write_whole``, without holding all of them in memory."""
    _write(path, (f"{line}\n".encode() for line in lines))


def _write(path: Path, parts: Iterable[bytes]) -> None:
    make_folder(path.parent)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Fsync a folder, so that a rename in it survives a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """Return a file's sha256 in hexadecimal. Read the file in chunks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# The sha256 of files that this process has read, by device, inode, size and time of change.
_read: dict[tuple[int, int, int, int], str] = {}
# A file that was changed so recently may change again without another time of change (in ns).
_SETTLED = 2_000_000_000


def digest(path: Path) -> str:
    """Return a file's sha256 like ``sha256``. A file that this process has read, and its links, are not read again."""
    about = path.stat()
    key = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns)
    if key not in _read:
        found = sha256(path)
        if time.time_ns() - about.st_mtime_ns < _SETTLED:
            return found
        _read[key] = found
    return _read[key]
