"""Run programs on a host behind SSH through Fabric, with addresses, keys, agent and jump hosts of OpenSSH's files.

Host keys are always checked. A remote program has a separate process group and first prints its process number, so that
Ctrl-C can end it. No command is sent twice: a lost connection is opened again only before the next command.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.core.errors import OpsError, Unreachable
from ops.engine.command import SAYS_PROCESS, Completed, Host, OnLine, quote
from ops.infra.transport.jump_hosts import UnknownKey, check_keys, hops
from ops.infra.transport.local import GRACE, Output, read_lines
from ops.infra.transport.ssh_hosts import users_config
from ops.infra.transport.tunnel import Forward
from ops.inventory.targets import Connection

if TYPE_CHECKING:
    import fabric
    import paramiko

# Seconds: timeout of a connection; interval of keepalives; time without an answer after which a connection is lost.
PATIENCE, ALIVE, SILENCE = 10, 15, 60
_BLOCK = 1 << 18
# A program that connects its input and output to a socket.
TO_SOCKET = """import os, socket, sys, threading
to = socket.socket(socket.AF_UNIX)
to.connect(sys.argv[1])
def up():
    while True:
        block = os.read(0, 1 << 18)
        if not block:
            return to.shutdown(socket.SHUT_WR)
        to.sendall(block)
threading.Thread(target=up, daemon=True).start()
while True:
    block = to.recv(1 << 18)
    if not block:
        break
    sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()"""
_PROCESS = re.compile(rf"{SAYS_PROCESS} (\d+)\s*")


def host_of(target: str, connection: Connection) -> Host | None:
    """Return the machine behind SSH on which a target's commands run; None for this machine."""
    if connection.kind != "ssh":
        return None
    words = ["ssh"]
    if connection.port:
        words += ["-p", str(connection.port)]
    if connection.private_key_file:
        words += ["-i", connection.private_key_file]
    name = connection.host or target
    return Host(target, (*words, f"{connection.user}@{name}" if connection.user else name))


