"""A folder on a host behind SSH that keeps backups and runs, as an object store does.

It is reached over SFTP, by the connection of ``ops.ssh``. A file is written under a hidden name in its own folder,
synced, and renamed, so nothing half-written is ever listed. What takes another file's place does so under a lock, and
is always the later one by its time, so time and size together name a file's content.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import shlex
import stat
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paramiko

from ops.command import quote
from ops.errors import Unreachable
from ops.files import arriving
from ops.inventory import Connection
from ops.sftp import BLOCK, Answer, Client, Sessions, lost
from ops.sftp_lock import OURS, Held, locked
from ops.ssh import Ssh, host_of
from ops.store import AT_ONCE, Changed, Kept

ADDRESS = re.compile(r"ssh://(?:([^@/]+)@)?(\[[^\]]+\]|[^@:/]+)(?::(\d+))?/(.+)")
# Seconds: after which a hidden file of ours is nobody's who is still at it; for an answer that takes the host no time.
FORGOTTEN, QUICK = 24 * 3600, 10
# Bytes: what a full disk may have left; from what size on it is asked before a file is sent.
FULL, LARGE = 1 << 20, 8 << 20
# What tells a file's sum there, and the sum of nothing, by which that is known to work.
SUMS, OF_NOTHING = ("sha256sum", "shasum -a 256"), hashlib.sha256().hexdigest()



@dataclass(frozen=True)
class Version:
    """What was written to become a file: its hidden name beside it, the name that it is to get, and what was seen of
    both when all of it was there."""

    path: str
    file: str
    about: Any
    there: Any


# Gives a version its name, and gives its tag.
Name = Callable[[Client, Version], str]


class SshStore:
    """One folder on one host.

    Args:
        url: ``ssh://[user@]host[:port]/absolute/folder``, or ``…/~/folder`` in that user's home; the folder is made
            where it is missing.
    """

    def __init__(self, url: str) -> None:
        found = ADDRESS.fullmatch(url)
        assert found, url
        user, name, port, folder = found.groups()
        given = {"ansible_host": name.strip("[]"), "ansible_user": user, "ansible_port": int(port) if port else None}
        connection = Connection.model_validate({key: value for key, value in given.items() if value})
        host = host_of(url, connection)
        assert host
        self.url, self.host = url, host
        self.root = folder[2:].strip("/") if folder.startswith("~/") else f"/{folder.strip('/')}"
        self._ssh = Ssh(host, connection, Path())
        self._sessions = Sessions(self._ssh.transport, AT_ONCE)
        self._lock = threading.Lock()
        self._old: set[str] = set()
        self._sums: str | None = None

    def listed(self, prefix: str) -> dict[str, Kept]:
        """Every file below a folder, by its key; nothing is downloaded, and hidden files are passed over.

        Raises:
            Unreachable: the host does not answer, or does not let us.
        """
        found: dict[str, Any] = {}
        hidden: dict[str, int] = {}
        with self._session(prefix) as client:
            level = [self._path(prefix)]
            while level:
                deeper = []
                for folder, entries in client.folders(level):
                    for entry in entries:
                        path = f"{folder}/{entry.filename}"
                        if entry.filename.startswith("."):
                            hidden[path] = entry.st_mtime
                        elif stat.S_ISDIR(entry.st_mode):
                            deeper.append(path)
                        elif stat.S_ISREG(entry.st_mode):
                            found[path.removeprefix(f"{self.root}/")] = entry
                level = deeper
        self._note_old(hidden, max((entry.st_mtime for entry in found.values()), default=0))
        return {key: _kept(entry) for key, entry in found.items()}

    def put(self, key: str, path: Path) -> str:
        """Send a file whole; no part of it is seen before the last one is there.

        Returns:
            its tag.
        """

        with path.open("rb") as content:
            return self._send(key, content.read, path.stat().st_size, _name)

    @contextlib.contextmanager
    def growing(self, key: str) -> Iterator[Callable[[bytes], object]]:
        """Send what comes bit by bit: gives what takes the next bytes. It is seen once all of it is there."""
        out, into = os.pipe()
        given_up = threading.Event()

        def name(client: Client, version: Version) -> str:
            if given_up.is_set():
                raise Unreachable(f"{self.url}/{key}: was given up", "inv resume")
            return _name(client, version)

        def send() -> None:
            with open(out, "rb") as source:
                self._send(key, source.read, 0, name)

        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(send)
            # Where nobody reads any more, the sending itself says why.
            with contextlib.suppress(BrokenPipeError), open(into, "wb") as file:
                try:
                    yield file.write
                except Exception:
                    given_up.set()
                    raise
            sending.result()

    def tag(self, key: str) -> str:
        """A file's tag; empty where there is none."""
        with self._session(key) as client:
            about = client.about(self._path(key))
            return _tag(about) if about else ""

    def swap(self, key: str, content: bytes, tag: str) -> str:
        """Write a small file only where it is still the one that is known.

        Args:
            tag: its tag when it was read or written last; empty where there was none.

        Returns:
            its new tag.

        Raises:
            Changed: it is another one by now.
        """

        def name(client: Client, version: Version) -> str:
            with _locked(client, version) as lock:
                old = client.about(version.file)
                if (_tag(old) if old else "") == tag:
                    return _replace(client, version, old, lock)
                # An answer may have been lost: then it is what was written already.
                if old and b"".join(client.read(version.file)[1]) == content:
                    client.remove(version.path)
                    return _tag(old)
                raise Changed(f"{self.url}/{key}: was written by somebody else meanwhile")

        return self._send(key, io.BytesIO(content).read, len(content), name)

    def read(self, key: str) -> tuple[bytes, str]:
        """A small file and its tag.

        Raises:
            Unreachable: it is not there, or the host does not answer.
        """
        with self._session(key) as client:
            about, pieces = client.read(self._path(key))
            return b"".join(pieces), _tag(about)

    def get(self, key: str, path: Path, size: int) -> None:
        """Fetch a file into one that appears whole: under a temporary name, in pieces, many of them under way."""
        with self._session(key) as client:
            about, pieces = client.read(self._path(key))
            if about.st_size != size:
                raise Unreachable(f"{self.url}/{key}: has {about.st_size:,} bytes, not {size:,}", "the same again")
            with arriving(path) as file:
                file.writelines(pieces)

    def sha256(self, key: str, size: int) -> str:
        """A file's sha256 in hex, by a program there where there is one, else by reading it."""
        if found := self._sum(key):
            return found
        digest = hashlib.sha256()
        with self._session(key) as client:
            for piece in client.read(self._path(key))[1]:
                digest.update(piece)
        return digest.hexdigest()

    def delete(self, keys: Iterable[str]) -> None:
        """Remove files, one after the other, and the folders that are empty then; one that is gone is no error."""
        folders = set()
        for key in keys:
            with self._session(key) as client:
                folders.add(self._path(key).rpartition("/")[0])
                _remove(client, self._path(key))
        with self._session("") as client:
            for folder in folders:
                with contextlib.suppress(Answer):
                    while folder.count("/") > self.root.count("/") + 1:
                        client.rmdir(folder)
                        folder = folder.rpartition("/")[0]
            self._sweep(client)

    def free(self) -> int | None:
        """Bytes that its disk has left; None where the host does not tell."""
        with self._session("") as client:
            folder, top = self.root, "/" if self.root.startswith("/") else "."
            while client.about(folder) is None and folder != top:
                folder = folder.rpartition("/")[0] or top
            room = client.room(folder)
        return room.free if room else self._free(folder)

    def _send(self, key: str, read: Callable[[int], bytes], size: int, name: Name) -> str:
        """Write a version under a hidden name and sync it, and have it named."""
        file = self._path(key)
        folder = file.rpartition("/")[0]
        version = f"{folder}/{OURS}{uuid.uuid4().hex}"
        with self._said(key):
            try:
                with self._sessions.one() as client:
                    handle = _create(client, version)
                    room = client.room(folder) if size > LARGE else None
                    if room and room.free < size:
                        raise self._full(key, f"it has no room: {room.free:,} bytes free, {size:,} needed")
                    client.write(handle, iter(lambda: read(BLOCK), b""))
                    client.sync(handle)
                    tag = name(client, Version(version, file, *client.close_handle(handle, version, file)))
                    self._sweep(client)
                    return tag
            except BaseException as error:
                failed = isinstance(error, Answer) and not error.missing and not error.denied
                why = self._why_not(folder) if failed else ""
                if not lost(error):
                    with contextlib.suppress(Exception), self._sessions.one() as client:
                        client.remove(version)
                if why:
                    raise self._full(key, why) from None
                raise

    def _path(self, key: str) -> str:
        return f"{self.root}/{key}".rstrip("/")

    def _note_old(self, hidden: dict[str, int], newest: int) -> None:
        """Remember what uploads that were cut off have left; the next one removes it. The host's clock may be wrong,
        so it must be old by what else is there, too."""
        before = min(newest, time.time()) - FORGOTTEN
        old = {path for path, at in hidden.items() if path.rpartition("/")[2].startswith(OURS) and at < before}
        with self._lock:
            self._old |= old

    def _sweep(self, client: Client) -> None:
        with self._lock:
            old, self._old = self._old, set()
        for path in old:
            with contextlib.suppress(Answer):
                client.remove(path)

    def _why_not(self, folder: str) -> str:
        """Why the host took no file: it only says "Failure". Empty where its disk has room."""
        with contextlib.suppress(Exception):
            with self._sessions.one() as client:
                room = client.room(folder)
            if room and not room.files:
                return "its disk takes no more files (no inodes are left)"
            free = room.free if room else self._free(folder)
            return f"its disk is full: {free:,} bytes free" if free is not None and free < FULL else ""
        return ""

    def _free(self, folder: str) -> int | None:
        words = self._ask(f"df -Pk {_word(folder)}", QUICK).split("\n")[-2:-1]
        found = re.search(r"\s\d+\s+-?\d+\s+(-?\d+)\s+\d+%", words[0]) if words else None
        return int(found[1]) * 1024 if found else None

    def _sum(self, key: str) -> str:
        """A file's sum as a program there tells it; empty where there is none, or no shell."""
        if self._sums is None:
            works = (sums for sums in SUMS if self._ask(f"{sums} < /dev/null", QUICK)[:64] == OF_NOTHING)
            self._sums = next(works, "")
        said = self._ask(f"{self._sums} < {_word(self._path(key))}", None)[:64] if self._sums else ""
        return said if re.fullmatch("[0-9a-f]{64}", said) else ""

    def _ask(self, line: str, patience: float | None) -> str:
        """What a line prints in the host's shell; empty where it fails, or there is none."""
        said = b""
        try:
            channel = self._ssh.transport().open_session(timeout=QUICK)
            with contextlib.closing(channel):
                channel.settimeout(patience)
                channel.exec_command(line)
                channel.shutdown_write()
                while (more := channel.recv(4096)) and len(said) < 4096:
                    said += more
                return said.decode("utf-8", "replace") if channel.recv_exit_status() == 0 else ""
        except (paramiko.SSHException, OSError):
            return ""

    @contextlib.contextmanager
    def _session(self, key: str) -> Iterator[Client]:
        with self._said(key), self._sessions.one() as client:
            yield client

    @contextlib.contextmanager
    def _said(self, key: str) -> Iterator[None]:
        """What the host or the link says, as one line."""
        where, words = f"{self.url}/{key}".rstrip("/"), " ".join(map(quote, self.host.words))
        look = f"{words} ls -ld {_word(self.root)}"
        try:
            yield
        except Answer as answer:
            if answer.missing:
                raise Unreachable(f"{where}: is not in the store", "inv backups") from None
            if answer.denied:
                raise Unreachable(f"{where}: permission denied", look) from None
            raise Unreachable(f"{where}: the host says: {answer}", look) from None
        except Exception as error:
            if not lost(error):
                raise
            raise Unreachable(f"{self.url}: the link was lost", f"{words} true") from None

    def _full(self, key: str, said: str) -> Unreachable:
        words = " ".join(map(quote, self.host.words))
        return Unreachable(f"{self.url}/{key}: {said}", f"make room there: {words} df -h {_word(self.root)}")


