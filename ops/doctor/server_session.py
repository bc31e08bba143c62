"""Read from a connection the server's version, encryption and clock, and whether a pooler answers."""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.core.errors import Unreachable
from ops.infra.session.session import Session

if TYPE_CHECKING:
    import psycopg

# A setting with an unusual value, to test whether settings at the start of a session reach the server.
TOLD = ("lock_timeout", "4711ms")


@dataclass(frozen=True)
class ServerSession:
    """The properties of a connection.

    Args:
        version: the server's version, as text.
        major: the server's major version.
        seconds: the duration of the connection attempt.
        local: True if the connection does not leave this machine.
        tls: the TLS protocol; empty without TLS.
        ahead: the seconds by which the server's clock is ahead of this machine's, with the uncertainty ``doubt``.
        doubt: the uncertainty of ``ahead``, in seconds.
        standby: True if the server is a standby.
        between: True if a pooler answers.
        shares: True if two clients of the pooler shared a session.
        told: True if settings at the start of a session reach the server.
    """

    version: str
    major: int
    seconds: float
    local: bool
    tls: str
    ahead: float
    doubt: float
    standby: bool
    between: bool
    shares: bool = False
    told: bool = True


def read_server_session(session: Session, target: str, database: str = "") -> ServerSession:
    """Connect to a target, and read the properties of the connection.

    Args:
        session: the connections.
        target: the target.
        database: the database; empty for the target's database.

    Raises:
        Unreachable: the connection failed.
    """
    import psycopg

    try:
        return _looked(session, target, database)
    except psycopg.Error as error:
        # A pooler accepts the connection even if its server does not answer.
        said = session.redact(str(error)).strip().splitlines()[:1]
        raise Unreachable(f"{target}: no connection: {''.join(said)}", "check the database's host") from None


def _looked(session: Session, target: str, database: str) -> ServerSession:
    started = time.monotonic()
    with session.connect(target, database) as connection:
        seconds = time.monotonic() - started
        pid, standby = _one(connection, "SELECT pg_backend_pid(), pg_is_in_recovery()")
        # The first query has filled the server's caches, so that this query is fast.
        before = time.time()
        (there,) = _one(connection, "SELECT extract(epoch FROM clock_timestamp())::float8")
        after = time.time()
        # A server sends the process id of its session at the start. A pooler invents the id, since it assigns a client
        # to different sessions.
        between = connection.info.backend_pid != pid
        shares = between and _shares(session, target, database, connection)
        return ServerSession(
            version=connection.info.parameter_status("server_version") or "",
            major=connection.info.server_version // 10000,
            seconds=seconds,
            local=_local(connection),
            tls=_tls(connection),
            ahead=there - (before + after) / 2,
            doubt=(after - before) / 2,
            standby=bool(standby),
            between=between,
            shares=shares,
            told=not between or _told(session, target, database),
        )


def _one(connection: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return tuple(row)


def _shares(session: Session, target: str, database: str, first: psycopg.Connection[Any]) -> bool:
    """Return True if a second client gets the same session of the server as the first client, which is idle."""
    with session.connect(target, database) as second:
        pids = [_one(connection, "SELECT pg_backend_pid()") for connection in (first, second, first, second)]
    return bool({pids[0], pids[2]} & {pids[1], pids[3]})


def _told(session: Session, target: str, database: str) -> bool:
    """Return True if a setting at the start of a session reaches the server, as ``migrate`` needs for lock_timeout."""
    try:
        with session.connect(target, database, options=f"-c {TOLD[0]}={TOLD[1]}") as connection:
            return _one(connection, f"SHOW {TOLD[0]}") == (TOLD[1],)
    except Unreachable:
        return False


def _local(connection: psycopg.Connection[Any]) -> bool:
    """Return True if the connection uses a socket or a loopback address (including the end of a tunnel)."""
    if connection.info.host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(connection.info.hostaddr).is_loopback
    except ValueError:
        return False


def _tls(connection: psycopg.Connection[Any]) -> str:
    if not connection.pgconn.ssl_in_use:
        return ""
    words = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl"
    row = connection.execute(words).fetchone()
    return str(row[0]) if row and row[0] else "TLS"
