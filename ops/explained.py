"""What a run that did not end well has left, as one of its own steps explains it."""

from __future__ import annotations

import contextlib

from ops.journal import State
from ops.plan import Plan
from ops.tools import TOOLS
from ops.world import World


def explained(world: World, plan: Plan, state: State, *, stopped: bool) -> tuple[str, str]:
    """What stands, and what to type.

    Both are empty where no such step was begun, or where it can't be looked at. Where the run was only ``stopped``,
    going on comes first.
    """
    for planned in reversed(plan.steps):
        if planned.step.explain and planned.name in state.touched:
            asked = planned.step.explain(planned.inputs)
            with contextlib.suppress(Exception):
                stands_now, *ways = TOOLS[asked.name](world, **asked.options).split("\nTry: ")
                ways.sort(key=lambda way: stopped and not way.startswith("inv resume"))
                # What is to be typed stands alone, to be copied as it is; what it does is said before.
                told = [f"\n  {way.replace('   # ', '   ')}" for way in ways]
                return f"{stands_now}{''.join(told)}", ways[0].split("   # ")[0]
    return "", ""
