"""Restrict permissions: only their owner may access the store and files that hold a secret."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import re
import shlex
import shutil
import stat
import tempfile
import time
from pathlib import Path

from ops.core.errors import UsageError

# The folders within a target's folder in the store.
PARTS = ("backups", "runs", "certificates", "rehearsals", "schedules")
OTHERS = 0o077
_PREFIX = "generalprobe-"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


def whole_id(text: str, what: str, hint: str = "inv status") -> str:
    """Return an id unchanged if it is valid: one file name, and never a path.

    Args:
        text: the id.
        what: what kind of id it is, for the message.

    Raises:
        UsageError: the id is not valid.
    """
    if not _ID.fullmatch(text) or ".." in text:
        raise UsageError(f"{text!r} is not a {what}: use letters, digits and . _ - (first a letter or digit)", hint)
    return text


def inside(path: Path, folder: Path) -> bool:
    """Return True if a path, after its symbolic links are resolved, is a folder or is within that folder."""
    return path.resolve().is_relative_to(folder.resolve())


def close_store(store: Path, target: str) -> None:
    """Restrict the permissions of a target's files in the store, so that no other user can read or replace them.

    Args:
        store: the store's folder. It may be a symbolic link. Others may read it, but only its owner may write to it.
        target: the target. Its folder and everything in it becomes private.

    Raises:
        UsageError: another user owns a file, or a symbolic link leads out of the store.
    """
    if not store.exists():
        return
    about = store.stat()
    if about.st_mode & 0o022 and not about.st_mode & stat.S_ISVTX:
        _tighten(store, about, 0o022)
    folder = store / target
    for path in (folder, *(folder / part for part in PARTS)):
        if path.is_symlink() and not inside(path, store):
            raise UsageError(f"{path}: a link that leads out of the store", f"rm {shlex.quote(str(path))}")
        if path.is_dir():
            _tighten(path, path.stat(), OTHERS)
    for path in (path for part in PARTS for path in (folder / part).rglob("*")):
        with contextlib.suppress(FileNotFoundError):  # Another run may remove files meanwhile.
            about = path.lstat()
            if not stat.S_ISLNK(about.st_mode):
                _tighten(path, about, OTHERS)


def _tighten(path: Path, about: os.stat_result, taken: int) -> None:
    mode = stat.S_IMODE(about.st_mode)
    if not mode & taken:
        return
    try:
        path.chmod(mode & ~taken)
    except OSError:
        words = "other users can read or write it, and this user may not change its permissions"
        raise UsageError(f"{path}: {words}", f"chmod go-rwx {shlex.quote(str(path))}") from None


def secret_file(path: Path, what: str) -> None:
    """Refuse a file with a secret if other users could have read or written it. Accept a missing file.

    Args:
        path: the file.
        what: what the file is, for the message; never any of its content.

    Raises:
        UsageError: group or others have access, another user owns it, or it is not a regular file.
    """
    try:
        about = path.stat()
    except OSError:
        return
    if not stat.S_ISREG(about.st_mode):
        raise UsageError(f"{what}: {path} is not a file", f"ls -ld {shlex.quote(str(path))}")
    if about.st_uid not in (0, os.geteuid()):
        raise UsageError(f"{what}: {path} belongs to another user", f"chown {os.geteuid()} {shlex.quote(str(path))}")
    if about.st_mode & OTHERS:
        raise UsageError(f"{what}: {path} can be read by others", f"chmod 600 {shlex.quote(str(path))}")


def private_folder() -> Path:
    """Create a temporary folder with mode 0700, and remove it when this process exits.

    Also remove the folders of killed processes. This process locks its folder: a process in another container that
    shares the temporary files does not see this process id.
    """
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{_PREFIX}*-*"):
        _sweep(left)
    for left in place.glob(f".{_PREFIX}*-*"):
        _sweep_unnamed(left)
    made = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}{os.getpid()}-"))
    lock = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    # Rename the folder only after it is locked, so that no other process removes it.
    folder = made.rename(made.with_name(made.name.removeprefix(".")))
    atexit.register(_end, folder, lock)
    return folder


def _end(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def _sweep(folder: Path) -> None:
    pid = folder.name.removeprefix(_PREFIX).split("-")[0]
    # Another process may remove it at the same time, and another user's link may be broken.
    with contextlib.suppress(OSError, ValueError, OverflowError):
        if pid.isdigit() and folder.lstat().st_uid == os.geteuid() and not _alive(int(pid)):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _sweep_unnamed(folder: Path) -> None:
    """Remove the empty folder of a process that was killed before it renamed its folder.

    Wait for an hour: a process in another container may be about to lock the folder.
    """
    with contextlib.suppress(OSError):
        about = folder.lstat()
        if about.st_uid == os.geteuid() and time.time() - about.st_mtime > 3600:
            folder.rmdir()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
