"""Derive from the journals which backups were restored and proved, when, and in how many seconds.

A step that restores a backup is done only if the restored database's fingerprint equals the manifest's. So a journal
with that step done is the record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ops.core.errors import Code
from ops.core.text import age
from ops.engine.effects import StepEffect
from ops.engine.journal import State, moment


@dataclass(frozen=True)
class Proved:
    """A proved restore: the backup, the time, the run, its procedure, and the seconds."""

    backup: str
    at: datetime
    run: str
    procedure: str
    seconds: float

    def data(self) -> dict[str, object]:
        """Return the proof for ``--json``."""
        at = self.at.isoformat()
        return {"at": at, "run": self.run, "procedure": self.procedure, "seconds": self.seconds}


def proved(states: Iterable[State]) -> dict[str, Proved]:
    """Return the last proved restore of each backup, by the backup's id.

    Args:
        states: the runs of one target, as ``journal.runs`` returns them.
    """
    found: dict[str, Proved] = {}
    for state in states:
        for step in state.steps_with(StepEffect.RESTORES):
            at = moment(state.ever.get(step, ""))
            if state.backup and at:
                one = Proved(state.backup, at, state.run, state.procedure, state.seconds.get(step, 0))
                if one.backup not in found or found[one.backup].at < at:
                    found[one.backup] = one
    return found


def failed(states: Iterable[State]) -> dict[str, str]:
    """Return the run of the last drill of each backup that the drill found changed.

    A drill that was interrupted for another reason, such as disk space, proves nothing about the backup."""
    found: dict[str, str] = {}
    for state in states:
        if state.steps_with(StepEffect.RESTORES) & state.ever.keys():
            found.pop(state.backup, None)
        elif state.backup and Code.BAD_BACKUP in map(state.codes.get, state.steps_with(StepEffect.DRILLS)):
            found[state.backup] = state.run
    return found


def told(backup: str, known: Mapping[str, Proved], bad: Mapping[str, str]) -> str:
    """Return the state of a backup's restores in words."""
    if backup in bad:
        return f"NOT: drill {bad[backup]} FAILED"
    if backup not in known:
        return "never"
    one = known[backup]
    took = f", restored in {one.seconds:,.1f} s" if one.seconds else ""
    return f"{age(one.at)} ago by {one.procedure}{took}"
