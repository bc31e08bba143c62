"""Run programs on the database's machine: this one, or a host behind SSH."""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ops.core.errors import OpsError, Refused, StepFailed
from ops.engine.command import Completed, Shell, line_there

if TYPE_CHECKING:
    import paramiko

    from ops.infra.session.session import Session

SCRIPT = Path(__file__).with_name("scratch.sh")
HERE = "this machine"
# Seconds between two signs of life to a machine that holds our lock, and seconds that it waits for one.
ALIVE, SILENCE = 15, 120
# Seconds for a remote program to end after its input has ended.
GRACE = 5
# The locks of this process, by machine and folder: programs that hold a lock until their input ends.
_locks: dict[tuple[str, str], subprocess.Popen[str] | paramiko.Channel] = {}


class Machine:
    """Run programs on the machine of pgBackRest.

    Args:
        session: the connections.
        target: the target's name.
        where: file, line and target, the beginning of each error.
    """

    def __init__(self, session: Session, target: str, where: str) -> None:
        self.session, self.where, self.host = session, where, session.host(target)
        self.name = self.host.words[-1] if self.host else HERE

    def run(self, words: tuple[str, ...]) -> Completed:
        """Run words with only PATH and pgBackRest's own variables of our environment."""
        if self.host:
            return self.session.addresses.wire(self.host).run(self._line(words), "generalprobe\n")
        return self.session.commands.local.run(words, folder=Path("/"), env=self._environment())

    def _line(self, words: tuple[str, ...]) -> str:
        return line_there(Shell(words, "", folder="/", env={"LC_ALL": "C"}, host=self.host))

    def _environment(self) -> dict[str, str]:
        environ = self.session.environ
        env = {name: value for name, value in environ.items() if name.startswith("PGBACKREST_")}
        return env | {"PATH": environ.get("PATH", os.defpath), "LC_ALL": "C"}

    def script(self, action: str, folder: str = "", owner: str = "", *given: str) -> list[str]:
        """Run an action of ``scratch.sh`` on the folder aside.

        Args:
            action: the action's name.
            folder: the full path.
            owner: the user that gets the folder; empty if we are that user.
            given: the action's arguments.

        Returns:
            the printed lines.

        Raises:
            StepFailed: the action failed; the message names the cause.
        """
        done = self.run(_words(action, folder, owner, *given))
        if done.exit:
            raise self._failed(done.err)
        return done.out.splitlines()

    def _failed(self, said: str) -> OpsError:
        line = (said.strip().splitlines() or ["it does not answer"])[-1].strip()
        return StepFailed(f"{self.where}: {self.name}: {line.removeprefix('scratch: ')}")

    def hold(self, folder: str, owner: str, target: str) -> None:
        """Lock a folder against every other run until this process ends.

        Raises:
            Refused: another run holds the lock.
        """
        mine = (self.name, folder)
        if mine in _locks and not _ended(_locks[mine]):
            return
        atexit.register(release)
        words = _words("hold", folder, owner, str(SILENCE) if self.host else "")
        if self.host:
            channel = self.session.addresses.wire(self.host).opened(self._line(words), "generalprobe\n")
            _locks[mine], answer = channel, channel.makefile("r").readline().strip()
            threading.Thread(target=_live, args=(channel,), daemon=True).start()
        else:
            pipe = subprocess.PIPE
            # Ctrl-C must not release the lock before the run has ended.
            process = subprocess.Popen(
                words, stdin=pipe, stdout=pipe, text=True, cwd="/", env=self._environment(), start_new_session=True
            )
            assert process.stdout is not None
            _locks[mine], answer = process, process.stdout.readline().strip()
        if answer != "held":
            _close(_locks.pop(mine))
            if answer != "busy":
                raise self._failed(answer)
            raise Refused(f"{self.where}: another run is restoring into {folder}", f"inv status --target={target}")


def _words(action: str, folder: str, owner: str, *given: str) -> tuple[str, ...]:
    return ("sh", "-c", SCRIPT.read_text(), "scratch", action, folder, owner, *given)


def _live(channel: paramiko.Channel) -> None:
    """Send signs of life: a host does not notice that our machine or connection failed."""
    with contextlib.suppress(OSError):
        while not channel.closed:
            channel.sendall(b".")
            time.sleep(ALIVE)


def _ended(lock: subprocess.Popen[str] | paramiko.Channel) -> bool:
    return lock.poll() is not None if isinstance(lock, subprocess.Popen) else bool(lock.closed)


def _close(lock: subprocess.Popen[str] | paramiko.Channel) -> None:
    if not isinstance(lock, subprocess.Popen):
        # close() does not wait until the remote program has released the lock.
        with contextlib.suppress(OSError):
            lock.shutdown_write()
        lock.status_event.wait(GRACE)
        lock.close()
        return
    for pipe in filter(None, (lock.stdin, lock.stdout)):
        with contextlib.suppress(OSError):
            pipe.close()
    lock.wait()


def release() -> None:
    """Release every lock that this process holds, on all machines."""
    while _locks:
        _close(_locks.popitem()[1])
