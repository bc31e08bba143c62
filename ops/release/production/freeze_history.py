"""Since when production is frozen, and by whom: what a person needs who was not there."""

from __future__ import annotations

from collections.abc import Iterable

from ops.application.probe import identity
from ops.core.errors import Refused
from ops.engine.effects import Effect, StepEffect
from ops.engine.executor import way_on
from ops.engine.journal import State
from ops.infra.session.session import Session


def since(known: Iterable[State]) -> str:
    """The run that froze production last, and when, as words; empty where no run of this store did.

    Args:
        known: the target's runs, oldest first.
    """
    for state in reversed(list(known)):
        for step in state.touched & state.steps_with(StepEffect.FREEZES):
            return f"since {state.times.get(step, '')[:16].replace('T', ' ')} UTC by {state.procedure}, run {state.run}"
    return ""


def find_open(known: Iterable[State]) -> State | None:
    """Return the run that froze production and has not ended nor been taken back, if no later one changed its data."""
    more = [state for state in known if state.effects - {Effect.MINOR}]
    froze = bool(more) and bool(more[-1].touched & more[-1].steps_with(StepEffect.FREEZES))
    return more[-1] if froze and not more[-1].finished and not more[-1].undone else None


def refuse_open(session: Session, target: str, known: Iterable[State]) -> None:
    """Refuse to call a target done while a run that has not ended keeps its production frozen.

    Raises:
        Refused: which run, and what to type.
    """
    state = find_open(known)
    if state and identity(session, target)["read_only"] == "on":
        said = f"{state.procedure} {state.run} has not ended, and production is FROZEN (read-only)"
        raise Refused(f"{target}: no migration is pending, but {said}", way_on(state.run))
