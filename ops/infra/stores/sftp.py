"""One SFTP session over asyncssh, for all threads of a store behind SSH.

An event loop in a thread of its own has any number of requests under way. Addresses, keys, agent and jump hosts are
those of OpenSSH's own files, as with ``ops.infra.transport.ssh``. Host keys are always checked, whatever those say.
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
# Seconds: until an answer must come, as a server that syncs a large file may take long; for a session to open; for what
# was interrupted to clean up.
PATIENCE, OPENING, GRACE = 300.0, 20.0, 2.0
# Bytes of a piece of a file, and how many are under way, so that the line is never idle.
PIECE, PIECES = 4 << 20, 2
# Nobody else reads what is kept.
_FILE, FOLDER = asyncssh.SFTPAttrs(permissions=0o600), asyncssh.SFTPAttrs(permissions=0o700)
# Ends the connection over which the coroutine at work asks.
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
    """Return True if the link is gone, or the host stopped answering. Any other OSError is of a file here."""
    return isinstance(error, _LOST) or (isinstance(error, OSError) and error.errno in _OF_NETWORKS)


async def within(work: Awaitable[T]) -> T:
    """Wait for an answer, at most ``PATIENCE`` seconds; then the link is given up, so that no clean-up waits on it."""
    try:
        return await asyncio.wait_for(work, PATIENCE)
    except TimeoutError:
        _give_up.get()()
        raise


class Link:
    """The connection to one host and its SFTP session, made when first needed, and anew where it was lost.

    Args:
        host: what a person types to reach it; it leads the messages.
        connection: the inventory's variables; OpenSSH's configuration has the rest.
    """

    def __init__(self, host: Host, connection: Connection) -> None:
        self._host, self._to = host, connection
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock, self._opening = threading.Lock(), asyncio.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._session: asyncssh.SFTPClient | None = None

    def run(self, work: Callable[[asyncssh.SFTPClient], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine over the session; an error or Ctrl-C here ends it there.

        Raises:
            Unreachable: the host can't be reached, does not let us in, or is not the one that is known.
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
                    self._connection.abort()  # It may not have noticed yet; the next call makes it anew.
                raise
            finally:
                ended.set()

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                # Whoever waits for a request is told its error; those of a lost link that nobody awaits print nothing.
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
        """Return what a line prints in the host's shell; empty where it fails, or there is none."""
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
    """A host key that is not trusted: whose, what ``ssh`` shows of it, and if another one is known for that host."""

    def __init__(self, name: str, shown: str, known: bool) -> None:
        super().__init__(name)
        self.name, self.shown, self.known = name, shown, known


def _configured(
    name: str, user: str | None, port: int | None
) -> tuple[dict[str, Any], asyncssh.SSHClientConnectionOptions]:
    """Read the user's OpenSSH configuration for a host: what asyncssh is given, and what it makes of that."""
    given: dict[str, Any] = {"username": user} if user else {}
    given |= {"port": port} if port else {}
    files = map(os.path.expanduser, ("~/.ssh/config", "/etc/ssh/ssh_config"))
    given["config"] = [path for path in files if os.access(path, os.R_OK)]
    options = asyncssh.SSHClientConnectionOptions(host=name, client_keys=None, **given)
    if isinstance(keys := options.config.get("IdentityFile"), list):
        # One that is not there is no error to OpenSSH.
        there = [key for key in keys if os.path.isfile(os.path.expanduser(key))]
        given |= {"client_keys": there, "ignore_encrypted": True}
    return given, options


async def connect(
    name: str, user: str | None, port: int | None, tunnel: asyncssh.SSHClientConnection | None = None
) -> asyncssh.SSHClientConnection:
    """Connect to a host over its jump hosts, whose keys asyncssh by itself would check by other rules.

    Args:
        user: where None, OpenSSH's configuration decides; likewise ``port``.
        tunnel: the jump host before it, where that is reached already.
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
    # What the user's configuration asks for a shell of his own.
    given |= {"command": None, "request_pty": False, "agent_forwarding": False, "x11_forwarding": False}
    try:
        made = await asyncssh.connect(name, **given)
    except asyncssh.HostKeyNotVerifiable:
        raise wrong[-1] if wrong else WrongKey(name, "by a certificate", False) from None
    made.set_tunnel(tunnel)
    return made


def _known_hosts(*paths: str) -> asyncssh.SSHKnownHosts:
    """Read the files that are there; a line that is none is passed over, as OpenSSH does."""
    known = asyncssh.SSHKnownHosts()
    for path in map(os.path.expanduser, paths):
        with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                with contextlib.suppress(ValueError):
                    known.load(line)
    return known


async def entries(sftp: asyncssh.SFTPClient, folder: str) -> dict[str, asyncssh.SFTPAttrs]:
    """What is in a folder, by name; nothing where it is not there (any more)."""
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
    """Return what a path is; None where nothing is there."""
    with contextlib.suppress(asyncssh.SFTPNoSuchFile):
        return await within(sftp.stat(path, follow_symlinks=False))
    return None


async def pieces(file: asyncssh.SFTPClientFile, size: int) -> AsyncIterator[bytes]:
    """A file's content in order, the next piece under way already."""
    starts, under_way = iter(range(0, size, PIECE)), list[asyncio.Task[bytes]]()
    while True:
        while len(under_way) < PIECES and (start := next(starts, None)) is not None:
            under_way.append(asyncio.create_task(within(file.read(min(PIECE, size - start), start))))
        if not under_way:
            return
        yield await under_way.pop(0)


async def fill(file: asyncssh.SFTPClientFile, content: BinaryIO) -> None:
    """Write all of a content, several pieces under way."""

    async def write() -> None:
        while start := (content.tell(), content.read(PIECE)):
            if not start[1]:
                return
            await within(file.write(start[1], start[0]))

    await asyncio.gather(*(write() for _ in range(PIECES)))


async def create(sftp: asyncssh.SFTPClient, path: str) -> asyncssh.SFTPClientFile:
    """Open a new file for writing, and make its folder where it is missing; another may remove it once it is empty."""
    for _ in range(3):
        with contextlib.suppress(asyncssh.SFTPNoSuchFile):
            return await within(sftp.open(path, "xb", _FILE))
        await within(sftp.makedirs(path.rpartition("/")[0], FOLDER, exist_ok=True))
    return await within(sftp.open(path, "xb", _FILE))


async def replace(sftp: asyncssh.SFTPClient, old: str, new: str) -> None:
    """Rename a file, also over another one."""
    try:
        await within(sftp.posix_rename(old, new))
    except asyncssh.SFTPOpUnsupported:
        await remove(sftp, [new])
        await within(sftp.rename(old, new))


async def remove(sftp: asyncssh.SFTPClient, paths: Iterable[str]) -> None:
    """Remove files; one that is gone is no error."""
    for path in paths:
        with contextlib.suppress(asyncssh.SFTPNoSuchFile):
            await within(sftp.remove(path))
