"""Translate OSError (disk full, read-only, folder missing) and unexpected exceptions into OpsError."""

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
    """Return the error for a file that could not be read or written, with what to do.

    Args:
        target: the target's name, which begins the message; "" if unknown.
        way_on: what to type after the cause is corrected.
    """
    where = f"{error.filename}: " if error.filename else ""
    said = f"{f'{target}: ' if target else ''}{where}{error.strerror or error}"
    if error.errno in _FULL:
        return Unreachable(said, f"free disk space for the store (df -h), then   {way_on}")
    if error.errno in _CLOSED:
        return Unreachable(said, f"make the store writable for this user, then   {way_on}")
    if error.errno in _AWAY and error.filename:
        there = Path(str(error.filename)).parent
        return Unreachable(said, f"check the folder {there} (is its disk or share mounted?), then   {way_on}")
    return StepFailed(said)


def fault_error(fault: Exception, where: str, path: Path, redact: Callable[[str], str]) -> OpsError:
    """Make an OpsError of an unexpected exception, and write its traceback to a file.

    Args:
        where: the target and the step.
        path: the file for the traceback; the message names the file.
        redact: removes secrets from a text.
    """
    said = redact(str(fault)).strip().splitlines()
    with contextlib.suppress(OSError):
        write_whole(path, redact("".join(traceback.format_exception(fault))))
    return OpsError(f"{where}: {type(fault).__name__}: {said[0] if said else 'no message'} (details: {path})")
