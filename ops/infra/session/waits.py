"""Waits for locks: who holds up the tool, and whom the tool holds up, while a command of a run works.

The server cannot see that psql waits for pg_dump, and nobody sees why nothing happens. So a session of its own looks
at ``pg_blocking_pids`` twice a second: it reports who holds a lock and how to end that session, ends the sessions of
the roles that the inventory's ``end_blockers`` names, and gives up after a limit by ending the tool's own sessions,
which releases all that they hold. A backup gives way sooner where others wait for it. What goes wrong here never makes
a command fail.
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
from ops.core.sql_files import SQL_FOLDER
from ops.engine.command import Command, Query, Tool, targets
from ops.engine.inputs import RunInputs
from ops.infra.postgres.session_settings import application
from ops.infra.session.session import Session

if TYPE_CHECKING:
    import psycopg

# Seconds: until the first look, between two looks, and until a wait is reported.
FIRST, PAUSE, REPORTED = 0.7, 0.5, 3.0
# How long a blocker that was seen may be named after a lock was not to be had.
FRESH = 3.0
# Only these give way to others: they read, and are done again without harm.
YIELDING = ("dump.sql", "fingerprint.sql")
TRIES = 50


@dataclass(frozen=True)
class Backend:
    """A session of the server, as far as this role may see it; ``word`` is the first of its statement."""

    pid: int
    role: str
    application: str = ""
    state: str = ""
    client: bool = True
    since: str = ""
    word: str = ""

    @property
    def words(self) -> str:
        """The session as a person reads it; nothing of its statement but the first word."""
        if not self.pid:
            return "a prepared transaction (SELECT gid FROM pg_prepared_xacts)"
        since = f"since {self.since} UTC" if self.since else "since when only pg_read_all_stats may see"
        doing = " ".join(filter(None, (self.state, since)))
        return f"pid {self.pid} (role {self.role}, {doing}{f', statement {self.word}' if self.word else ''})"

    @property
    def ending(self) -> str:
        """The statement that ends it."""
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
    """What one look found, in the tool's eyes: for whom it waits at last, and who waits for it."""

    roots: list[Backend] = field(default_factory=list)
    held_up: list[Backend] = field(default_factory=list)


def judge(waits: Iterable[Wait], ours: Callable[[Backend], bool]) -> Seen:
    """Find for whom sessions of the tool wait, following others that wait themselves, and who waits for the tool."""
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
    """Stands for a run's inputs as long as there is no run: somebody only looks at a target."""

    target: str
    test: str = ""
    run: str = ""


class Watchdog:
    """Looks after one command, from ``__enter__`` to ``__exit__``.

    Args:
        session: the connections.
        inputs: the run's, or who only looks.
        command: what runs.
        tell: is told what a person should read.
    """

    def __init__(
        self, session: Session, inputs: RunInputs | Looking, command: Command, tell: Callable[[str], None]
    ) -> None:
        self.session, self.inputs, self.tell = session, inputs, tell
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
            thread.join(10 if self.gave_up else 1)  # The outcome says that our sessions have ended.

    def name_holder(self, error: OpsError) -> OpsError:
        """Give the error that ended the command: why it was given up, or with the holder of the lock named."""
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
                # Where nobody has connected yet, there is nothing to wait for, and the address may not be known.
                if self._stop.wait(PAUSE):
                    return
            with self._connected(name) as connection:
                limits = self._limits()
                while not self._stop.wait(PAUSE) and not self.gave_up:
                    self._look(connection, limits)

    def _connected(self, name: str) -> psycopg.Connection[Any]:
        """On another database of the server, as the command may close or rename its own."""
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
        return f"inv resume --run={self.inputs.run}" if self.inputs.run else "the same again"

    def _ours(self, backend: Backend) -> bool:
        if backend.application == application(self.inputs.run):
            # Before there is a run this may be somebody else's look, too: it is reported, and never ended.
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
                f"{self.inputs.target}: given up after {waited:.0f} s of waiting for a lock (lock_wait): it is held by "
                f"{root.words}; the tool's own sessions have ended and hold nothing",
                f"{root.ending}   ends that session, then   {self._on}",
            )
        elif waited >= REPORTED:
            self._say("root", root, f"waits for a lock that {root.words} holds; {root.ending} ends that session")

    def _holds_up(self, other: Backend, waited: float, limits: Limits) -> None:
        if self.yields and waited >= limits.give_way:
            self.gave_up = StepFailed(
                f"{self.inputs.target}: given up after {waited:.0f} s in which {other.words} waited for the locks of "
                f"this run (lock_yield): other sessions queue behind it; what was given up only read",
                f"{self._on}   when that session is done",
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
        """End the run's own sessions until none is left: a pg_dump may start another one meanwhile."""
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
    """Who keeps sessions of the tool waiting on a target's server right now, and whom they keep: a sentence each."""
    with session.connect(target, "postgres") as connection:
        seen = judge(_waits(connection), lambda backend: backend.application.startswith("generalprobe"))
    said = [f"waits for a lock that {one.words} holds; {one.ending} ends that session" for one in seen.roots]
    return said + [f"{one.words} waits for the tool's locks" for one in seen.held_up]


@contextlib.contextmanager
def looking(session: Session, target: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Look after what is looked up before there is a run: report waits, and give up after ``lock_wait``."""
    with Watchdog(session, Looking(target), Tool("look"), tell) as watch:
        try:
            yield
        except Exception as error:
            if not (watch.gave_up or isinstance(error, OpsError)):
                raise
            raise watch.name_holder(error if isinstance(error, OpsError) else OpsError("")) from None
