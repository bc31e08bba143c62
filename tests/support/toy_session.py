"""The world of the toy procedure: things that are there, whole or by half, and what befalls whoever works in it.

A thing has two halves, so a command can be struck between them. ``Runner``, ``Executor`` and ``ops.cli.run._work`` get
from ``ToySession`` what they ask of a ``Session``; the journal is the real one, on a disk that can be struck, too.
"""

from __future__ import annotations

import errno
import io
import os
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from ops.core.errors import StepFailed
from ops.engine.answer import Answer
from ops.engine.command import Command, Completed, Fact, Query, Shell
from ops.engine.journal import Event, Journal
from ops.engine.runner import Runner
from ops.release.measuring.migration_metrics import Measures
from tests.faults.places import Place
from tests.support.toy import FIRST, said_to

# What befalls a run, and the words that a person must read of it.
SAID = {
    "kill": "",
    "int": "interrupted",
    "exit": "it broke",
    "cut": "server closed the connection",
    "down": "server closed the connection",
    "lock": "canceling statement due to lock timeout",
    "full": os.strerror(errno.ENOSPC),
    "readonly": os.strerror(errno.EROFS),
    "unlocked": "the run lock was lost",
}
DISK = {"full": errno.ENOSPC, "readonly": errno.EROFS}
HALVES = (1, 2)


class Killed(BaseException):
    """kill -9: nothing of the process comes after it."""


class Said(Exception):
    """What a program writes on standard error before it ends with ``code``; psql says so where it lost its server."""

    def __init__(self, text: str, code: int = 3) -> None:
        super().__init__(text)
        self.code = code


@dataclass
class Things:
    """What is there: the halves of each thing, how often each half was made since it was last dropped, and numbers
    that were given. ``wrong`` holds what must not happen while a command runs."""

    there: dict[str, set[int]] = field(default_factory=dict)
    made: Counter[tuple[str, int]] = field(default_factory=Counter)
    number: int = 0
    wrong: list[str] = field(default_factory=list)

    def copy(self) -> Things:
        there = {name: set(halves) for name, halves in self.there.items()}
        return Things(there, self.made.copy(), self.number, [*self.wrong])

    def make(self, name: str, half: int) -> None:
        self.there.setdefault(name, set()).add(half)
        self.made[name, half] += 1

    def drop(self, name: str, *halves: int) -> None:
        left = self.there.get(name, set()) - set(halves)
        self.there = {**self.there, name: left} if left else {n: h for n, h in self.there.items() if n != name}
        for half in halves:
            self.made.pop((name, half), None)

    def half(self, verb: str, name: str, half: int) -> str:
        """Do one half of a command, and give what it prints."""
        if verb in ("make", "number"):
            if name == "schema" and self.there.get("frozen") != set(HALVES):
                self.wrong.append("migrated while users could write")
            self.make(name, half)
            self.number += verb == "number" and half == 1
            return str(self.number) if verb == "number" else ""
        if verb == "drop":
            self.drop(name, half)
        elif verb == "swap":
            self._swap(name, half)
        elif verb == "reopen":
            self.drop("closed", *HALVES)
        elif verb in ("there", "gone") and self.there.get(name, set()) != (set(HALVES) if verb == "there" else set()):
            raise Said(f"ERROR:  {name} is not {'there' if verb == 'there' else 'gone'}")
        return name if verb == "say" else ""

    def _swap(self, name: str, half: int) -> None:
        """Nobody is let in; then the names change in one moment, and everybody is."""
        if half == 1:
            self.there["closed"] = set(HALVES)
            return
        self.drop("live", *HALVES)
        if name == "live":
            for one in HALVES:
                self.make("live", one)
        self.drop("closed", *HALVES)


@dataclass
class Blow:
    """One fault that falls once, at a place."""

    fault: str
    phase: str
    at: Place
    dealt: Place | None = None

    def would(self, place: Place) -> bool:
        """Whether it falls there, in its phase."""
        return self.dealt is None and place == self.at and applies(self.fault, place, self.phase)

    def falls(self, place: Place, phase: str) -> bool:
        """Whether it falls there and now; then it has fallen."""
        if phase != self.phase or not self.would(place):
            return False
        self.dealt = place
        return True


@dataclass
class Next(Blow):
    """What falls at the first place that is not in ``struck``; which fault is told by the place and by ``turn``."""

    struck: set[Place] = field(default_factory=set)
    turn: int = 0

    def would(self, place: Place) -> bool:
        kinds = [fault for fault in SAID if applies(fault, place, self.phase)]
        if self.dealt or place in self.struck or not kinds:
            return False
        self.fault = kinds[(zlib.crc32(str(place).encode()) + self.turn) % len(kinds)]
        return True

    def falls(self, place: Place, phase: str) -> bool:
        fallen = super().falls(place, phase)
        if fallen:
            self.struck.add(place)
        return fallen


