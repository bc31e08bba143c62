"""What an outcome carries beside its words: the reports of the run's steps, and how one of them explains a failure."""

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
    """What a run has left, and what may be typed then, each with what it does."""

    stands: str = ""
    ways: tuple[tuple[str, str], ...] = ()

    @property
    def hint(self) -> str:
        """The first way; empty where there is none."""
        return self.ways[0][0] if self.ways else ""

    def lines(self, more: str) -> list[str]:
        """A sentence with ``more`` behind it, and each way on a line of its own, to be copied as it is."""
        return ["; ".join(filter(None, (self.stands, more))), *(f"  {words}   {does}" for words, does in self.ways)]


def explain(session: CommandRunner, plan: Plan, state: State, *, stopped: bool, again: bool = True) -> Explanation:
    """Ask the last step that was begun and can explain itself what stands, and what to type.

    Nothing is explained where no such step was begun, or where it can't be looked at. Where the run was only
    ``stopped``, going on comes first; where the same would fail ``again``, it comes last.
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
    """Read the reports that the plan's steps name from the run's folder, each where there is one."""
    names = dict.fromkeys(name for planned in plan.steps for name in planned.step.reports)
    found = {name: HOOKS.reports[name](session, plan.inputs, folder) for name in names}
    return {name: report for name, report in found.items() if report}
