"""Runs the toy procedure as ``inv`` does, strikes it, and says what is wrong with what it left.

Each call is a process of its own, as it were: it knows the journal and the things that are there, and nothing else.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ops.cli import console, options, process, run, status
from ops.core.errors import OpsError
from ops.engine import journal
from ops.engine.hooks import HOOKS
from ops.engine.journal import State
from ops.engine.plan import Plan
from ops.engine.registry import TOOLS, WATCHES
from tests.faults.places import Place
from tests.support.done import Done
from tests.support.toy import INPUTS, TARGET, toy_plan
from tests.support.toy_session import (
    Blow,
    Killed,
    Things,
    ToyJournal,
    ToyRunner,
    ToySession,
    ToyWatch,
    explain_toy,
    toy_tool,
)

KILLED = -9


def _register(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(TOOLS, "toy", toy_tool)
    patch.setitem(TOOLS, "explain-toy", explain_toy)
    patch.setitem(WATCHES, "toy", ToyWatch)


with pytest.MonkeyPatch.context() as during:
    _register(during)
    PLAN = toy_plan()
STEPS = {planned.name: planned for planned in PLAN.steps}
FINAL = next(planned for planned in PLAN.steps if planned.step.final)


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """The toy's parts in the engine's place, in a world without waiting, signals, logs and syncs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ops.cli.run.replan", lambda _, **__: PLAN)
        patch.setattr("ops.cli.status.replan", lambda _, **__: PLAN)
        _register(patch)
        patch.setitem(HOOKS.reports, "toy", lambda *_: {"of": "a toy"})
        patch.setattr("ops.cli.run.Runner", ToyRunner)
        patch.setattr("ops.engine.journal.Journal", ToyJournal)
        for name in ("_signals", "_speakable", "_deaf"):
            patch.setattr(f"ops.cli.process.{name}", lambda: None)
        patch.setattr("ops.engine.runner.PAUSES", (0,))
        patch.setattr("ops.infra.postgres.clean_up.PATIENCE", 0)
        patch.setattr("ops.engine.executor.Executor._log", lambda executor, *_: executor.session.note())
        patch.setattr("os.fsync", lambda _: None)
        yield


@dataclass
class Lab:
    """A store, and the things that are there.

    Args:
        folder: where the store is.
        plan: what is run.
    """

    folder: Path
    plan: Plan = PLAN
    things: Things = field(default_factory=Things)
    asked: list[str] = field(default_factory=list)
    came: list[Place] = field(default_factory=list)
    blows: tuple[Blow, ...] = ()
    _read: tuple[bytes, State | None] = (b"", None)

    @property
    def path(self) -> Path:
        return self.folder / INPUTS.run_folder / "journal.jsonl"

    def state(self) -> State | None:
        """What the run's journal says, to be looked at; None where it never began."""
        content = self.written()
        if content != self._read[0]:
            self._read = content, None
            with contextlib.suppress(OpsError):
                self._read = content, journal.read(self.path.parent)
        return self._read[1]

    def begin(self, *blows: Blow) -> Done:
        return self._call(None, False, blows)

    def again(self, way: str, *blows: Blow) -> Done:
        """``resume`` or ``undo``; where no run was begun there is only one way, to begin."""
        if (known := self.state()) is None:
            self.path.unlink(missing_ok=True)
            return self.begin(*blows)
        state = replace(known, status={**known.status}, touched={*known.touched}, facts={**known.facts})
        return self._call(state, way == "undo", blows)

    def _call(self, state: State | None, undo: bool, blows: tuple[Blow, ...]) -> Done:
        session: Any = ToySession(self.folder, self.things, *blows)
        given = Asked(session, self.plan.word)
        text, code = io.StringIO(), KILLED

        def work() -> int:
            return run._work(session, self.plan, console.Console(), given, session.held, state=state, undo=undo)

        with contextlib.redirect_stdout(text), contextlib.suppress(Killed):
            try:
                process.ended(work, options.Options(target=TARGET), "toy")
            except SystemExit as end:
                code = int(str(end.code))
        self.blows = blows
        self.asked, self.came = session.asked, session.came
        return Done(code, text.getvalue(), "")

    def status(self, state: State) -> str:
        """What ``inv status`` says of the run."""
        session: Any = ToySession(self.folder, self.things)
        return "\n".join(status.status_lines(session, state))

    def written(self) -> bytes:
        """The journal as it is on the disk."""
        with contextlib.suppress(FileNotFoundError):
            return self.path.read_bytes()
        return b""

    def kept(self) -> Kept:
        return Kept(self.written(), self.things.copy())

    def put_back(self, kept: Kept) -> None:
        self.things = kept.things.copy()
        self.path.unlink(missing_ok=True)
        if kept.journal:
            self.path.write_bytes(kept.journal)


class Asked(console.Confirmation):
    """Types the word, and notes what was asked for."""

    def __init__(self, session: ToySession, word: str) -> None:
        super().__init__(word, False, "")
        self.session = session

    def ask(self, target: str, title: str) -> None:
        super().ask(target, title)
        self.session.asked.append(title)


@dataclass(frozen=True)
class Kept:
    """A journal and the things, as they were at a moment."""

    journal: bytes
    things: Things
