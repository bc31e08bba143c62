"""Which backups were restored and proved, when, and in which time: derived from the journals, recorded nowhere else.

A step that restores a backup is done when the restored database's fingerprint equals the manifest's, so a journal in
which it is done is the record.
"""

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
    """A restore that was proved: of which backup, when, by which run of which procedure, and its seconds."""

    backup: str
    at: datetime
    run: str
    procedure: str
    seconds: float

    def data(self) -> dict[str, object]:
        """For programs."""
        at = self.at.isoformat()
        return {"at": at, "run": self.run, "procedure": self.procedure, "seconds": self.seconds}


def proved(states: Iterable[State]) -> dict[str, Proved]:
    """The last proved restore of each backup, by the backup's id.

    Args:
        states: the runs of one target, as ``journal.runs`` gives them.
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
    """For each backup that its last drill found to be other than it was dumped: the drill's run. A drill that could
    not be done, for want of a server or of room, says nothing of the backup."""
    found: dict[str, str] = {}
    for state in states:
        if state.steps_with(StepEffect.RESTORES) & state.ever.keys():
            found.pop(state.backup, None)
        elif state.backup and Code.BAD_BACKUP in map(state.codes.get, state.steps_with(StepEffect.DRILLS)):
            found[state.backup] = state.run
    return found


def told(backup: str, known: Mapping[str, Proved], bad: Mapping[str, str]) -> str:
    """What is known of a backup's restores, as a person says it."""
    if backup in bad:
        return f"NOT: drill {bad[backup]} FAILED"
    if backup not in known:
        return "never"
    one = known[backup]
    took = f", restored in {one.seconds:,.1f} s" if one.seconds else ""
    return f"{age(one.at)} ago by {one.procedure}{took}"
