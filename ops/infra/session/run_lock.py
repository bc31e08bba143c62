"""The run lock: one run at a time on a production database.

The run lock is a session-level advisory lock in the server's ``postgres`` database, since a swap ends sessions in the
live database. The lock ends with its session, so it is never stale. The session's application name identifies the
holder.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import platform
from types import TracebackType
from typing import Any

import psycopg

from ops.core.errors import Refused, StepFailed
from ops.infra.session.session import Session


def _user() -> str:
    """Return the user's name; in a container it may be the number."""
    try:
        return getpass.getuser().encode("ascii", "replace").decode()
    except (KeyError, OSError):
        return str(os.getuid())


class RunLock:
    """The run lock, which is held from ``__enter__`` to ``__exit__``.

    Args:
        session: the connections.
        target: the production target.
        database: the database's name, from which the key of the lock is made.
        run: the ID of the run.
        procedure: the run's procedure.
    """

    def __init__(self, session: Session, target: str, database: str, run: str, procedure: str) -> None:
        self.session, self.target, self.run, self.procedure = session, target, run, procedure
        self.key = int.from_bytes(hashlib.sha256(f"generalprobe:{database}".encode()).digest()[:4], "big") >> 1
        self._session: psycopg.Connection[Any] | None = None

    def __enter__(self) -> RunLock:
        holder = f"generalprobe lock {self.procedure} {self.run} by {_user()}@{platform.node()}"[:63]
        self._session = self.session.connect(self.target, "postgres", application_name=holder, keepalives_idle=30)
        if self._session.info.server_version >= 140000:
            self._session.execute("SET idle_session_timeout = 0")
        row = self._session.execute("SELECT pg_try_advisory_lock(%s, %s)", [0x67656E, self.key]).fetchone()
        if not row or not row[0]:
            held = self._holder()
            self.__exit__(None, None, None)
            raise Refused(
                f"{self.target}: another run holds the run lock: {held}",
                "inv status   (wait until that run ends, then repeat the command)",
            )
        return self

    def _holder(self) -> str:
        assert self._session is not None
        row = self._session.execute(
            "SELECT a.application_name, to_char(a.backend_start AT TIME ZONE 'UTC', 'HH24:MI') FROM pg_locks l "
            "JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid = %s "
            "AND l.granted",
            [0x67656E, self.key],
        ).fetchone()
        return f"{row[0].removeprefix('generalprobe lock ')}, since {row[1]} UTC" if row else "a run that has ended"

    def check(self) -> None:
        """Check that the lock is still held.

        Raises:
            StepFailed: the session was closed (a restart, a lost connection), so another run may have begun.
        """
        try:
            assert self._session is not None
            self._session.execute("SELECT 1")
        except psycopg.Error:
            raise StepFailed(
                f"{self.target}: the run lock was lost: its connection was closed", f"inv resume --run={self.run}"
            ) from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            self._session.close()
            self._session = None
