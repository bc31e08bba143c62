"""A lock on one file behind SFTP, for the moment in which another version takes its place.

It is a hidden file beside it that is created only where there is none, and names its holder and the version that he is
about to give the file's name. **A stale one** is older than ``STALE`` by the host's own clock: it takes a holder a few
short requests, so he is gone. Then that version is removed first, so that one who only slept can't put it in place any
more, and the lock after it, by one at a time. A holder himself gives up after ``FENCE``.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import re
import time
from collections.abc import Iterator

from ops.errors import Unreachable
from ops.sftp import Answer, Client

# What begins so is ours, and no file of the store.
OURS = ".generalprobe-"
# Seconds: after which a lock is stale; after which its holder doesn't trust it; between two looks at it.
STALE, FENCE, PAUSE = 30, 15, 0.2
_VERSION = re.compile(rf"{re.escape(OURS)}[0-9a-f]{{32}}")


class Held:
    """A lock that is ours, until ``FENCE``."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._since = time.monotonic()

    @property
    def holds(self) -> bool:
        """Whether nobody can have taken it for stale."""
        return time.monotonic() - self._since < FENCE

    def check(self) -> None:
        """Make sure of it before what it guards.

        Raises:
            Unreachable: the host took too long.
        """
        if not self.holds:
            raise Unreachable(f"{self.path}: the host took longer than {FENCE} s to answer", "the same again")


@contextlib.contextmanager
def locked(client: Client, path: str, version: str, now: float) -> Iterator[Held]:
    """Hold the lock on a file.

    Args:
        client: the session.
        path: the file; it need not be there.
        version: the file beside it that is to take its name.
        now: the host's time, in seconds, at this moment.

    Raises:
        Unreachable: others hold it, one after the other, or one that is stale can't be removed.
    """
    folder, _, name = path.rpartition("/")
    lock = f"{folder}/{OURS}lock-{name}"
    began = time.monotonic()
    while not _taken(client, lock, version.rpartition("/")[2]):
        waited = time.monotonic() - began
        if waited > 2 * STALE + FENCE:
            holder = _holder(client, lock)
            raise Unreachable(f"{path}: {holder} has been writing it for {waited:.0f} s", f"rm {lock}*   on that host")
        _break_stale(client, lock, now + waited)
        time.sleep(PAUSE)
    held = Held(path)
    try:
        yield held
    finally:
        # One that may be another's by now is left to grow stale.
        if held.holds:
            with contextlib.suppress(Answer):
                client.remove(lock)


def _taken(client: Client, lock: str, version: str) -> bool:
    for _ in range(3):
        try:
            handle = client.create(lock)
            break
        except Answer as answer:
            # SFTP has no word for "it is there".
            said = answer
            if answer.denied or answer.missing:
                raise
            if client.about(lock) is not None:
                return False
    else:
        raise said
    try:
        client.write(handle, [f"{_who()}\n{version}\n".encode()], close=True)
    except Answer:  # The disk may be full; nobody is to wait for a lock without a holder.
        client.remove(lock)
        raise
    return True


def _break_stale(client: Client, lock: str, now: float) -> None:
    with contextlib.suppress(Answer):
        about, pieces = client.read(lock)
        seen = b"".join(pieces)
        if now - about.st_mtime <= STALE:
            return
        client.close_handle(client.create(f"{lock}.stale"))
        try:
            again, pieces = client.read(lock)
            if b"".join(pieces) == seen and again.st_mtime == about.st_mtime:
                version = seen.decode("utf-8", "replace").split("\n")[1:2]
                if version and _VERSION.fullmatch(version[0]):
                    with contextlib.suppress(Answer):
                        client.remove(f"{lock.rpartition('/')[0]}/{version[0]}")
                client.remove(lock)
        finally:
            client.remove(f"{lock}.stale")


def _holder(client: Client, lock: str) -> str:
    with contextlib.suppress(Answer):
        return b"".join(client.read(lock)[1]).decode("utf-8", "replace").split("\n")[0] or "somebody"
    return "somebody"


def _who() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name}@{platform.node()} (process {os.getpid()})"
