"""Find out since when production is frozen, and by which run."""

from __future__ import annotations

from collections.abc import Iterable

from ops.application.probe import identity
from ops.core.errors import Refused
from ops.engine.effects import Effect, StepEffect
from ops.engine.executor import way_on
from ops.engine.journal import State
from ops.infra.session.session import Session


def since(known: Iterable[State]) -> str:
    """Return which run froze production last, and when, as text; empty if no run of this store did.

    Args:
        known: the target's runs, oldest first.
    """
    for state in reversed(list(known)):
        for step in state.touched & state.steps_with(StepEffect.FREEZES):
            return f"since {state.times.get(step, '')[:16].replace('T', ' ')} UTC by {state.procedure}, run {state.run}"
    return ""


def find_open(known: Iterable[State]) -> State | None:
    """Return the open run that froze production, unless a later run changed its data."""
    more = [state for state in known if state.effects - {Effect.MINOR}]
    froze = bool(more) and bool(more[-1].touched & more[-1].steps_with(StepEffect.FREEZES))
    return more[-1] if froze and not more[-1].finished and not more[-1].undone else None


def refuse_open(session: Session, target: str, known: Iterable[State]) -> None:
    """Refuse to report that nothing is to do while an open run keeps production frozen.

    Raises:
        Refused: a run that has not ended keeps production frozen.
    """
    state = find_open(known)
    if state and identity(session, target)["read_only"] == "on":
        said = f"{state.procedure} {state.run} has not ended, and production is FROZEN (read-only)"
        raise Refused(f"{target}: no migration is pending, but {said}", way_on(state.run))
