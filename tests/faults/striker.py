"""Within the struck ``inv``: finds the next place that was not struck yet, notes it, and strikes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
import zlib
from pathlib import Path
from typing import Any

from tests.faults.places import Counting, Place, blow_at

SIGNALS = {"kill": signal.SIGKILL, "int": signal.SIGINT, "term": signal.SIGTERM, "hup": signal.SIGHUP}
# What a run may not even notice, so that another place is struck in the same process.
SLOW = ("full", "readonly", "disk", "crowd")
_held: list[Any] = []


class Striker:
    """Deals one blow in this process.

    Args:
        order: what is asked for (see ``Stage.struck``): ``phase``, ``blow`` (empty: by the place's hash), ``only`` (a
            place, or empty for the next one that ``log`` does not hold), and where server and mounts are.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        self.order, self.log = order, Path(order["log"])
        dealt = [json.loads(line) for line in self.log.read_text().splitlines()]
        self.known = {(Place.read(place).key, phase) for place, phase, _ in dealt}
        self.counting, self.dealt, self.armed = Counting(), False, ""
        self.run = ""

    def due(self, place: Place | None, phase: str) -> str:
        """The blow that falls now, noted in the log; empty for none."""
        if place is None or self.dealt or phase != self.order["phase"] or (place.key, phase) in self.known:
            return ""
        if self.order["only"] and self.order["only"] != str(place):
            return ""
        if self.order["undo"] and place.role != "undo":
            return ""
        blow = blow_at(place, phase, self.order["blow"])
        if blow:
            self.recover()
            self.dealt = blow not in SLOW
            self.known.add((place.key, phase))
            with self.log.open("a") as file:
                file.write(json.dumps([str(place), phase, blow]) + "\n")
        return blow

    def recover(self) -> None:
        """Take the blow before this one back, which was of no consequence."""
        mend(Path(self.order["store"]), Path(self.order["space"]))
        while _held:
            _held.pop().close()

    def strike(self, blow: str, *, amid: str = "") -> None:
        """Deal it. ``amid`` tells that a program has just been started."""
        if amid and self.order.get("amid"):
            self._wait_for(self.order["amid"])
        if blow in SIGNALS:
            if amid:
                delay = zlib.crc32(amid.encode()) % 5 / 100
                threading.Timer(delay, os.kill, (os.getpid(), SIGNALS[blow])).start()
            else:
                os.kill(os.getpid(), SIGNALS[blow])
                # The handler runs in between two instructions: here, and not a little later.
                time.sleep(0.001)
        elif blow == "cut":
            self._cut(bool(amid))
        elif blow.startswith("restart-"):
            self._server()._call("pg_ctl", "-D", self.order["data"], "-m", blow[8:], "-w", "-s", "restart")
        elif blow == "crowd":
            self._crowd()
        elif blow == "readonly":
            # Over itself: what is open already, the journal, can still be written, as on a share that changes its mind.
            subprocess.run(["mount", "--bind", self.order["store"], self.order["store"]], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", self.order["store"]], check=True)
        else:
            fill(Path(self.order["store" if blow == "full" else "space"]) / "ballast")

    def _server(self) -> Any:
        from ops.infra.postgres.embedded_server import Server

        found = Server(Path(self.order["server"]))
        found.bin = Path(self.order["bin"])
        return found

    def _connect(self, database: str = "postgres") -> Any:
        import psycopg

        return psycopg.connect(self._server().url(database), autocommit=True, application_name="the tests")

    def _wait_for(self, query: str) -> None:
        """Wait until production holds what a query finds."""
        import psycopg

        deadline, found = time.monotonic() + 20, 0
        with self._connect("shop") as connection:
            while not found and time.monotonic() < deadline:
                time.sleep(0.01)
                # The table may not be there yet.
                with contextlib.suppress(psycopg.ProgrammingError):
                    found = connection.execute(query.encode()).rowcount

    def _cut(self, amid: bool) -> None:
        """End the run's sessions, also the one with the run lock; amid a program, once its own has come."""
        ours = "FROM pg_stat_activity WHERE starts_with(application_name, 'generalprobe') AND pid <> pg_backend_pid()"
        with self._connect() as connection:
            deadline = time.monotonic() + (0.5 if amid else 0)
            while time.monotonic() < deadline:
                program = [f"generalprobe {self.run}"]
                if connection.execute(f"SELECT 1 {ours} AND application_name = %s", program).fetchone():
                    break
                time.sleep(0.002)
            connection.execute(f"SELECT pg_terminate_backend(pid) {ours}")

    def _crowd(self) -> None:
        """Take every connection that the server has left, until this process ends."""
        import psycopg

        with contextlib.suppress(psycopg.OperationalError):
            while True:
                _held.append(self._connect())


def mend(store: Path, space: Path) -> None:
    """What a person does about a full or read-only disk."""
    if store.is_mount() and os.statvfs(store).f_flag & os.ST_RDONLY:
        subprocess.run(["umount", "-l", str(store)], check=True)
    for path in (store, space):
        (path / "ballast").unlink(missing_ok=True)


def fill(path: Path) -> None:
    """Fill a file system to its last byte."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)


def install(module: Any, order: str) -> None:
    """Wrap ``Runner.execute`` and the waiting for a program."""
    # The programs that a run starts inherit the environment; none of them is to be struck by itself.
    os.environ["OPS_STRUCK"] = "1"
    striker = Striker(json.loads(Path(order).read_text()))
    execute = module.Runner.execute

    def struck(self: Any, command: Any, key: str, *line: Any) -> str:
        striker.run = self.plan.inputs.run
        place = striker.counting.place(self.plan, self._current.name if self._current else "", key, command)
        if blow := striker.due(place, "before"):
            striker.strike(blow)
        striker.armed = str(place) if place else ""
        found = place
        striker.place = found  # type: ignore[attr-defined]
        said: str = execute(self, command, key, *line)
        striker.armed = ""
        if blow := striker.due(place, "after"):
            striker.strike(blow)
        return said

    module.Runner.execute = struck

    from ops.infra.transport import local

    finish = local._finish

    def finish_struck(process: Any, *given: Any) -> Any:
        if striker.armed and (blow := striker.due(striker.place, "during")):  # type: ignore[attr-defined]
            striker.strike(blow, amid=striker.armed)
        return finish(process, *given)

    local._finish = finish_struck