def plainly(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words that reach a host from a program: without terminal and questions, with keepalives."""
    given = ("-T", "-o", "BatchMode=yes", "-o", f"ServerAliveInterval={ALIVE}")
    return (*words[:-1], *given, words[-1])


def typed(host: Host) -> str:
    """Return the command line that reaches a host, without a remote command."""
    return " ".join(quote(word) for word in host.words)


def unreachable(host: Host, said: str, hint: str = "") -> Unreachable:
    """Return the error for a host that cannot be reached."""
    return Unreachable(f"{host.target}: {host.words[-1]}: {said}", hint or f"{typed(host)} true")


def unknown_key(host: Host, name: str, shown: str) -> Unreachable:
    """Return the error for an unknown host key; ``shown`` is the key's fingerprint in the form of ``ssh``."""
    said = f"the host key of {name} is unknown, so the host cannot be verified ({shown})"
    return unreachable(
        host, said, f"{typed(host)} true   and compare the key with the administrator's before you type yes"
    )


def other_key(host: Host, name: str, _: str = "") -> Unreachable:
    """Return the error for a host key that differs from the known host key."""
    said = f"the host key of {name} differs from the known key: another machine may intercept the connection"
    return unreachable(host, said, f"ssh-keygen -R {quote(name)}   only if the administrator confirms the new key")


def not_let_in(host: Host) -> Unreachable:
    """Return the error for a host that accepts none of the user's SSH keys."""
    hint = f"{typed(host)} true   must log in without a password: ssh-add a key, or ssh-copy-id"
    return unreachable(host, "the host accepts none of your SSH keys", hint)


class Ssh:
    """The connection to one host, opened at the first use.

    Args:
        host: the host; its target begins the messages.
        connection: the inventory's variables.
        folder: the inventory's folder; the path of a key file is relative to it.
    """

    def __init__(self, host: Host, connection: Connection, folder: Path) -> None:
        self.host, self.connection, self.folder = host, connection, folder
        self._wire: fabric.Connection | None = None
        self._forwards: dict[tuple[str, int], Forward] = {}
        self._lock = threading.Lock()

    def run(self, line: str, given: str, *, output: Path | None = None, on_line: OnLine | None = None) -> Completed:
        """Run one line in the host's shell.

        Args:
            line: the line for a POSIX shell; see ``ops.engine.command.line_there``.
            given: the standard input.
            output: the file on this machine that receives standard output; it appears if the program succeeds.
            on_line: called with each line of standard error, and of standard output if ``output`` is None.

        Raises:
            Unreachable: the host cannot be reached, or the connection was lost while the program ran.
        """
        with Output(output) as file:
            program = _Program(self._session(), line, given)
            try:
                program.read(file, on_line)
                ended = program.wait()
            except BaseException:
                self._end(program, on_line)
                raise
            if not ended:
                raise self._lost(program.process)
            done = program.completed()
            file.succeeded = done.exit == 0
        return done

    def opened(self, line: str, given: str) -> paramiko.Channel:
        """Start a program and return the channel to its input and output; ``given`` is the begin of its input.

        Raises:
            Unreachable: the host cannot be reached.
        """
        channel = self._session()
        channel.exec_command(line)
        channel.sendall(given.encode())
        return channel

    def forward(self, name: str, port: int) -> Forward:
        """Return a local port that forwards to an address that the host reaches; or to a socket if ``name`` is a path.

        Raises:
            Unreachable: the host cannot be reached.
        """
        self.transport()
        with self._lock:
            if (name, port) not in self._forwards:
                opened = self._socket if name.startswith("/") else self._channel_to
                self._forwards[name, port] = Forward((name, port), opened)
            return self._forwards[name, port]

    def transport(self) -> paramiko.Transport:
        """Return the SSH connection; open it again if it was lost.

        Raises:
            Unreachable: the host cannot be reached, rejects the keys, or has another host key.
        """
        with self._lock:
            found = self._wire.client.get_transport() if self._wire else None
            if found is None or not found.is_active():
                self._wire = self._connect()
                found = self._wire.client.get_transport()
            assert found is not None
            return found

    def _session(self) -> paramiko.Channel:
        import paramiko

        try:
            return self.transport().open_session(timeout=PATIENCE)
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise unreachable(self.host, f"no session: {error}") from None

    def _channel_to(self, name: str, port: int) -> paramiko.Channel:
        return self.transport().open_channel("direct-tcpip", (name, port), ("127.0.0.1", 0), timeout=PATIENCE)

    def _socket(self, path: str, _: int) -> paramiko.Channel:
        # paramiko does not support OpenSSH's forwarding to a socket, and a host may forbid it.
        return self.opened(f"exec python3 -c {quote(TO_SOCKET)} {quote(path)}", "")

    def _connect(self) -> fabric.Connection:
        import fabric
        import paramiko

        # paramiko's threads would also print the exceptions that are raised here.
        logging.getLogger("paramiko").addHandler(logging.NullHandler())
        logging.getLogger("paramiko").propagate = False
        c = self.connection
        given: dict[str, Any] = {"banner_timeout": PATIENCE, "auth_timeout": PATIENCE}
        if c.private_key_file:
            given["key_filename"] = os.path.join(self.folder, os.path.expanduser(c.private_key_file))
        config = fabric.Config(ssh_config=users_config(), overrides={"timeouts": {"connect": PATIENCE}})
        wire = fabric.Connection(
            c.host or self.host.target, user=c.user, port=c.port, config=config, connect_kwargs=given
        )
        try:
            for hop in hops(wire):
                check_keys(hop)
                if str(hop.ssh_config.get("compression", "")).lower() == "yes":
                    # Fabric ignores this option of OpenSSH's configuration.
                    hop.connect_kwargs = {**hop.connect_kwargs, "compress": True}
            wire.open()
            _keep_alive(wire.client.get_transport())
            return wire
        except UnknownKey as error:
            raise unknown_key(self.host, str(error), error.shown) from None
        except paramiko.BadHostKeyException as error:
            raise other_key(self.host, error.hostname) from None
        except (paramiko.AuthenticationException, paramiko.PasswordRequiredException):
            raise not_let_in(self.host) from None
        except (paramiko.SSHException, EOFError, OSError, ValueError) as error:
            # The exception for a user without any key has no class of its own.
            if str(error) == "No authentication methods available":
                raise not_let_in(self.host) from None
            raise unreachable(self.host, f"no connection: {error or type(error).__name__}") from None

    def _lost(self, process: int) -> OpsError:
        where = f" as process {process}" if process else ""
        hint = f"{typed(self.host)} ps -p {process}   shows whether it still runs" if process else ""
        return unreachable(self.host, f"the connection was lost; the program may still run there{where}", hint)

    def _end(self, program: _Program, on_line: OnLine | None) -> None:
        """End a remote program's process group by SIGINT, SIGTERM and SIGKILL; report a failure to do so."""
        for name, patience in (("INT", GRACE[0]), ("TERM", GRACE[1]), ("KILL", 5.0)):
            if self._signal(program, name) and program.gone(patience):
                self._signal(program, "KILL")  # The rest of the group.
                return
        if on_line and not program.gone(0):
            with contextlib.suppress(Exception):
                on_line(f"{self._lost(program.process).message}; Try: {typed(self.host)} ps -p {program.process}")

    def _signal(self, program: _Program, name: str) -> bool:
        """Send a signal to a program's process group; return True if it was sent."""
        import paramiko

        deadline = time.monotonic() + 2
        while not program.process and not program.gone(0) and time.monotonic() < deadline:
            with contextlib.suppress(KeyboardInterrupt):
                time.sleep(0.02)
        if not program.process or not program.channel.transport.is_active():
            return False
        with contextlib.suppress(paramiko.SSHException, OSError, EOFError, KeyboardInterrupt):
            session = program.channel.transport.open_session(timeout=PATIENCE)
            session.exec_command(f"kill -s {name} -- -{program.process} 2>&1")
            session.settimeout(PATIENCE)
            session.recv(_BLOCK)
            return True
        return False


class _Program:
    """A line that runs in a shell behind SSH."""

    def __init__(self, channel: paramiko.Channel, line: str, given: str) -> None:
        self.channel = channel
        self.process = 0
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers: list[threading.Thread] = []
        channel.exec_command(line)
        channel.sendall(given.encode())
        channel.shutdown_write()

    def read(self, file: Output, on_line: OnLine | None) -> None:
        """Start to read the program's output."""
        out, err = self.channel.makefile("rb", _BLOCK), self.channel.makefile_stderr("rb", _BLOCK)
        self._begin(read_lines, self._without_process(err), self.err, on_line)
        if file.handle:
            self._begin(_copy, out, file.handle)
        else:
            self._begin(read_lines, out, self.out, on_line)

    def _begin(self, target: Any, *args: Any) -> None:
        self._readers.append(threading.Thread(target=target, args=args, daemon=True))
        self._readers[-1].start()

    def _without_process(self, stream: Any) -> Iterator[bytes]:
        """Yield the lines of standard error, without the line with the process number."""
        for raw in stream:
            found = None if self.process else _PROCESS.fullmatch(raw.decode(errors="replace"))
            if found:
                self.process = int(found[1])
            else:
                yield raw

    def wait(self) -> bool:
        """Wait for the program's end; return False if the connection was lost before."""
        while not self.channel.status_event.wait(0.2):
            if not self.channel.transport.is_active() or self.channel.closed:
                break
        for reader in self._readers:
            while reader.is_alive():
                reader.join(0.2)
        return bool(self.channel.exit_status != -1 or self.channel.transport.is_active())

    def gone(self, patience: float) -> bool:
        """Return True if the program ends within ``patience`` seconds."""
        deadline = time.monotonic() + patience
        while not self.channel.status_event.is_set() and time.monotonic() < deadline:
            with contextlib.suppress(KeyboardInterrupt):
                time.sleep(0.02)
        return bool(self.channel.status_event.is_set())

    def completed(self) -> Completed:
        """Return the result of the program; SSH reports no signal number."""
        return Completed(int(self.channel.exit_status), "".join(self.out), "".join(self.err))


def _copy(stream: Any, handle: Any) -> None:
    while block := stream.read(_BLOCK):
        handle.write(block)


def _keep_alive(transport: Any) -> None:
    transport.set_keepalive(ALIVE)
    if isinstance(transport.sock, socket.socket):
        # Otherwise a short request waits until the previous request was acknowledged.
        with contextlib.suppress(OSError):
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if isinstance(transport.sock, socket.socket) and hasattr(socket, "TCP_USER_TIMEOUT"):
        with contextlib.suppress(OSError):
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE * 1000)
