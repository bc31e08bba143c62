"""What befalls a run from outside, as one clear error: a disk that is full or read-only, a connection that is gone."""

from __future__ import annotations

import errno

import psycopg

from ops.command import Command, Query
from ops.errors import OpsError, StepFailed, Unreachable

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
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
    return StepFailed(said)


def database_error(error: psycopg.Error, target: str) -> OpsError:
    """Say what the server, or the missing link to it, says; one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    if isinstance(error, psycopg.OperationalError) and not error.sqlstate:
        return Unreachable(f"{target}: the connection to the server was lost: {lines[0]}")
    return StepFailed(f"{target}: the server says: {lines[0]}")


def said_by(command: Command, exit_code: int, said: str) -> type[StepFailed]:
    """Which error a failed command is: psql ends with 2 where it has no connection, or lost it. A database that is not
    there is an answer, too."""
    asked = not isinstance(command, Query) or exit_code != 2 or "does not exist" in said
    return StepFailed if asked else Unreachable
