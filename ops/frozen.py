"""Since when production is frozen, and by whom: what a person needs who was not there."""

from __future__ import annotations

from collections.abc import Iterable

from ops.journal import State

# As it stands in a run's header, whichever version wrote it.
FREEZES = "/freeze.sql"


def since(known: Iterable[State]) -> str:
    """The run that froze production last, and when, as words; empty where no run of this store did.

    Args:
        known: the target's runs, oldest first.
    """
    for state in reversed(list(known)):
        step = _freezing(state)
        if step in state.touched:
            return f"since {state.times.get(step, '')[:16].replace('T', ' ')} UTC by {state.procedure}, run {state.run}"
    return ""


def _freezing(state: State) -> str:
    """The step of a run that freezes, by what it runs."""
    plan = state.header.get("plan")
    for step in plan if isinstance(plan, list) else []:
        if any(FREEZES in command for command in step["commands"]):
            return str(step["step"])
    return ""
