"""Lines to a server that can be cut, or fall silent, while what is sent over them is counted."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Line:
    """A line to a server: it passes bytes on, until there were too many of them, or it is cut.

    Args:
        port: where it begins, on 127.0.0.1.
        there: the server's port.
        limit: how many bytes it passes on to the server before it is cut; -1: all.
        back: how many it still passes back before it is cut; -1: all.
        mute: whoever comes is let in, and hears nothing.
    """

    port: int
    there: int
    limit: int = -1
    back: int = -1
    cut: bool = False
    mute: bool = False
    passed: int = 0
    sockets: list[socket.socket] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def sever(self) -> None:
        """Cut it, and what is under way."""
        with self.lock:
            self.cut = True
            # Not those of whoever comes again as soon as the first one is closed.
            gone, self.sockets = self.sockets, []
            for one in gone:
                _close(one)

    def mend(self) -> None:
        """Let everybody in again."""
        with self.lock:
            self.limit, self.back, self.cut, self.mute = -1, -1, False, False

    def carry(self, source: socket.socket, to: socket.socket, there: bool) -> None:
        try:
            while not self.cut and (content := source.recv(1 << 18)):
                # Whoever mends it does so after all who cut it.
                with self.lock:
                    if self.too_much(len(content), there):
                        return self.sever()
                to.sendall(content)
        except OSError:
            pass
        finally:
            for one in (source, to):
                _close(one)

    def too_much(self, size: int, there: bool) -> bool:
        """Count bytes on their way there, or back; say whether they are too many."""
        if there:
            self.passed += size
            return 0 <= self.limit < self.passed
        if self.back < 0:
            return False
        self.back -= size
        return self.back < 0

    def join(self, here: socket.socket) -> None:
        """Pass on what one who came has to say."""
        if not self.keep(here) or self.mute:
            return
        there = socket.create_connection(("127.0.0.1", self.there))
        if not self.keep(there):
            return
        for pair in ((here, there, True), (there, here, False)):
            threading.Thread(target=self.carry, args=pair, daemon=True).start()

    def keep(self, one: socket.socket) -> bool:
        """Take an end of it; whether it is not cut by now."""
        with self.lock:
            if self.cut:
                _close(one)
                return False
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets.append(one)
            return True


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # One that waits to receive is woken by that only.
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextlib.contextmanager
def line_to(port: int) -> Iterator[Line]:
    """A line to a port."""
    listener = socket.create_server(("127.0.0.1", 0))
    found = Line(listener.getsockname()[1], port)

    def accept() -> None:
        while True:
            try:
                here, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                found.join(here)

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield found
    finally:
        _close(listener)
        accepting.join(10)
        found.sever()
