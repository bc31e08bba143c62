"""One SFTP session over asyncssh, for all threads of a store behind SSH.

An event loop in a separate thread handles any number of parallel requests. Addresses, keys, agent and jump hosts are
those of OpenSSH's files, as in ``ops.infra.transport.ssh``. Host keys are always checked, regardless of these files.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextvars import ContextVar
from typing import Any, BinaryIO, TypeVar

import asyncssh

from ops.engine.command import Host
from ops.infra.transport import ssh
from ops.inventory.targets import Connection

T = TypeVar("T")
# Timeouts in seconds: of an answer, since the sync of a large file may take long; of opening a session; of the clean-up
# after an interruption.
PATIENCE, OPENING, GRACE = 300.0, 20.0, 2.0
# The size of a piece in bytes, and the number of parallel pieces, so that the connection is never idle.
PIECE, PIECES = 4 << 20, 2
# Files and folders are private.
_FILE, FOLDER = asyncssh.SFTPAttrs(permissions=0o600), asyncssh.SFTPAttrs(permissions=0o700)
# Aborts the connection of the running coroutine.
_give_up = ContextVar[Callable[[], None]]("_give_up")
_LOST = (
    asyncssh.DisconnectError,
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
    ConnectionError,
    TimeoutError,
)
_OF_NETWORKS = (None, 0, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETRESET, errno.ENETUNREACH)


def is_lost(error: BaseException) -> bool:
    """Return True if the connection was lost or timed out. Any other OSError is about a local file."""
    return isinstance(error, _LOST) or (isinstance(error, OSError) and error.errno in _OF_NETWORKS)


async def within(work: Awaitable[T]) -> T:
    """Wait for an answer at most ``PATIENCE`` seconds, then abort the connection, so that no clean-up waits for it."""
    try:
        return await asyncio.wait_for(work, PATIENCE)
    except TimeoutError:
        _give_up.get()()
        raise


class Link:
    """The connection to one host and its SFTP session, opened at the first use, and again after a loss.

    Args:
        host: the host; its target begins the messages.
        connection: the inventory's variables; other settings are those of OpenSSH's configuration.
    """

    def __init__(self, host: Host, connection: Connection) -> None:
        self._host, self._to = host, connection
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock, self._opening = threading.Lock(), asyncio.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._session: asyncssh.SFTPClient | None = None

    def run(self, work: Callable[[asyncssh.SFTPClient], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine with the session; cancel the coroutine after Ctrl-C.

        Raises:
            Unreachable: the host cannot be reached, rejects the keys, or has another host key.
        """
        ended = threading.Event()

        async def whole() -> T:
            try:
                session = await self._open()
                assert self._connection
                _give_up.set(self._connection.abort)
                return await work(session)
            except BaseException as error:
                if is_lost(error) and self._connection:
                    self._connection.abort()  # asyncssh may not have noticed the loss; the next call connects again.
                raise
            finally:
                ended.set()

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                # The waiting caller gets a request's error; print no errors of requests that nobody awaits.
                self._loop.set_exception_handler(lambda *_: None)
                threading.Thread(target=self._loop.run_forever, daemon=True).start()
        future = asyncio.run_coroutine_threadsafe(whole(), self._loop)
        try:
            return future.result()
        except BaseException:
            if future.cancel():
                ended.wait(GRACE)
            raise

    async def ask(self, line: str, patience: float | None) -> str:
        """Return the output of a line in the host's shell; empty if the line fails or the host has no shell."""
        assert self._connection
        with contextlib.suppress(asyncssh.Error, OSError):
            asked = self._connection.run(line, stdin=asyncssh.DEVNULL, errors="replace")
            done = await asyncio.wait_for(asked, patience)
            return str(done.stdout) if done.exit_status == 0 else ""
        return ""

    async def _open(self) -> asyncssh.SFTPClient:
        async with self._opening:
            if self._connection is None or self._connection.is_closed():
                self._connection, self._session = await self._connect(), None
            if self._session is None:
                try:
                    self._session = await asyncio.wait_for(self._connection.start_sftp_client(), OPENING)
                except (asyncssh.ChannelOpenError, asyncssh.SFTPError) as error:
                    said = f"its sshd offers no SFTP: {error.reason}"
                    raise ssh.unreachable(self._host, said) from None
            return self._session

    async def _connect(self) -> asyncssh.SSHClientConnection:
        for name in ("asyncssh", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            return await connect(self._to.host or "", self._to.user, self._to.port)
        except WrongKey as error:
            wrong = ssh.other_key if error.known else ssh.unknown_key
            raise wrong(self._host, error.name, error.shown) from None
        except asyncssh.PermissionDenied:
            raise ssh.not_let_in(self._host) from None
        except (asyncssh.Error, OSError, ValueError, RecursionError) as error:
            raise ssh.unreachable(self._host, f"no connection: {error or type(error).__name__}") from None


class WrongKey(Exception):
    """A host key is not trusted.

    Args:
        name: the host.
        shown: the key's fingerprint in the form of ``ssh``.
        known: True if another key of the host is known.
    """

    def __init__(self, name: str, shown: str, known: bool) -> None:
        super().__init__(name)
        self.name, self.shown, self.known = name, shown, known


def _configured(
    name: str, user: str | None, port: int | None
) -> tuple[dict[str, Any], asyncssh.SSHClientConnectionOptions]:
    """Return the options for asyncssh from the user's OpenSSH configuration of a host, and asyncssh's result."""
    given: dict[str, Any] = {"username": user} if user else {}
    given |= {"port": port} if port else {}
    files = map(os.path.expanduser, ("~/.ssh/config", "/etc/ssh/ssh_config"))
    given["config"] = [path for path in files if os.access(path, os.R_OK)]
    options = asyncssh.SSHClientConnectionOptions(host=name, client_keys=None, **given)
    if isinstance(keys := options.config.get("IdentityFile"), list):
        # OpenSSH ignores missing key files.
        there = [key for key in keys if os.path.isfile(os.path.expanduser(key))]
        given |= {"client_keys": there, "ignore_encrypted": True}
    return given, options


async def connect(
    name: str, user: str | None, port: int | None, tunnel: asyncssh.SSHClientConnection | None = None
) -> asyncssh.SSHClientConnection:
    """Connect to a host through its jump hosts, whose keys asyncssh would check by other rules.

    Args:
        name: the host.
        user: the user; None to use OpenSSH's configuration.
        port: the port; None to use OpenSSH's configuration.
        tunnel: the connection to the last jump host; None to connect to the jump hosts first.
    """
    given, options = _configured(name, user, port)
    for jump in options.tunnel.split(",") if tunnel is None and isinstance(options.tunnel, str) else []:
        account, _, place = jump.rpartition("@")
        at, _, number = place.rpartition(":") if ":" in place else (place, "", "")
        tunnel = await connect(at, account or None, int(number or 0), tunnel)
    named = options.config.get("UserKnownHostsFile")
    known = _known_hosts("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts", *(named if isinstance(named, list) else ()))
    wrong: list[WrongKey] = []

    class Client(asyncssh.SSHClient):
        def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
            shown = host if port == asyncssh.DEFAULT_PORT else f"[{host}]:{port}"
            trusted = known.match(host, "", port)[0]
            wrong.append(WrongKey(shown, f"{key.get_algorithm()} {key.get_fingerprint()}", bool(trusted)))
            return False

    given |= {"known_hosts": lambda host, _, port: known.match(host, "", port), "client_factory": Client}
    given |= {"connect_timeout": ssh.PATIENCE, "login_timeout": ssh.PATIENCE, "tunnel": tunnel}
    given |= {"keepalive_interval": ssh.ALIVE, "keepalive_count_max": ssh.SILENCE // ssh.ALIVE}
    # Override options of the user's configuration that are for interactive shells.
    given |= {"command": None, "request_pty": False, "agent_forwarding": False, "x11_forwarding": False}
    try:
        made = await asyncssh.connect(name, **given)
    except asyncssh.HostKeyNotVerifiable:
        raise wrong[-1] if wrong else WrongKey(name, "by a certificate", False) from None
    made.set_tunnel(tunnel)
    return made


def _known_hosts(*paths: str) -> asyncssh.SSHKnownHosts:
    """Read the existing files; ignore invalid lines, as OpenSSH does."""
    known = asyncssh.SSHKnownHosts()
    for path in map(os.path.expanduser, paths):
        with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                with contextlib.suppress(ValueError):
                    known.load(line)
    return known


async def entries(sftp: asyncssh.SFTPClient, folder: str) -> dict[str, asyncssh.SFTPAttrs]:
    """Return the entries of a folder by name; empty if the folder does not exist."""
    found = dict[str, asyncssh.SFTPAttrs]()
    with contextlib.suppress(asyncssh.SFTPNoSuchFile):
        for entry in await within(sftp.readdir(folder)):
            name, about = str(entry.filename), entry.attrs
            if name not in (".", ".."):
                whole = None not in (about.permissions, about.size, about.mtime)
                if told := about if whole else await about_of(sftp, f"{folder}/{name}"):
                    found[name] = told
    return found


async def about_of(sftp: asyncssh.SFTPClient, path: str) -> asyncssh.SFTPAttrs | None:
    """Return the attributes of a path; None if it does not exist."""
    with contextlib.suppress(asyncssh.SFTPNoSuchFile):
        return await within(sftp.stat(path, follow_symlinks=False))
    return None


async def pieces(file: asyncssh.SFTPClientFile, size: int) -> AsyncIterator[bytes]:
    """Yield a file's content in order, and read ahead."""
    starts, under_way = iter(range(0, size, PIECE)), list[asyncio.Task[bytes]]()
    while True:
        while len(under_way) < PIECES and (start := next(starts, None)) is not None:
            under_way.append(asyncio.create_task(within(file.read(min(PIECE, size - start), start))))
        if not under_way:
            return
        yield await under_way.pop(0)


async def fill(file: asyncssh.SFTPClientFile, content: BinaryIO) -> None:
    """Write a content, several pieces in parallel."""

    async def write() -> None:
        while start := (content.tell(), content.read(PIECE)):
            if not start[1]:
                return
            await within(file.write(start[1], start[0]))

    await asyncio.gather(*(write() for _ in range(PIECES)))


async def create(sftp: asyncssh.SFTPClient, path: str) -> asyncssh.SFTPClientFile:
    """Open a new file for writing; make its folder if missing, and retry if another client removes the folder."""
    for _ in range(3):
        with contextlib.suppress(asyncssh.SFTPNoSuchFile):
            return await within(sftp.open(path, "xb", _FILE))
        await within(sftp.makedirs(path.rpartition("/")[0], FOLDER, exist_ok=True))
    return await within(sftp.open(path, "xb", _FILE))


async def replace(sftp: asyncssh.SFTPClient, old: str, new: str) -> None:
    """Rename a file; replace an existing file."""
    try:
        await within(sftp.posix_rename(old, new))
    except asyncssh.SFTPOpUnsupported:
        await remove(sftp, [new])
        await within(sftp.rename(old, new))


async def remove(sftp: asyncssh.SFTPClient, paths: Iterable[str]) -> None:
    """Remove files; a missing file is no error."""
    for path in paths:
        with contextlib.suppress(asyncssh.SFTPNoSuchFile):
            await within(sftp.remove(path))
