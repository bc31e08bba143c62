"""SFTP as a store needs it: paramiko's client, with many requests under way at once and no answer lost.

Paramiko's own pipelined file forgets what the server says to its last writes, so a disk that is full would go
unnoticed; here each answer is waited for. Memory is flat: at most ``WINDOW`` pieces are under way.
"""

from __future__ import annotations

import contextlib
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import paramiko
from paramiko import sftp
from paramiko.message import Message
from paramiko.sftp_attr import SFTPAttributes

# Bytes of a piece, which every server takes; pieces under way; folders that are listed at once.
BLOCK, WINDOW, FOLDERS = 32768, 64, 64
# Seconds: until an answer must come, as a server that syncs a large file may take long; until a session is open.
PATIENCE, OPENING = 300.0, 20.0
# Seconds within which a server has to notice that a session was closed.
CLOSES = 5.0
_NEW = 0x02 | 0x08 | 0x20  # Write, create, only where nothing is there.
_LOST = (paramiko.SSHException, EOFError, TimeoutError, ConnectionError)


def lost(error: BaseException) -> bool:
    """Whether the link is gone, or the host does not answer any more. An OSError with a number is of a file here."""
    return isinstance(error, _LOST) or (isinstance(error, OSError) and not error.errno)


class Answer(Exception):
    """The server's own refusal: ``code`` as SFTP numbers it, and its words."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code

    @property
    def missing(self) -> bool:
        """Whether there is no such file."""
        return bool(self.code == sftp.SFTP_NO_SUCH_FILE)

    @property
    def denied(self) -> bool:
        """Whether this user may not."""
        return bool(self.code == sftp.SFTP_PERMISSION_DENIED)


@dataclass(frozen=True)
class Room:
    """What a file system has left: bytes, and whether it takes another file."""

    free: int
    files: bool


class Client(paramiko.SFTPClient):  # type: ignore[misc]
    """One SFTP session; for one thread at a time."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self.extensions: set[str] = set()
        channel.settimeout(PATIENCE)
        super().__init__(channel)

    @property
    def lives(self) -> bool:
        """Whether it can still be used."""
        return bool(not self.sock.closed and self.sock.get_transport().is_active())

    def about(self, path: str) -> SFTPAttributes | None:
        """Size and times of a file; None where there is none."""
        try:
            return self.stat(path)
        except Answer as answer:
            if answer.missing:
                return None
            raise

    def create(self, path: str) -> bytes:
        """Open a new file for writing, 0600; gives its handle.

        Raises:
            Answer: one is there already, or it can't be made.
        """
        private = SFTPAttributes()
        private.st_mode = 0o600
        return bytes(self._request(sftp.CMD_OPEN, path, _NEW, private)[1].get_string())

    def write(self, handle: bytes, pieces: Iterable[bytes], *, close: bool = False) -> None:
        """Write from the start on, to the end; each piece was taken when this returns.

        Args:
            pieces: each at most ``BLOCK`` bytes.
            close: close the file on the same way.
        """
        flight, under_way, at = _Flight(self), deque[int](), 0
        for piece in pieces:
            if len(under_way) >= WINDOW:
                flight.answer(under_way.popleft())
            under_way.append(flight.ask(sftp.CMD_WRITE, handle, sftp.int64(at), piece))
            at += len(piece)
        if close:
            under_way.append(flight.ask(sftp.CMD_CLOSE, handle))
        for number in under_way:
            flight.answer(number)

    def read(self, path: str) -> tuple[SFTPAttributes, Iterator[bytes]]:
        """What a file is, and its content in pieces, as both were when it was opened.

        Raises:
            Answer: there is none, or it may not be read.
        """
        handle = bytes(self._request(sftp.CMD_OPEN, path, 0x01, SFTPAttributes())[1].get_string())
        about = SFTPAttributes._from_msg(self._request(sftp.CMD_FSTAT, handle)[1])
        return about, self._pieces(handle, about.st_size or 0)

    def _pieces(self, handle: bytes, size: int) -> Iterator[bytes]:
        flight, under_way, at = _Flight(self), deque[tuple[int, int, int]](), 0
        while at < size or under_way:
            while at < size and len(under_way) < WINDOW:
                length = min(BLOCK, size - at)
                under_way.append((flight.ask(sftp.CMD_READ, handle, sftp.int64(at), length), at, length))
                at += length
            number, start, length = under_way.popleft()
            piece = bytes(flight.answer(number)[1].get_string())
            while len(piece) < length:  # A server may give less than was asked for.
                given = (handle, sftp.int64(start + len(piece)), length - len(piece))
                piece += bytes(flight.answer(flight.ask(sftp.CMD_READ, *given))[1].get_string())
            yield piece
        self.close_handle(handle)

    def sync(self, handle: bytes) -> None:
        """Have the server bring a file to its disk, where it can."""
        if "fsync@openssh.com" in self.extensions:
            self._request(sftp.CMD_EXTENDED, "fsync@openssh.com", handle)

    def close_handle(self, handle: bytes, *paths: str) -> list[SFTPAttributes | None]:
        """Close a file, and say on the same way of files what ``about`` does."""
        flight = _Flight(self)
        asked = [flight.ask(sftp.CMD_CLOSE, handle), *(flight.ask(sftp.CMD_STAT, path) for path in paths)]
        flight.answer(asked[0])
        found: list[SFTPAttributes | None] = []
        for number in asked[1:]:
            found.append(None)
            with contextlib.suppress(_Missing):
                found[-1] = SFTPAttributes._from_msg(flight.found(number)[1])
        return found

    def set_time(self, path: str, seconds: int) -> SFTPAttributes:
        """Set when a file was written; gives what it is then."""
        times = SFTPAttributes()
        times.st_atime = times.st_mtime = seconds
        flight = _Flight(self)
        asked = (flight.ask(sftp.CMD_SETSTAT, path, times), flight.ask(sftp.CMD_STAT, path))
        flight.answer(asked[0])
        return SFTPAttributes._from_msg(flight.answer(asked[1])[1])

    def replace(self, old: str, new: str) -> None:
        """Rename a file, also over another one."""
        if "posix-rename@openssh.com" in self.extensions:
            self.posix_rename(old, new)
            return
        aside = f"{old}.aside"
        self.rename(new, aside)
        self.rename(old, new)
        self.remove(aside)

    def room(self, path: str) -> Room | None:
        """What the file system of a folder has left; None where the server does not tell."""
        if "statvfs@openssh.com" not in self.extensions:
            return None
        message = self._request(sftp.CMD_EXTENDED, "statvfs@openssh.com", path)[1]
        _, unit, _, _, free, files, _, files_free, *_ = (message.get_int64() for _ in range(11))
        return Room(unit * free, not files or files_free > 0)

    def make_folder(self, path: str) -> None:
        """Make a folder and its missing parents, each 0700."""
        try:
            self.mkdir(path, 0o700)
        except Answer as answer:
            parent = path.rpartition("/")[0]
            if answer.missing and parent:
                self.make_folder(parent)
                self.make_folder(path)
            elif answer.denied or self.about(path) is None:
                raise

    def folders(self, paths: Sequence[str]) -> Iterator[tuple[str, list[SFTPAttributes]]]:
        """What is in folders, many asked at once; one that is not there (any more) is left out."""
        for start in range(0, len(paths), FOLDERS):
            flight = _Flight(self)
            opened = [(path, flight.ask(sftp.CMD_OPENDIR, path)) for path in paths[start : start + FOLDERS]]
            handles = []
            for path, number in opened:
                with contextlib.suppress(_Missing):
                    handles.append((path, bytes(flight.found(number)[1].get_string())))
            # Twice: most folders are told in one answer, and the next one only says that this was all.
            twice = [deque(flight.ask(sftp.CMD_READDIR, handle) for _ in range(2)) for _, handle in handles]
            for (path, handle), numbers in zip(handles, twice, strict=True):
                entries = (self._whole(path, one) for one in self._entries(flight, handle, numbers))
                yield path, [one for one in entries if one is not None]
                self._async_request(type(None), sftp.CMD_CLOSE, handle)

    def _entries(self, flight: _Flight, handle: bytes, numbers: deque[int]) -> Iterator[SFTPAttributes]:
        while True:
            try:
                message = flight.answer(numbers.popleft())[1]
            except EOFError:
                return
            except Answer as answer:
                # A server may look only now whether the folder is there.
                if answer.missing:
                    return
                raise
            if not numbers:
                numbers.append(flight.ask(sftp.CMD_READDIR, handle))
            for _ in range(message.get_int()):
                name = message.get_string().decode("utf-8", "replace")
                entry = SFTPAttributes._from_msg(message, name, message.get_string())
                if name not in (".", ".."):
                    yield entry

    def _whole(self, folder: str, entry: SFTPAttributes) -> SFTPAttributes | None:
        """An entry of a folder, asked for by itself where the server told it without size, time and kind; None where it
        is gone by then."""
        if None not in (entry.st_mode, entry.st_size, entry.st_mtime):
            return entry
        try:
            found = self.lstat(f"{folder}/{entry.filename}")
        except Answer as answer:
            if answer.missing:
                return None
            raise
        found.filename = entry.filename
        return found

    def _send_version(self) -> int:
        """As paramiko's own, which passes over what the server can do more."""
        message = Message()
        message.add_int(3)
        self._send_packet(sftp.CMD_INIT, message)
        kind, data = self._read_packet()
        if kind != sftp.CMD_VERSION:
            raise paramiko.SSHException("no SFTP is spoken there")
        told = Message(data[4:])
        while told.get_remainder():
            self.extensions.add(told.get_string().decode("utf-8", "replace"))
            told.get_string()
        return int(struct.unpack(">I", data[:4])[0])

    def _convert_status(self, message: Message) -> None:
        code, text = message.get_int(), message.get_string().decode("utf-8", "replace")
        if code == sftp.SFTP_EOF:
            raise EOFError(text)
        if code != sftp.SFTP_OK:
            raise Answer(code, text)


