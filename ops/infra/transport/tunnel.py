"""Forward a local port through an SSH connection to a database that only the remote host reaches.

Fabric's tunnel stops when the remote side refuses one connection, as a restarting server does. This tunnel opens a
channel for each connection, so that a restarted database is reached again.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import paramiko

HERE = "127.0.0.1"
_BLOCK = 1 << 18

Open = Callable[[str, int], "paramiko.Channel"]


class Forward(socketserver.ThreadingTCPServer):
    """A server on a free port of this machine's loopback address, until the process ends.

    Args:
        to: host and port that the machine behind SSH reaches.
        opened: opens a channel to host and port, or raises an exception.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, to: tuple[str, int], opened: Open) -> None:
        super().__init__((HERE, 0), _Link)
        self.to = to
        self.opened = opened
        # The error of the last connection; the client only sees a closed connection.
        self.refused = ""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 5}, daemon=True).start()

    @property
    def port(self) -> int:
        """The local port."""
        return int(self.server_address[1])

    def handle_error(self, *_: object) -> None:
        """Print nothing to the terminal; the client sees a closed connection."""


class _Link(socketserver.BaseRequestHandler):
    """One connection, forwarded in both directions until either side closes it."""

    server: Forward
    request: socket.socket

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            channel = self.server.opened(*self.server.to)
        except Exception as error:
            self.server.refused = str(error) or type(error).__name__
            return
        self.server.refused = ""
        there = threading.Thread(target=_pass_on, args=(self.request.recv, channel.sendall, channel.shutdown_write))
        there.daemon = True
        there.start()
        _pass_on(channel.recv, self.request.sendall, lambda: self.request.shutdown(socket.SHUT_WR))
        # The client must not wait for an answer of a server that has closed the connection.
        with contextlib.suppress(OSError):
            self.request.shutdown(socket.SHUT_RDWR)
        there.join(5)
        channel.close()


def _pass_on(receive: Callable[[int], bytes], send: Callable[[bytes], object], end: Callable[[], object]) -> None:
    with contextlib.suppress(OSError, EOFError):
        while block := receive(_BLOCK):
            send(block)
    with contextlib.suppress(OSError, EOFError):
        end()
