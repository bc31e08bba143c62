"""The machine on which a target's database is, as pgBackRest needs it: this one, or the host behind SSH."""

from __future__ import annotations

import atexit
import inspect
import json
import os
import shlex
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ops.command import Host, Shell, line_there
from ops.engine import beside
from ops.engine.beside import Stopped
from ops.errors import OpsError, Refused, StepFailed, Unreachable, UsageError
from ops.transport import Completed

if TYPE_CHECKING:
    import paramiko

    from ops.world import World

# A Python there reads so much program from its input, and then what is behind it.
BOOT = "import sys; exec(sys.stdin.read(int(sys.stdin.readline()))); main()"
# Seconds: in which the end of a run before us may reach the host; between two signs of life.
LATE, ALIVE = 5.0, 15
# The locks that this process holds behind SSH: they end with their channel.
_held: dict[tuple[tuple[str, ...], str], paramiko.Channel] = {}


class Machine(Protocol):
    """Where pgBackRest runs.

    Its methods raise ``OpsError`` for what ``ops.engine.beside`` says, and ``OSError`` as that does.
    """

    def run(self, words: tuple[str, ...]) -> Completed:
        """Run words with nothing of our environment but PATH and pgBackRest's own variables."""
        ...

    def do(self, what: str, of: dict[str, str] | None = None, /, **given: Any) -> Any:
        """Do one thing there.

        Args:
            what: the function's name in ``ops.engine.beside``.
            of: which folder, for those of a folder.
            given: its arguments.
        """
        ...

    def hold(self, of: dict[str, str]) -> None:
        """Keep every other run away from a folder until this process ends."""
        ...


def machine_of(world: World, target: str, where: str) -> Machine:
    """The machine of a target; ``where`` leads its errors: file, line, target."""
    host = world.host(target)
    return There(world, host, where) if host else Here(world, where)


def told(where: str, stopped: Stopped) -> OpsError:
    """What a person is told where something could not be done."""
    kind = Refused if stopped.kind == "refused" else StepFailed
    return kind(f"{where}: {stopped.said}", stopped.hint)


class Here:
    """This machine; see ``Machine``."""

    def __init__(self, world: World, where: str) -> None:
        self.world, self.where = world, where

    def run(self, words: tuple[str, ...]) -> Completed:
        """See ``Machine``."""
        environ = self.world.environ
        env = {name: value for name, value in environ.items() if name.startswith("PGBACKREST_")}
        env |= {"PATH": environ.get("PATH", os.defpath), "LC_ALL": "C"}
        return self.world.local.run(words, folder=Path("/"), env=env)

    def do(self, what: str, of: dict[str, str] | None = None, /, **given: Any) -> Any:
        """See ``Machine``."""
        try:
            return beside.do({"do": what, "of": of, "with": given})
        except Stopped as stopped:
            raise told(self.where, stopped) from None

    def hold(self, of: dict[str, str]) -> None:
        """See ``Machine``."""
        atexit.register(_release)
        self.do("hold", of, patience=0)


class There:
    """The host behind SSH; see ``Machine``. It needs a ``python3``."""

    def __init__(self, world: World, host: Host, where: str) -> None:
        self.world, self.host, self.where = world, host, where

    def run(self, words: tuple[str, ...]) -> Completed:
        """See ``Machine``."""
        return self._run(words, "")

    def _run(self, words: tuple[str, ...], given: str) -> Completed:
        return self.world.wire(self.host).run(self._line(words), f"generalprobe\n{given}")

    def _line(self, words: tuple[str, ...]) -> str:
        return line_there(Shell(words, "", folder="/", env={"LC_ALL": "C"}, host=self.host))

    def do(self, what: str, of: dict[str, str] | None = None, /, **given: Any) -> Any:
        """See ``Machine``."""
        done = self._run(("python3", "-c", BOOT), _request(what, of, given))
        return self._answer(done.out.strip(), done.err)

    def hold(self, of: dict[str, str]) -> None:
        """See ``Machine``."""
        atexit.register(_release)
        mine = (self.host.words, of["folder"])
        if mine in _held and not _held[mine].closed:
            return
        given = _request("hold", of, {"patience": LATE})
        channel = self.world.wire(self.host).opened(self._line(("python3", "-c", BOOT)), f"generalprobe\n{given}")
        self._answer(channel.makefile("r").readline().strip(), "")
        _held[mine] = channel
        threading.Thread(target=_live, args=(channel,), daemon=True).start()

    def _answer(self, line: str, err: str) -> Any:
        try:
            answer = json.loads(line)
        except ValueError:
            said = (err.strip().splitlines() or ["it does not answer"])[-1].strip()
            hint = f"{shlex.join(self.host.words)} python3 --version   says 3.8 or newer"
            raise UsageError(f"{self.where}: python3 on {self.host.words[-1]}: {said}", hint) from None
        if stopped := answer.get("stopped"):
            raise told(self.where, Stopped(*stopped))
        if error := answer.get("error"):
            raise Unreachable(f"{self.where}: {self.host.words[-1]}: {error[2] or self.host.words[-1]}: {error[1]}")
        return answer["done"]


def _release() -> None:
    """Let go of every lock that this process holds, here and there."""
    beside.release()
    while _held:
        _held.popitem()[1].close()


def _request(what: str, of: dict[str, str] | None, given: dict[str, Any]) -> str:
    source = inspect.getsource(beside)
    return f"{len(source)}\n{source}{json.dumps({'do': what, 'of': of, 'with': given})}\n"


def _live(channel: paramiko.Channel) -> None:
    """Give a sign of life now and then: a host that hears none lets go of the lock."""
    while not channel.closed:
        try:
            channel.sendall(b"\n")
        except OSError:
            return
        time.sleep(ALIVE)