class _Refused(Exception):
    """The server lets no more sessions in."""


class _Missing(Exception):
    """There is no such folder."""


class _Flight:
    """Requests that are under way in one session, answered in whatever order the server likes."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._answers: dict[int, tuple[int, Message]] = {}

    def ask(self, kind: int, *words: Any) -> int:
        """Send a request; gives its number."""
        return int(self.client._async_request(self, kind, *words))

    def answer(self, number: int) -> tuple[int, Message]:
        """Wait for the answer to one; raises where it is a refusal."""
        while number not in self._answers:
            self.client._read_response()
        kind, message = self._answers.pop(number)
        if kind == sftp.CMD_STATUS:
            self.client._convert_status(message)
        return kind, message

    def found(self, number: int) -> tuple[int, Message]:
        """The same for something that may not be there."""
        try:
            return self.answer(number)
        except Answer as answer:
            if answer.missing:
                raise _Missing from None
            raise

    def _async_response(self, kind: int, message: Message, number: int) -> None:
        """Paramiko calls this for each answer that is read."""
        self._answers[number] = (kind, message)


class Sessions:
    """The SFTP sessions of one connection, used again, each by one thread at a time.

    Args:
        transport: gives the link, made anew where it was lost.
        most: how many at once; fewer where the server allows fewer.
    """

    def __init__(self, transport: Callable[[], paramiko.Transport], most: int) -> None:
        self._transport, self._most = transport, most
        self._idle: list[Client] = []
        self._busy = 0
        self._changed, self._opening = threading.Condition(), threading.Lock()

    @contextlib.contextmanager
    def one(self) -> Iterator[Client]:
        """A session; after an error it is not used again, as answers may still be under way."""
        client = self._take()
        try:
            yield client
        except BaseException as error:
            if lost(error):
                client.sock.get_transport().close()  # It may not have noticed yet; the next one makes it anew.
            client.sock.close()
            self._give()
            raise
        self._give(client)

    def _take(self) -> Client:
        patience = time.monotonic() + CLOSES
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._busy < self._most)
                self._idle = [client for client in self._idle if client.lives]
                self._busy += 1
                if self._idle:
                    return self._idle.pop()
            try:
                with self._opening:  # Paramiko mixes up the refusals of two.
                    return self._open()
            except _Refused:
                self._give()
                with self._changed:
                    alone = not self._busy and not self._idle
                    self._most = max(1, self._busy)
                # One that was closed after an error may still count there.
                if alone and time.monotonic() > patience:
                    raise Answer(sftp.SFTP_FAILURE, "its sshd lets no session in (MaxSessions)") from None
                if alone:
                    time.sleep(0.1)
            except BaseException:
                self._give()
                raise

    def _give(self, client: Client | None = None) -> None:
        with self._changed:
            self._busy -= 1
            self._idle += [client] if client else []
            self._changed.notify_all()

    def _open(self) -> Client:
        transport = self._transport()
        try:
            channel = transport.open_session(timeout=OPENING)
        except paramiko.SSHException:
            if not transport.is_active():
                raise
            raise _Refused from None
        try:
            channel.invoke_subsystem("sftp")
            return Client(channel)
        except (paramiko.SSHException, EOFError):
            channel.close()
            if not transport.is_active():
                raise
            raise Answer(sftp.SFTP_OP_UNSUPPORTED, "its sshd offers no SFTP") from None
