"""What a run has changed so far, in words; what must hold meanwhile is asked of the server."""

from __future__ import annotations

from collections.abc import Callable

from ops.core.errors import Code, OpsError, Unreachable
from ops.engine.answer import Answer
from ops.engine.journal import State
from ops.engine.plan import Plan, PlannedCheck, PlannedStep

Holds = Callable[[PlannedCheck], OpsError | None]


def stands(plan: Plan, state: State, holds: Holds, undone: bool = False) -> Answer:
    """Say what a run has changed so far, for a person who was not there.

    Args:
        holds: asks a check of the plan; None where it holds, else why not.
        undone: it has just been taken back, and its journal does not say so yet.

    Returns:
        the sentence; its code is ``BROKEN_PROMISE`` where what users were promised holds no longer.
    """
    touched = [p for p in plan.steps if p.name in state.touched and not p.step.reads]
    if not touched:
        return Answer("nothing was changed")
    done = [planned for planned in touched if state.status[planned.name] == "done"]
    data = [planned for planned in touched if planned.step.data]
    promises, broken = _promises(touched, done, holds)
    code = Code.BROKEN_PROMISE if broken else Code.NONE
    if undone or state.undone:
        kept = [p.step.data for p in data if p in done]
        return _joined([*(kept or ["what this run had changed is taken back"]), *promises, *broken], code)
    said = [p.step.data if p in done else f'"{p.step.title}" was begun, not finished' for p in data]
    said = said or ["this run has changed none of production's data"]
    said += [*promises, *broken]
    said += [f'not finished: "{p.step.title}"' for p in touched if p not in done and p not in data]
    if done:
        count = f"{len(done)} changing steps are done, the last" if len(done) > 1 else "1 changing step is done"
        said.append(f'{count}: "{done[-1].step.title}"')
    return _joined(said, code)


def _joined(said: list[str], code: Code) -> Answer:
    return Answer("; ".join(said), code, parts=tuple(said))


def _promises(touched: list[PlannedStep], done: list[PlannedStep], holds: Holds) -> tuple[list[str], list[str]]:
    """Say of what is to hold until a later step ends it whether it holds, and what of it is broken.

    The server is asked, since a list of steps does not show it.
    """
    said, broken = [], []
    ended, ending = ({planned.step.ends for planned in some} for some in (done, touched))
    for planned in touched:
        promise = planned.step.meanwhile
        if not promise or promise in ended:
            continue
        wrong = holds(planned.proof) if planned.proof else None
        if isinstance(wrong, Unreachable):
            said.append(f"the server does not answer, so it is not known whether this still holds: {promise}")
        elif not wrong:
            said.append(promise)
        elif promise not in ending:
            broken.append(f"not so, or no longer: {promise}")
    return said, broken


def lower(title: str) -> str:
    """A title within a sentence."""
    return title[0].lower() + title[1:]