def applies(fault: str, place: Place, phase: str) -> bool:
    """Whether a fault can befall a place then, and is not the same there in another phase.

    A check changes nothing, so it is only struck instead of its answer. Only disks and signals hit the journal. The
    run lock's own connection is lost beside a command, which ends well.
    """
    changes = place.role in ("do", "undo")
    if place.role.startswith("journal-"):
        return fault in ("kill", "int", "full") or (fault == "readonly" and phase == "before")
    if fault == "unlocked":
        return phase == ("after" if changes else "before")
    return changes or phase == "before"


class ToySession:
    """What a run asks of a ``Session``, for one process.

    Args:
        folder: where the store is.
        things: what is there; it outlives the process.
        blows: what befalls it.
    """

    def __init__(self, folder: Path, things: Things, *blows: Blow) -> None:
        self.folder, self.things, self.blows = folder, things, blows
        self.inventory = self.stores = self
        self.dead = self.down = False
        self.lost: Place | None = None
        self.disk = 0
        self.place = Place(FIRST, "", 0)
        self._turns: Counter[tuple[str, str]] = Counter()
        self.asked: list[str] = []
        self.came: list[Place] = []

    def path(self, name: str) -> Path:
        return self.folder / name

    def local_folder(self, target: str) -> Path:
        return self.folder / "backups" / target

    def is_remote(self, target: str) -> bool:
        return False

    def sender(self, target: str, run: str) -> Callable[[], None]:
        return self.sent

    def sent(self) -> None:
        """Nobody else sees this store. The journal finds its session by this."""

    def role(self, target: str) -> str:
        """Who connects, for the texts of failures."""
        return "app"

    def forget(self) -> None:
        """Nothing is looked up."""

    def redact(self, text: str) -> str:
        return text

    def held(self) -> None:
        """As ``RunLock.check``."""
        if self.lost:
            raise StepFailed("shop: the run lock was lost: its connection was closed", "inv resume --run=r1")

    def at(self, step: str, role: str) -> Place:
        """The place at which the run comes now; each time that it comes to a role again is another one."""
        self._turns[step, role] += 1
        self.place = Place(step, role, self._turns[step, role] - 1)
        self.came.append(self.place)
        return self.place

    def may(self, place: Place, *, asks: bool) -> None:
        """Note what must not be done: to go on without the run lock, or without having asked the operator.

        Args:
            asks: the operator is to be asked before what is done there.
        """
        changes, lost = place.role in ("do", "undo"), self.lost
        if lost and (place.step != lost.step or (changes and lost.role not in ("do", "undo"))):
            self.things.wrong.append(f"{place} without the run lock")
        if changes and asks and not self.asked:
            self.things.wrong.append(f"{place}, and nobody was asked")

    def amid(self, place: Place) -> bool:
        """Whether a blow will fall in the middle of what is done there."""
        return any(blow.phase == "during" and blow.would(place) for blow in self.blows)

    def strike(self, phase: str, place: Place) -> None:
        """Let the blow fall, if it falls here."""
        if self.dead:
            raise Killed
        for blow in self.blows:
            if blow.falls(place, phase):
                self._befall(blow.fault)

    def _befall(self, fault: str) -> None:
        self.dead, self.down = fault == "kill", self.down or fault == "down"
        self.lost = self.lost or (self.place if fault in ("cut", "down", "unlocked") else None)
        self.disk = DISK.get(fault, self.disk)
        if fault == "kill":
            raise Killed
        if fault == "int":
            raise KeyboardInterrupt
        if fault in DISK:
            raise self.disk_error()
        if fault != "unlocked":
            lost = fault in ("cut", "down")
            raise Said(SAID[fault] if lost else f"ERROR:  {SAID[fault]}", 2 if lost else 3)

    def note(self) -> None:
        """What a command printed is kept beside the journal, where there is room."""
        if self.disk:
            raise self.disk_error()

    def disk_error(self) -> OSError:
        """As the system raises it: a file that is open already has no name there."""
        name = None if self.place.role.startswith("journal-") else "backups/file"
        return OSError(self.disk, os.strerror(self.disk), name)

    def run(
        self,
        command: Shell | Query,
        *,
        run: str = "",
        known: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Completed:
        """As ``Session.run``; a fact must be the one that was found out."""
        for word in command.words[3:] if isinstance(command, Shell) else ():
            self._must_know(word, known or {})
        verb, name = said_to(command)
        if verb == "reopen":
            self.at(self.place.step, "mend")
        try:
            said = self.do(verb, name)
        except Said as error:
            return Completed(error.code, "", f"{error}\n")
        if on_line:
            on_line(said)
        return Completed(0, f"{said}\n", "")

    def _must_know(self, word: str | Fact, known: Mapping[str, str]) -> None:
        assert isinstance(word, Fact)
        wanted = {"ROWS": "3", "NUMBER": str(self.things.number)}[word.name]
        if known.get(word.name) != wanted:
            self.things.wrong.append(f"{word.name} is {known.get(word.name)}, not {wanted}")

    def tool(self, does: str, name: str) -> str:
        """A tool of ours, with a connection of its own."""
        try:
            return self.do(does, name)
        except Said as error:
            if error.code == 2:
                raise psycopg.OperationalError(f"{error}\n\tThis probably means that it ended.") from None
            if SAID["lock"] in str(error):
                raise psycopg.errors.LockNotAvailable(str(error)) from None
            raise StepFailed(f"shop: {error}") from None

    def do(self, verb: str, name: str) -> str:
        """One command, half by half."""
        if self.down:
            raise Said(SAID["down"], 2)
        self.strike("before", self.place)
        self.things.half(verb, name, 1)
        self.strike("during", self.place)
        said = self.things.half(verb, name, 2)
        self.strike("after", self.place)
        return said


class ToyRunner(Runner):
    """Notes at which place the run is."""

    def execute(self, command: Command, key: str, line: Any = lambda _: None) -> str:
        step = self._current.name if self._current else FIRST
        role = "do" if key == step else "undo" if key == f"undo-{step}" else key
        session: Any = self.session
        confirms = {planned.name for planned in self.plan.steps if planned.step.confirm}
        session.may(session.at(step, role), asks=step in confirms or (role == "undo" and bool(confirms)))
        return super().execute(command, key, line)


class Disk(io.FileIO):
    """The journal's file. A line that is struck in its middle is written by half."""

    def __init__(self, handle: int, session: ToySession) -> None:
        super().__init__(handle, "a")
        self.session, self.place, self.halved = session, Place(FIRST, "", 0), False

    def write(self, data: Any) -> int:
        """What a process would write that was killed goes nowhere; a disk that is full stays so."""
        session = self.session
        if session.dead:
            return len(data)
        if session.disk:
            raise session.disk_error()
        session.strike("during" if self.halved else "before", self.place)
        self.halved = not self.halved and session.amid(self.place)
        return super().write(bytes(data)[: len(data) // 2] if self.halved else data)

    def fileno(self) -> int:
        """It is asked for right before it is synced, which is when the last blow can fall."""
        self.session.strike("after", self.place)
        return super().fileno()


class ToyJournal(Journal):
    """The real journal on a ``Disk``."""

    def __init__(self, folder: Path, send: Callable[[], None]) -> None:
        super().__init__(folder, send)
        session: ToySession = send.__self__  # type: ignore[attr-defined]
        self._disk = Disk(os.dup(self._file.fileno()), session)
        self._file.close()
        self._file = io.TextIOWrapper(io.BufferedWriter(self._disk), encoding="utf-8", errors="backslashreplace")

    def append(self, event: Event) -> None:
        kind = str(event["event"])
        owner = {"step": event.get("step"), "measures": event.get("step"), "fact": event.get("name")}.get(kind, "run")
        self._disk.place = self._disk.session.at(str(owner), f"journal-{event.get('status', kind)}")
        super().append(event)


class ToyWatch:
    """Measures nothing."""

    def __init__(self, _: Any) -> None:
        pass

    def start(self) -> None:
        pass

    def line(self, text: str) -> None:
        pass

    def stop(self, error: str = "") -> Measures:
        return Measures(run="r1", backup="r1", why_not="a toy")


def toy_tool(session: Any, does: str, name: str) -> str:
    return session.tool(does, name)


def explain_toy(session: Any, run: str) -> str:
    """What stands and what to type, as the tool of a promotion says it."""
    session.at(FIRST, "explain")
    session.tool("say", "schema")
    resume = (f"inv resume --run={run}", "goes on")
    if "schema" in session.things.there:
        return Answer("…", stands="production is migrated", ways=(("inv rollback", "takes it back"), resume))
    back = (f"inv undo --run={run}", "takes it back")
    return Answer("…", stands="nothing is migrated", ways=(resume, back))
