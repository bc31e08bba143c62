"""The parts of an outcome: the reports of the run's steps, and a step's explanation of a failure."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from ops.engine.answer import Answer
from ops.engine.command import CommandRunner
from ops.engine.hooks import HOOKS
from ops.engine.journal import Event, State
from ops.engine.plan import Plan
from ops.engine.registry import TOOLS


@dataclass(frozen=True)
class Explanation:
    """The state in which a run has ended, and the next commands, each with its effect."""

    stands: str = ""
    ways: tuple[tuple[str, str], ...] = ()

    @property
    def hint(self) -> str:
        """The first command; empty if there is none."""
        return self.ways[0][0] if self.ways else ""

    def lines(self, more: str) -> list[str]:
        """Return the state followed by ``more``, and each command on a separate line, ready to be copied."""
        return ["; ".join(filter(None, (self.stands, more))), *(f"  {words}   {does}" for words, does in self.ways)]


def explain(session: CommandRunner, plan: Plan, state: State, *, stopped: bool, again: bool = True) -> Explanation:
    """Return the state and the next commands, from the ``explain`` of the last step that was begun and has one.

    Return an empty explanation if there is no such step, or if the state cannot be read.

    Args:
        stopped: the run was only interrupted, so a resume comes first.
        again: False if a resume would fail in the same place, so a resume comes last.
    """
    for planned in reversed(plan.steps):
        if planned.step.explain and planned.name in state.touched:
            asked = planned.step.explain(planned.inputs)
            action = TOOLS[asked.name]
            with contextlib.suppress(Exception):
                found = action(session, **asked.options)
                if isinstance(found, Answer):
                    resumes = [way for way in found.ways if way[0].startswith("inv resume ")]
                    others = [way for way in found.ways if way not in resumes]
                    ways = resumes + others if stopped else found.ways if again else others + resumes
                    return Explanation(found.stands, tuple(ways))
    return Explanation()


def reports(session: CommandRunner, plan: Plan, folder: Path) -> Event:
    """Read the reports that the plan's steps name from the run's folder; omit missing reports."""
    names = dict.fromkeys(name for planned in plan.steps for name in planned.step.reports)
    found = {name: HOOKS.reports[name](session, plan.inputs, folder) for name in names}
    return {name: report for name, report in found.items() if report}
