"""What befalls a run from outside, as one clear error: a disk that is full or read-only, a connection that is gone."""

from __future__ import annotations

import contextlib
import errno
import traceback
from collections.abc import Callable
from pathlib import Path

from ops.core.errors import OpsError, StepFailed, Unreachable
from ops.core.files import write_whole

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_AWAY = {errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENOTCONN, errno.EIO, errno.ENODEV}
_CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}


def disk_error(error: OSError, target: str, way_on: str) -> OpsError:
    """Say which file could not be read or written and what to do about it.

    Args:
        target: the target's name; it leads the message, where it is known.
        way_on: what to type when that is done.
    """
    where = f"{error.filename}: " if error.filename else ""
    said = f"{f'{target}: ' if target else ''}{where}{error.strerror or error}"
    if error.errno in _FULL:
        return Unreachable(said, f"make room on the store's disk (df -h), then   {way_on}")
    if error.errno in _CLOSED:
        return Unreachable(said, f"make the store writable for this user, then   {way_on}")
    if error.errno in _AWAY and error.filename:
        there = Path(str(error.filename)).parent
        return Unreachable(said, f"look for the folder {there} (is its disk or share gone?), then   {way_on}")
    return StepFailed(said)


def fault_error(fault: Exception, where: str, path: Path, redact: Callable[[str], str]) -> OpsError:
    """Make an error of a mistake of ours, or of an answer that nobody expected.

    Args:
        where: the target and what it was about.
        path: the file for the details; the person gets a line.
        redact: takes secrets out of a text.
    """
    said = redact(str(fault)).strip().splitlines()
    with contextlib.suppress(OSError):
        write_whole(path, redact("".join(traceback.format_exception(fault))))
    return OpsError(f"{where}: {type(fault).__name__}: {said[0] if said else 'no words'} (details: {path})")
