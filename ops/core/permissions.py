"""Who may read what we keep: the store is its owner's alone, and so is every file that holds a secret."""

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

# What a target's folder in the store holds.
PARTS = ("backups", "runs", "certificates", "rehearsals", "schedules")
OTHERS = 0o077
_PREFIX = "generalprobe-"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


def whole_id(text: str, what: str, hint: str = "inv status") -> str:
    """An id as it was given, where it is one: a whole file name, and never a path.

    Raises:
        UsageError: it is none.
    """
    if not _ID.fullmatch(text) or ".." in text:
        raise UsageError(f"{text!r} is no {what}: letters, digits and . _ - (first a letter or digit)", hint)
    return text


def inside(path: Path, folder: Path) -> bool:
    """Whether a path, links followed, ends in a folder or below it."""
    return path.resolve().is_relative_to(folder.resolve())


def close_store(store: Path, target: str) -> None:
    """Make sure that nobody else can read, or replace, what is kept of a target; tighten what is wider.

    Args:
        store: the store's folder. It may be a link, and others may read it; but only its owner may write to it.
        target: the target, whose folder is private with all that is in it.

    Raises:
        UsageError: it belongs to somebody else, or a part of it is a link that leads out of it.
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
        with contextlib.suppress(FileNotFoundError):  # Another run may be at work.
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
        words = "others may read or write it, and it is not ours to change that"
        raise UsageError(f"{path}: {words}", f"chmod go-rwx {shlex.quote(str(path))}") from None


def secret_file(path: Path, what: str) -> None:
    """Refuse a file with a secret that others could read or have written; a missing one is the caller's business.

    Args:
        what: what the file is, for the message; never anything of its content.

    Raises:
        UsageError: group or others may read it, or it belongs to somebody else.
    """
    try:
        about = path.stat()
    except OSError:
        return
    if not stat.S_ISREG(about.st_mode):
        raise UsageError(f"{what}: {path} is not a file", f"ls -ld {shlex.quote(str(path))}")
    if about.st_uid not in (0, os.geteuid()):
        raise UsageError(f"{what}: {path} belongs to somebody else", f"chown {os.geteuid()} {shlex.quote(str(path))}")
    if about.st_mode & OTHERS:
        raise UsageError(f"{what}: {path} can be read by others", f"chmod 600 {shlex.quote(str(path))}")


def private_folder() -> Path:
    """A new 0700 folder that ends with this process; what killed processes left is swept.

    Its process holds a lock on it: a container that shares our temporary files does not see our processes.
    """
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{_PREFIX}*-*"):
        _sweep(left)
    for left in place.glob(f".{_PREFIX}*-*"):
        _sweep_unnamed(left)
    made = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}{os.getpid()}-"))
    lock = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    # It has its name only now: nobody sweeps what is not locked yet.
    folder = made.rename(made.with_name(made.name.removeprefix(".")))
    atexit.register(_end, folder, lock)
    return folder


def _end(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def _sweep(folder: Path) -> None:
    pid = folder.name.removeprefix(_PREFIX).split("-")[0]
    # Another process may sweep at the same time, and another user's link may lead nowhere.
    with contextlib.suppress(OSError, ValueError, OverflowError):
        if pid.isdigit() and folder.lstat().st_uid == os.geteuid() and not _alive(int(pid)):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _sweep_unnamed(folder: Path) -> None:
    """Remove the empty folder of a process that was killed before it gave its folder a name.

    A process that we do not see may be about to lock it: only after an hour it is nobody's.
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
