"""Watch for lock waits during a command: sessions that block the tool, and sessions that the tool blocks.

The server cannot see that psql waits for pg_dump, so a separate session queries ``pg_blocking_pids`` twice a second. It
reports the holder of a lock and how to end that session. It ends sessions of the roles in the inventory's
``end_blockers``. After a limit it gives up and ends the tool's sessions, which releases their locks. A backup gives up
sooner if other sessions wait for it. An error of the watchdog never makes a command fail.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ops.core.errors import Code, OpsError, StepFailed
from ops.core.pace import Pace
from ops.core.sql_files import SQL_FOLDER
from ops.engine.command import Command, Query, Tool, targets
from ops.engine.inputs import RunInputs
from ops.infra.postgres.session_settings import application
from ops.infra.session.gauge import Gauge
from ops.infra.session.session import Session

if TYPE_CHECKING:
    import psycopg

# Seconds until the first query, between two queries, and until a wait is reported.
FIRST, PAUSE, REPORTED = 0.7, 0.5, 3.0
# Seconds for which a blocker may be named after a lock timeout.
FRESH = 3.0
# The read-only files that yield to other sessions, since they can be repeated.
YIELDING = ("dump.sql", "fingerprint.sql")
TRIES = 50


@dataclass(frozen=True)
class Backend:
    """A session of the server, as far as this role may see it; ``word`` is the first word of its statement."""

    pid: int
    role: str
    application: str = ""
    state: str = ""
    client: bool = True
    since: str = ""
    word: str = ""

    @property
    def words(self) -> str:
        """The session as text for people, with the first word of its statement only."""
        if not self.pid:
            return "a prepared transaction (SELECT gid FROM pg_prepared_xacts)"
        since = f"since {self.since} UTC" if self.since else "start time visible to pg_read_all_stats only"
        doing = " ".join(filter(None, (self.state, since)))
        return f"pid {self.pid} (role {self.role}, {doing}{f', statement {self.word}' if self.word else ''})"

    @property
    def ending(self) -> str:
        """The statement that ends the session."""
        return f"SELECT pg_terminate_backend({self.pid});" if self.pid else "ROLLBACK PREPARED 'GID';"


@dataclass(frozen=True)
class Wait:
    """One session waits for another."""

    backend: Backend
    blocker: Backend


@dataclass
class Limits:
    """The inventory's: how long to wait, how soon to give way (seconds), and whose sessions may be ended."""

    wait: float = 300
    give_way: float = 15
    end_blockers: tuple[str, ...] = ()


@dataclass
class Seen:
    """The result of one query: the sessions for which the tool waits, and the sessions that wait for the tool."""

    roots: list[Backend] = field(default_factory=list)
    held_up: list[Backend] = field(default_factory=list)


def judge(waits: Iterable[Wait], ours: Callable[[Backend], bool]) -> Seen:
    """Find the sessions for which the tool waits, following chains of waits, and the sessions that wait for it."""
    found, seen = list(waits), Seen()
    blockers: dict[int, list[Backend]] = {}
    for wait in found:
        blockers.setdefault(wait.backend.pid, []).append(wait.blocker)
    for wait in found:
        if ours(wait.backend):
            seen.roots += [root for root in _roots(wait.blocker, blockers, set()) if root not in seen.roots]
        elif ours(wait.blocker) and wait.backend.client and wait.backend not in seen.held_up:
            seen.held_up.append(wait.backend)
    return seen


def _roots(backend: Backend, blockers: dict[int, list[Backend]], passed: set[int]) -> Iterator[Backend]:
    if backend.pid in passed:
        return
    passed.add(backend.pid)
    if backend.pid not in blockers:
        yield backend
    for one in blockers.get(backend.pid, []):
        yield from _roots(one, blockers, passed)


@dataclass(frozen=True)
class Looking:
    """The inputs of the watchdog while there is no run."""

    target: str
    test: str = ""
    run: str = ""


