"""A host behind SSH, through Fabric: its addresses, keys, agent and jump hosts are those of OpenSSH's own files.

Host keys are always checked. A program there has a process group of its own, whose number it tells first, so that
Ctrl-C here ends it there. Nothing that changes something is sent twice: a lost link is made anew only before the next
command.
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

# Seconds: until a host answers; between two signs of life; without an answer to any, until the link counts as lost.
PATIENCE, ALIVE, SILENCE = 10, 15, 60
_BLOCK = 1 << 18
# Passes on between its own input and output and a socket, until either has ended.
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
    """The machine behind SSH on which a target's commands run; None where that is this one."""
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
    """The words that reach a host for a program's sake: no terminal, no question, and a sign of life now and then."""
    given = ("-T", "-o", "BatchMode=yes", "-o", f"ServerAliveInterval={ALIVE}")
    return (*words[:-1], *given, words[-1])


def typed(host: Host) -> str:
    """Return what a person types to reach a host, before the command."""
    return " ".join(quote(word) for word in host.words)


def unreachable(host: Host, said: str, hint: str = "") -> Unreachable:
    """Return the error of a host that can't be reached, and why."""
    return Unreachable(f"{host.target}: {host.words[-1]}: {said}", hint or f"{typed(host)} true")


def unknown_key(host: Host, name: str, shown: str) -> Unreachable:
    """Return the error of a host whose key is not known; ``shown`` is the key's fingerprint as ``ssh`` shows it."""
    said = f"the key of {name} is not known here, so it could be another machine ({shown})"
    return unreachable(
        host, said, f"{typed(host)} true   and compare that with what the host's owner says, before you type yes"
    )


def other_key(host: Host, name: str, _: str = "") -> Unreachable:
    """Return the error of a host that has another key than the known one."""
    said = f"{name} has another key than the one that is known: another machine may be in between"
    return unreachable(host, said, f"ssh-keygen -R {quote(name)}   but only where its owner says that the key is new")


def not_let_in(host: Host) -> Unreachable:
    """Return the error of a host that takes none of our keys."""
    hint = f"{typed(host)} true   must get in without a password: ssh-add a key, or ssh-copy-id"
    return unreachable(host, "the host does not let us in with the keys at hand", hint)


class Ssh:
    """The connection to one host, made when it is first needed.

    Args:
        host: what a person types to reach it; it leads the messages.
        connection: the inventory's variables.
        folder: the inventory's folder, from which the name of a key's file is meant.
    """

    def __init__(self, host: Host, connection: Connection, folder: Path) -> None:
        self.host, self.connection, self.folder = host, connection, folder
        self._wire: fabric.Connection | None = None
        self._forwards: dict[tuple[str, int], Forward] = {}
        self._lock = threading.Lock()

    def run(self, line: str, given: str, *, output: Path | None = None, on_line: OnLine | None = None) -> Completed:
        """Run one line in a shell there, to its end.

        Args:
            line: a POSIX shell's; see ``ops.engine.command.line_there``.
            given: its standard input.
            output: a file here that takes standard output; it appears when the program succeeded.
            on_line: is told each line of standard error, and of standard output where ``output`` is not given.

        Raises:
            Unreachable: the host can't be reached, or the link was lost while the program ran.
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
        """A program that stays: the channel is its input, which goes on behind ``given``, and its output.

        Raises:
            Unreachable: the host can't be reached.
        """
        channel = self._session()
        channel.exec_command(line)
        channel.sendall(given.encode())
        return channel

    def forward(self, name: str, port: int) -> Forward:
        """A port here that leads to an address as the host knows it; to a socket where ``name`` is its whole path.

        Raises:
            Unreachable: the host can't be reached.
        """
        self.transport()
        with self._lock:
            if (name, port) not in self._forwards:
                opened = self._socket if name.startswith("/") else self._channel_to
                self._forwards[name, port] = Forward((name, port), opened)
            return self._forwards[name, port]

    def transport(self) -> paramiko.Transport:
        """The link, made anew where it was lost.

        Raises:
            Unreachable: the host can't be reached, does not let us in, or is not the one that is known.
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
        # The library at hand has no words for OpenSSH's way to a socket, and a host may not allow that.
        return self.opened(f"exec python3 -c {quote(TO_SOCKET)} {quote(path)}", "")

    def _connect(self) -> fabric.Connection:
        import fabric
        import paramiko

        # Its threads would print what is raised here as well.
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
                    # Fabric leaves that word of OpenSSH's file alone.
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
            # There is no type for it: no key is at hand at all.
            if str(error) == "No authentication methods available":
                raise not_let_in(self.host) from None
            raise unreachable(self.host, f"no connection: {error or type(error).__name__}") from None

    def _lost(self, process: int) -> OpsError:
        where = f" as process {process}" if process else ""
        hint = f"{typed(self.host)} ps -p {process}   shows whether it still runs" if process else ""
        return unreachable(self.host, f"the link was lost; what ran there may still run{where}", hint)

    def _end(self, program: _Program, on_line: OnLine | None) -> None:
        """End a program's process group there as here: SIGINT, SIGTERM, SIGKILL; say so where that can't be."""
        for name, patience in (("INT", GRACE[0]), ("TERM", GRACE[1]), ("KILL", 5.0)):
            if self._signal(program, name) and program.gone(patience):
                self._signal(program, "KILL")  # The rest of the group.
                return
        if on_line and not program.gone(0):
            with contextlib.suppress(Exception):
                on_line(f"{self._lost(program.process).message}; Try: {typed(self.host)} ps -p {program.process}")

    def _signal(self, program: _Program, name: str) -> bool:
        """Whether a signal could be sent."""
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
        """Begin to read what it prints."""
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
        """The lines of standard error, without the one that tells the number of the process."""
        for raw in stream:
            found = None if self.process else _PROCESS.fullmatch(raw.decode(errors="replace"))
            if found:
                self.process = int(found[1])
            else:
                yield raw

    def wait(self) -> bool:
        """Wait for its end; False where the link was lost before."""
        while not self.channel.status_event.wait(0.2):
            if not self.channel.transport.is_active() or self.channel.closed:
                break
        for reader in self._readers:
            while reader.is_alive():
                reader.join(0.2)
        return bool(self.channel.exit_status != -1 or self.channel.transport.is_active())

    def gone(self, patience: float) -> bool:
        """Whether it ends within so many seconds."""
        deadline = time.monotonic() + patience
        while not self.channel.status_event.is_set() and time.monotonic() < deadline:
            with contextlib.suppress(KeyboardInterrupt):
                time.sleep(0.02)
        return bool(self.channel.status_event.is_set())

    def completed(self) -> Completed:
        """How it ended; a signal has no number here."""
        return Completed(int(self.channel.exit_status), "".join(self.out), "".join(self.err))


def _copy(stream: Any, handle: Any) -> None:
    while block := stream.read(_BLOCK):
        handle.write(block)


def _keep_alive(transport: Any) -> None:
    transport.set_keepalive(ALIVE)
    if isinstance(transport.sock, socket.socket):
        # Else a short request waits until the one before it was acknowledged.
        with contextlib.suppress(OSError):
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if isinstance(transport.sock, socket.socket) and hasattr(socket, "TCP_USER_TIMEOUT"):
        with contextlib.suppress(OSError):
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE * 1000)
