"""A store in a folder on a host behind SSH.

A file is written under a hidden name in the same folder, synced, and renamed. So incomplete files are never listed.

**Versions.** ``swap`` writes numbered versions of a file, as ``.journal.jsonl.v/12``; the highest number is current. A
hard link creates the next version atomically, and fails if the number exists. So of two writers that know the same
version, one succeeds. The last ``RECENT`` versions are retained. A writer that finds a version higher by ``RECENT`` or
more was too late: its number had existed and was removed. A lower distance means that a later writer has followed.
``journal.jsonl`` is a copy for other readers of the folder, and the only version in a store of an older release.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import io
import re
import shlex
import threading
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Concatenate, ParamSpec, TypeVar

from asyncssh import FILEXFER_TYPE_DIRECTORY as DIRECTORY
from asyncssh import FILEXFER_TYPE_REGULAR as REGULAR
from asyncssh import SFTPAttrs, SFTPClient, SFTPClientFile, SFTPError, SFTPFailure, SFTPNoSuchFile, SFTPOpUnsupported
from asyncssh import SFTPPermissionDenied as Denied

from ops.core.errors import Unreachable
from ops.core.files import arriving
from ops.infra.stores.base import Changed, Kept
from ops.infra.stores.sftp import (
    FOLDER,
    Link,
    about_of,
    create,
    entries,
    fill,
    is_lost,
    pieces,
    remove,
    replace,
    within,
)
from ops.infra.transport.ssh import host_of, typed
from ops.inventory.targets import Connection

P = ParamSpec("P")
T = TypeVar("T")
ADDRESS = re.compile(r"ssh://(?:([^@/]+)@)?(\[[^\]]+\]|[^@:/]+)(?::(\d+))?/(.+)")
# The number of versions that are retained.
RECENT = 8
# The prefix of files that are being written or were left by an interruption; the name of a folder of versions.
OURS, VERSIONS = ".generalprobe-", re.compile(r"\.(.+)\.v")
# Seconds: age of a hidden file after which it is abandoned; timeout of a quick command.
FORGOTTEN, QUICK = 24 * 3600, 10
# Bytes: free space of a full disk; size of a file above which the free space is checked first. Number of folders that
# are listed in parallel.
FULL, LARGE, FOLDERS = 1 << 20, 8 << 20, 64
# Programs that print a checksum, and the checksum of empty input, to test a program.
SUMS, OF_NOTHING = ("sha256sum", "shasum -a 256"), hashlib.sha256().hexdigest()


def _served(
    work: Callable[Concatenate[SshStore, SFTPClient, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[SshStore, P], T]:
    """Run a coroutine with the store's session, and translate errors into one line with the key."""

    @functools.wraps(work)
    def call(self: SshStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._said(str(args[0] if args else "")):
            return self._link.run(lambda sftp: work(self, sftp, *args, **kwargs))

    return call


class SshStore:
    """One folder on one host.

    Args:
        url: ``ssh://[user@]host[:port]/absolute/folder``, or ``…/~/folder`` in the user's home; the folder is created
            if missing.
        environ: unused; the credentials are in ``~/.ssh``.
    """

    def __init__(self, url: str, environ: Mapping[str, str] | None = None) -> None:
        found = ADDRESS.fullmatch(url)
        assert found, url
        user, name, port, folder = found.groups()
        given = {"ansible_host": name.strip("[]"), "ansible_user": user, "ansible_port": int(port) if port else None}
        connection = Connection.model_validate({key: value for key, value in given.items() if value})
        host = host_of(url, connection)
        assert host
        self.url, self.host = url, host
        self.root = folder[2:].strip("/") if folder.startswith("~/") else f"/{folder.strip('/')}"
        self._link = Link(host, connection)
        self._lock = threading.Lock()
        self._old: set[str] = set()
        self._sums: str | None = None

    @_served
    async def listed(self, sftp: SFTPClient, prefix: str) -> dict[str, Kept]:
        """Return every file below a folder by its key, without hidden files."""
        found, hidden, level = dict[str, Kept](), dict[str, int](), [self._path(prefix)]
        while level:
            some, level = level[:FOLDERS], level[FOLDERS:]
            for folder, inside in zip(some, await asyncio.gather(*(entries(sftp, one) for one in some)), strict=True):
                level += _sort(folder, inside, found, hidden)
        before = min(max((one.at.timestamp() for one in found.values()), default=0), time.time()) - FORGOTTEN
        with self._lock:
            # The host's clock may be wrong, so the file must also be older than the newest file of the store.
            self._old |= {path for path, at in hidden.items() if f"/{OURS}" in path and at < before}
        return {path.removeprefix(f"{self.root}/"): kept for path, kept in found.items()}

    @_served
    async def put(self, sftp: SFTPClient, key: str, path: Path) -> str:
        """Upload a file under a hidden name, then rename it."""
        file = self._path(key)

        async def name(sent: str, about: SFTPAttrs) -> str:
            old, numbers = await asyncio.gather(about_of(sftp, file), _numbers(sftp, file))
            if old and (about.mtime or 0) <= (old.mtime or 0):
                # SFTP times are whole seconds; time and size together must identify the content.
                about.mtime = (old.mtime or 0) + 1
                await sftp.utime(sent, (about.mtime, about.mtime))
            await replace(sftp, sent, file)
            await remove(sftp, (_version(file, number) for number in sorted(numbers)))
            return _tag(about)

        with path.open("rb") as content:
            return await self._send(sftp, key, content, path.stat().st_size, name)

    @_served
    async def copy(self, sftp: SFTPClient, source: str, key: str) -> str:
        """Link a file under another key; return its tag."""
        file = self._path(key)
        await within(sftp.makedirs(file.rpartition("/")[0], exist_ok=True))
        await remove(sftp, [file])
        await within(sftp.link(self._path(source), file))
        return _tag(await within(sftp.stat(file)))

    @_served
    async def swap(self, sftp: SFTPClient, key: str, content: bytes, tag: str) -> str:
        """Create the next version of a small file; only one writer succeeds."""
        file, number = self._path(key), int(tag.partition("v")[2] or 0) + 1

        async def name(sent: str, about: SFTPAttrs) -> str:
            old, there = await self._read(sftp, file)
            if there == content and old != tag and old:
                return old  # The answer of an earlier attempt was lost.
            numbers = await _claim(sftp, sent, file, number) if old == tag else []
            newest = max(numbers, default=0)
            if not number <= newest < number + RECENT:
                raise Changed(f"{self.url}/{key}: was changed by another process")
            if newest == number:
                with contextlib.suppress(SFTPNoSuchFile):  # If the claim has renamed it.
                    await replace(sftp, sent, file)
            await remove(sftp, (_version(file, one) for one in numbers if one <= number - RECENT))
            return _tag(about, number)

        return await self._send(sftp, key, io.BytesIO(content), len(content), name)

    @_served
    async def tag(self, sftp: SFTPClient, key: str) -> str:
        """Return a file's tag; empty if the file does not exist."""
        return (await self._read(sftp, self._path(key)))[0]

    @_served
    async def read(self, sftp: SFTPClient, key: str) -> tuple[bytes, str]:
        """Return the content and the tag of a small file.

        Raises:
            Unreachable: the file does not exist, or the host does not answer.
        """
        tag, content = await self._read(sftp, self._path(key))
        if not tag:
            raise SFTPNoSuchFile(key)
        return content, tag

    @_served
    async def get(self, sftp: SFTPClient, key: str, path: Path, size: int) -> None:
        """Download a file in pieces into a temporary file, and rename the file."""
        async with _opened(sftp, self._path(key)) as (file, about, _):
            if about.size != size:
                raise Unreachable(f"{self.url}/{key}: has {about.size:,} bytes, not {size:,}", "repeat the command")
            with arriving(path) as local:
                async for piece in pieces(file, size):
                    local.write(piece)

    @_served
    async def sha256(self, sftp: SFTPClient, key: str, size: int) -> str:
        """Return a file's sha256 in hex, by a program of the host if available, else by reading the file."""
        path, digest = self._path(key), hashlib.sha256()
        if self._sums is None:
            works = [sums for sums in SUMS if (await self._link.ask(f"{sums} < /dev/null", QUICK))[:64] == OF_NOTHING]
            self._sums = works[0] if works else ""
        newest = shlex.quote(_shell(_version(path, max(await _numbers(sftp, path), default=0))))
        said = (await self._link.ask(f"{self._sums} < {newest}", None))[:64] if self._sums else ""
        if re.fullmatch("[0-9a-f]{64}", said):
            return said
        async with _opened(sftp, path) as (file, about, _):
            async for piece in pieces(file, about.size or 0):
                digest.update(piece)
        return digest.hexdigest()

    def delete(self, keys: Iterable[str]) -> None:
        """Remove files in order, and then empty folders; a missing file is no error."""
        folders = set()
        for key in keys:
            self._delete(key)
            folders.add(self._path(key).rpartition("/")[0])
        self._tidy("", folders)

    @_served
    async def _delete(self, sftp: SFTPClient, key: str) -> None:
        file = self._path(key)
        numbers = await _numbers(sftp, file)
        await remove(sftp, [file, *(_version(file, number) for number in sorted(numbers))])
        if numbers:
            await within(sftp.rmdir(_version(file, 1).rpartition("/")[0]))

    @_served
    async def _tidy(self, sftp: SFTPClient, _: str, folders: set[str]) -> None:
        for folder in folders:
            with contextlib.suppress(SFTPError):
                while folder.count("/") > self.root.count("/") + 1:
                    await within(sftp.rmdir(folder))
                    folder = folder.rpartition("/")[0]
        await self._sweep(sftp)

    @_served
    async def free(self, sftp: SFTPClient) -> int | None:
        """Return the free disk space in bytes; None if unknown."""
        folder, top = self.root, "/" if self.root.startswith("/") else "."
        while await about_of(sftp, folder) is None and folder != top:
            folder = folder.rpartition("/")[0] or top
        return (await self._room(sftp, folder))[0]

    async def _send(
        self,
        sftp: SFTPClient,
        key: str,
        content: BinaryIO,
        size: int,
        name: Callable[[str, SFTPAttrs], Awaitable[str]],
    ) -> str:
        """Write a file under a hidden name, sync it, and call ``name`` to rename it; return its tag."""
        folder = self._path(key).rpartition("/")[0]
        sent, gone = f"{folder}/{OURS}{uuid.uuid4().hex}", False
        try:
            async with await create(sftp, sent) as file:
                free = (await self._room(sftp, folder))[0] if size > LARGE else None
                if free is not None and free < size:
                    raise self._full(key, f"not enough disk space: {free:,} bytes free, {size:,} needed")
                await fill(file, content)
                with contextlib.suppress(SFTPOpUnsupported):
                    await within(file.fsync())
                about = await within(file.stat())
                if about.size != content.tell():
                    raise SFTPFailure("the host did not write all data")
            return await within(name(sent, about))
        except SFTPError as error:
            gone = is_lost(error)
            if gone or isinstance(error, SFTPNoSuchFile | Denied):
                raise
            free, files = await self._room(sftp, folder)
            if not files:
                raise self._full(key, "the disk has no free inodes") from None
            if free is not None and free < FULL:
                raise self._full(key, f"the disk is full: {free:,} bytes free") from None
            raise
        finally:
            if not gone:
                await remove(sftp, [sent])
                await self._sweep(sftp)

    async def _read(self, sftp: SFTPClient, path: str) -> tuple[str, bytes]:
        """Return the tag and the content of a small file's newest version; both empty if the file does not exist."""
        with contextlib.suppress(SFTPNoSuchFile):
            async with _opened(sftp, path) as (file, about, number):
                return _tag(about, number), await within(file.read())
        return "", b""

    async def _room(self, sftp: SFTPClient, folder: str) -> tuple[int | None, bool]:
        """Return the free bytes of a folder's disk (None if unknown), and False if the disk has no free inodes."""
        with contextlib.suppress(SFTPError):
            found = await within(sftp.statvfs(folder))
            return found.bavail * found.frsize, not found.files or found.favail > 0
        words = (await self._link.ask(f"df -Pk {shlex.quote(_shell(folder))}", QUICK)).split("\n")[-2:-1]
        told = re.search(r"\s\d+\s+-?\d+\s+(-?\d+)\s+\d+%", words[0]) if words else None
        return int(told[1]) * 1024 if told else None, True

    async def _sweep(self, sftp: SFTPClient) -> None:
        """Remove the files that interrupted uploads have left."""
        with self._lock:
            old, self._old = self._old, set()
        await remove(sftp, old)

    def _path(self, key: str) -> str:
        return f"{self.root}/{key}".rstrip("/")

    @contextlib.contextmanager
    def _said(self, key: str) -> Iterator[None]:
        where, look = f"{self.url}/{key}".rstrip("/"), f"{typed(self.host)} ls -ld {shlex.quote(_shell(self.root))}"
        try:
            yield
        except SFTPNoSuchFile:
            raise Unreachable(f"{where}: does not exist in the store", "inv backups") from None
        except Denied:
            raise Unreachable(f"{where}: permission denied", look) from None
        except Exception as error:
            if is_lost(error):
                raise Unreachable(f"{self.url}: the connection was lost", f"{typed(self.host)} true") from None
            if isinstance(error, SFTPError):
                raise Unreachable(f"{where}: the host reports: {error.reason}", look) from None
            raise

    def _full(self, key: str, said: str) -> Unreachable:
        where = f"{typed(self.host)} df -h {shlex.quote(_shell(self.root))}"
        return Unreachable(f"{self.url}/{key}: {said}", f"free disk space on the host: {where}")


def _sort(folder: str, entries: dict[str, SFTPAttrs], found: dict[str, Kept], hidden: dict[str, int]) -> list[str]:
    """Add a folder's files to ``found``, and its hidden files to ``hidden``; return its subfolders."""
    if versions := VERSIONS.fullmatch(folder.rpartition("/")[2]):
        if last := max(filter(str.isdigit, entries), key=int, default=""):
            found[f"{folder.rpartition('/')[0]}/{versions[1]}"] = _kept(entries[last], int(last))
        return []
    plain = {name: about for name, about in entries.items() if name[0] != "."}
    found |= {f"{folder}/{name}": _kept(about) for name, about in plain.items() if about.type == REGULAR}
    hidden |= {f"{folder}/{name}": about.mtime or 0 for name, about in entries.items() if name not in plain}
    return [
        f"{folder}/{name}"
        for name, about in entries.items()
        if about.type == DIRECTORY and (name in plain or VERSIONS.fullmatch(name))
    ]


def _kept(about: SFTPAttrs, number: int = 0) -> Kept:
    return Kept(about.size or 0, _tag(about, number), datetime.fromtimestamp(about.mtime or 0, UTC))


def _tag(about: SFTPAttrs, number: int = 0) -> str:
    return f"{about.mtime or 0:x}-{about.size or 0:x}" + (f"-v{number}" if number else "")


def _shell(path: str) -> str:
    """Return a path that the host's shell cannot take for an option."""
    return path if path.startswith("/") else f"./{path}"


def _version(path: str, number: int) -> str:
    """Return the path of a file's version; version 0 is the file itself."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.v/{number}" if number else path


async def _numbers(sftp: SFTPClient, path: str) -> list[int]:
    return [int(name) for name in await entries(sftp, _version(path, 1).rpartition("/")[0]) if name.isdigit()]


@contextlib.asynccontextmanager
async def _opened(sftp: SFTPClient, path: str) -> AsyncIterator[tuple[SFTPClientFile, SFTPAttrs, int]]:
    """Open the newest version of a file; yield the file, its attributes and the number of the version."""
    number, before = max(await _numbers(sftp, path), default=0), -1
    while True:
        try:
            file = await within(sftp.open(_version(path, number), "rb"))
            break
        except SFTPNoSuchFile:
            # Another writer may have created a newer version meanwhile.
            number, before = max(await _numbers(sftp, path), default=0), number
            if number == before:
                raise
    async with file:
        yield file, await within(file.stat()), number


async def _claim(sftp: SFTPClient, sent: str, path: str, number: int) -> list[int]:
    """Create a file's version if its number does not exist; return the numbers that exist then, or [] if it existed."""
    version = _version(path, number)
    await sftp.makedirs(version.rpartition("/")[0], FOLDER, exist_ok=True)
    try:
        await sftp.link(sent, version)
    except SFTPError as error:
        if is_lost(error):
            raise
        if await about_of(sftp, version):
            return []
        await sftp.rename(sent, version)  # The file system has no links; rename never replaces a file.
    return await _numbers(sftp, path)