def _kept(entry: Any) -> Kept:
    return Kept(entry.st_size, _tag(entry), datetime.fromtimestamp(entry.st_mtime, UTC))


def _tag(about: Any) -> str:
    return f"{about.st_mtime:x}-{about.st_size:x}"


def _word(path: str) -> str:
    """A path as a word of the host's shell, and no option."""
    return shlex.quote(path if path.startswith("/") else f"./{path}")


def _create(client: Client, path: str) -> bytes:
    """Open a new file for writing, and make its folder where it is missing; another may remove it once it is empty."""
    for _ in range(3):
        try:
            return client.create(path)
        except Answer as answer:
            if not answer.missing:
                raise
        client.make_folder(path.rpartition("/")[0])
    return client.create(path)


def _locked(client: Client, version: Version) -> contextlib.AbstractContextManager[Held]:
    return locked(client, version.file, version.path, version.about.st_mtime)


def _name(client: Client, version: Version) -> str:
    """Give a version its file's name, whatever had it."""
    if version.there is None:
        with contextlib.suppress(Answer):
            client.rename(version.path, version.file)  # Never over another one.
            return _tag(version.about)
    with _locked(client, version) as lock:
        return _replace(client, version, client.about(version.file), lock)


def _replace(client: Client, version: Version, old: Any, lock: Held) -> str:
    """Give a version its file's name; it is later than what had it, as times there are whole seconds."""
    about = version.about
    if old and about.st_mtime <= old.st_mtime:
        about = client.set_time(version.path, old.st_mtime + 1)
    lock.check()
    client.replace(version.path, version.file)
    return _tag(about)


def _remove(client: Client, path: str) -> None:
    try:
        client.remove(path)
    except Answer as answer:
        if not answer.missing:
            raise