class Watchdog:
    """Watches one command from ``__enter__`` to ``__exit__``.

    Args:
        session: the connections.
        inputs: the inputs of the run, or ``Looking``.
        command: the command.
        tell: called with each message for the operator.
        measured: called with the pace of each work of the command (``gauge``).
    """

    def __init__(
        self,
        session: Session,
        inputs: RunInputs | Looking,
        command: Command,
        tell: Callable[[str], None],
        measured: Callable[[str, Pace], None] = lambda *_: None,
    ) -> None:
        self.session, self.inputs, self.command, self.tell, self.measured = session, inputs, command, tell, measured
        named = (inputs.target, inputs.test) if isinstance(command, Tool) else targets(command)
        self.names = list(dict.fromkeys(filter(None, named)))
        self.yields = isinstance(command, Query) and command.file in YIELDING
        self.gave_up: OpsError | None = None
        self._last: tuple[float, Backend] | None = None
        self._since: dict[tuple[str, int], float] = {}
        self._told: set[tuple[str, int]] = set()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        for name in self.names:
            thread = threading.Thread(target=self._work, args=(name,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10 if self.gave_up else 1)  # The message says that the tool's sessions have ended.

    def name_holder(self, error: OpsError) -> OpsError:
        """Return why the watchdog gave up, or the error with the holder of the lock added to its message."""
        if self.gave_up:
            return self.gave_up
        if self._last and time.monotonic() - self._last[0] < FRESH and error.code == Code.LOCK:
            error.message += f"; the lock is held by {self._last[1].words}: {self._last[1].ending} ends that session"
        return error

    def _work(self, name: str) -> None:
        with contextlib.suppress(Exception):
            if self._stop.wait(FIRST):
                return
            while not self.inputs.run and not self.session.commands.backends:
                # Before the first connection there is nothing to watch, and the address may be unknown.
                if self._stop.wait(PAUSE):
                    return
            with self._connected(name) as connection:
                limits, gauge = self._limits(), self._gauge(name)
                while not self._stop.wait(PAUSE) and not self.gave_up:
                    self._look(connection, limits)
                    gauge.look(connection, lambda application, pid: self._ours(Backend(pid, "", application)))

    def _gauge(self, name: str) -> Gauge:
        backup = self.inputs.backup_folder if isinstance(self.inputs, RunInputs) else ""
        return Gauge(self.session, name, self.command, backup, self.measured)

    def _connected(self, name: str) -> psycopg.Connection[Any]:
        """Connect to the database ``postgres``, since the command may close or rename the target's database."""
        options: dict[str, Any] = {
            "application_name": "generalprobe waits",
            "connect_timeout": 5,
            "options": "-c statement_timeout=5s",
        }
        try:
            return self.session.connect(name, "postgres", **options)
        except OpsError:
            return self.session.connect(name, **options)

    def _limits(self) -> Limits:
        entry = self.session.inventory.target(self.inputs.target)
        return Limits(entry.lock_wait, entry.lock_yield, entry.end_blockers)

    @property
    def _on(self) -> str:
        return f"inv resume --run={self.inputs.run}" if self.inputs.run else "repeat the command"

    def _ours(self, backend: Backend) -> bool:
        if backend.application == application(self.inputs.run):
            # Without a run this may be another process's session: report it, but never end it.
            return True
        return backend.application == "generalprobe" and backend.pid in self.session.commands.backends

    def _look(self, connection: psycopg.Connection[Any], limits: Limits) -> None:
        seen = judge(_waits(connection), self._ours)
        now = time.monotonic()
        there = {("root", one.pid): one for one in seen.roots} | {("held", one.pid): one for one in seen.held_up}
        self._since = {key: self._since.get(key, now) for key in there}
        for key, backend in there.items():
            waited = now - self._since[key]
            if key[0] == "root":
                self._waits(connection, backend, waited, limits)
            else:
                self._holds_up(backend, waited, limits)
            if self.gave_up:
                self._release(connection)
                return

    def _waits(self, connection: psycopg.Connection[Any], root: Backend, waited: float, limits: Limits) -> None:
        self._last = (time.monotonic(), root)
        if root.pid and root.role in limits.end_blockers and waited >= PAUSE and not self._ours(root):
            self._end(connection, root)
        elif waited >= limits.wait:
            self.gave_up = StepFailed(
                f"{self.inputs.target}: gave up after {waited:.0f} s of waiting for a lock (lock_wait) that is held by "
                f"{root.words}; the tool's sessions were ended and hold no locks",
                f"{root.ending}   ends that session, then   {self._on}",
            )
        elif waited >= REPORTED:
            self._say("root", root, f"waits for a lock that {root.words} holds; {root.ending} ends that session")

    def _holds_up(self, other: Backend, waited: float, limits: Limits) -> None:
        if self.yields and waited >= limits.give_way:
            self.gave_up = StepFailed(
                f"{self.inputs.target}: gave up after {waited:.0f} s in which {other.words} waited for the locks of "
                f"this run (lock_yield) and blocked other sessions; the cancelled command is read-only",
                f"{self._on}   after that session has ended",
            )
        elif waited >= REPORTED:
            self._say("held", other, f"{other.words} waits for the locks of this run")

    def _end(self, connection: psycopg.Connection[Any], root: Backend) -> None:
        try:
            connection.execute("SELECT pg_terminate_backend(%s)", [root.pid])
            self._say("ended", root, f"ended {root.words}, which held a lock (end_blockers)")
        except Exception as error:
            said = str(error).strip().splitlines()[0]
            self._say("kept", root, f"{root.words} holds a lock and could not be ended: {said}; {root.ending}")

    def _say(self, kind: str, backend: Backend, text: str) -> None:
        if (kind, backend.pid) not in self._told:
            self._told.add((kind, backend.pid))
            self.tell(text)

    def _release(self, connection: psycopg.Connection[Any]) -> None:
        """End the run's sessions until none is left, since pg_dump may start another session meanwhile."""
        mine = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
            "(application_name = %s OR application_name = 'generalprobe' AND pid = ANY (%s))"
        )
        run = application(self.inputs.run) if self.inputs.run else None
        for _ in range(TRIES):
            if not connection.execute(mine, [run, list(self.session.commands.backends)]).fetchall():
                return
            time.sleep(0.1)


def _waits(connection: psycopg.Connection[Any]) -> list[Wait]:
    rows = connection.execute(Path(SQL_FOLDER / "waits.sql").read_bytes()).fetchall()
    return [Wait(Backend(*row[:7]), Backend(*row[7:])) for row in rows]


def waiting(session: Session, target: str) -> list[str]:
    """Return the current lock waits between the tool and other sessions on a target's server, one sentence each."""
    with session.connect(target, "postgres") as connection:
        seen = judge(_waits(connection), lambda backend: backend.application.startswith("generalprobe"))
    said = [f"waits for a lock that {one.words} holds; {one.ending} ends that session" for one in seen.roots]
    return said + [f"{one.words} waits for the tool's locks" for one in seen.held_up]


@contextlib.contextmanager
def looking(session: Session, target: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Watch the queries before there is a run: report waits, and give up after ``lock_wait``."""
    with Watchdog(session, Looking(target), Tool("look"), tell) as watch:
        try:
            yield
        except Exception as error:
            if not (watch.gave_up or isinstance(error, OpsError)):
                raise
            raise watch.name_holder(error if isinstance(error, OpsError) else OpsError("")) from None
