"""What a connection of our own tells of a server: version, encryption, the clock, and who stands between."""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.core.errors import Unreachable
from ops.infra.session.session import Session

if TYPE_CHECKING:
    import psycopg

# A setting that nobody else uses with this value: it shows whether what is told at the start of a session arrives.
TOLD = ("lock_timeout", "4711ms")


@dataclass(frozen=True)
class ServerSession:
    """One connection.

    ``seconds`` it took to connect; ``local``: it does not leave this machine; ``tls``: the protocol, empty without;
    ``ahead`` is how many seconds the server's clock is before this machine's, give or take ``doubt``; ``standby``: the
    server only follows another one; ``between``: something that is not the server answers for it; ``shares``: two
    clients of that had the same session at once; ``told``: it hands on what a session is told at its start.
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
    """Connect, and look.

    Raises:
        Unreachable: there is no connection.
    """
    import psycopg

    try:
        return _looked(session, target, database)
    except psycopg.Error as error:
        # Who answers need not be the server: a pooler takes the connection, and then finds nobody behind it.
        said = session.redact(str(error)).strip().splitlines()[:1]
        raise Unreachable(f"{target}: no connection: {''.join(said)}", "look at the database's host") from None


def _looked(session: Session, target: str, database: str) -> ServerSession:
    started = time.monotonic()
    with session.connect(target, database) as connection:
        seconds = time.monotonic() - started
        pid, standby = _one(connection, "SELECT pg_backend_pid(), pg_is_in_recovery()")
        # The first answer has filled the server's caches: this one comes without delay.
        before = time.time()
        (there,) = _one(connection, "SELECT extract(epoch FROM clock_timestamp())::float8")
        after = time.time()
        # A server tells a client its own process at the start. Who stands between makes a number up, since it gives
        # the client now this session of the server and now that one.
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
    """Whether a second client, while the first one is there and idle, is given the same session of the server."""
    with session.connect(target, database) as second:
        pids = [_one(connection, "SELECT pg_backend_pid()") for connection in (first, second, first, second)]
    return bool({pids[0], pids[2]} & {pids[1], pids[3]})


def _told(session: Session, target: str, database: str) -> bool:
    """Whether a setting that the session is given at its start is there, as ``migrate`` needs its lock_timeout."""
    try:
        with session.connect(target, database, options=f"-c {TOLD[0]}={TOLD[1]}") as connection:
            return _one(connection, f"SHOW {TOLD[0]}") == (TOLD[1],)
    except Unreachable:
        return False


def _local(connection: psycopg.Connection[Any]) -> bool:
    """Whether the connection stays on this machine: a socket, or a loopback address (a tunnel's end, too)."""
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
