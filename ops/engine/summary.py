"""What a run has changed so far, in words, and what an undo takes back of it; what must hold meanwhile is asked of the
server."""

from __future__ import annotations

from collections.abc import Callable

from ops.core.errors import Code, NoWayOn, OpsError, Refused, Unreachable
from ops.engine.answer import Answer
from ops.engine.executor import past_final
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
        back = "what this run had changed is taken back"
        none = "this run has changed none of production's data"
        kept = kept or [back if state.names("undone") else none]
        return _joined([*kept, *promises, *broken], code)
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
            said.append(f"it is not known whether this still holds: {promise} ({wrong.message})")
        elif not wrong:
            said.append(promise)
        elif planned not in done:
            said.append(f"not so, since that step did not end well: {promise}")
        elif promise not in ending:
            broken.append(f"not so, or no longer: {promise}")
    return said, broken


def lower(title: str) -> str:
    """A title within a sentence."""
    return title[0].lower() + title[1:]


def known(ask: Holds) -> Holds:
    """Return what asks a check where not to know is no answer: it raises ``Unreachable`` then."""

    def answer(check: PlannedCheck) -> OpsError | None:
        if isinstance(error := ask(check), Unreachable):
            raise error
        return error

    return answer


def touched_steps(plan: Plan, state: State) -> list[PlannedStep]:
    """Return the steps that were begun and not taken back, in the order in which they came to where they are."""
    steps = {planned.name: planned for planned in plan.steps}
    return [steps[name] for name in state.status if name in state.touched and name in steps]


def to_undo(plan: Plan, state: State) -> list[PlannedStep]:
    """Return the steps that an undo takes back, the first one first."""
    return [planned for planned in reversed(touched_steps(plan, state)) if planned.undo]


def nothing_to_undo(plan: Plan, state: State) -> str:
    """Return why a run that was begun has nothing that an undo could take back; empty where it has something."""
    steps = touched_steps(plan, state)
    if not steps or any(planned.undo for planned in steps):
        return ""
    return steps[-1].step.stays or "what was done has changed nothing"


def may_undo(plan: Plan, state: State, answer: Holds) -> None:
    """Refuse an undo that can't be, before anything is written.

    A run that has not ended may always be ended by an undo, also where nothing has to be taken back.

    Args:
        answer: asks a check; None where it holds, else why not.

    Raises:
        NoWayOn: a final step is done.
        Refused: the run has ended, and nothing of it can be taken back.
    """
    refuse_final(plan, state, answer)
    if state.finished and (why := nothing_to_undo(plan, state)):
        raise Refused(f"{plan.inputs.target}: nothing to take back: {why}", "inv runs")


def refuse_final(plan: Plan, state: State, answer: Holds) -> None:
    """Refuse where a final step is done, or where it failed and is not proved to have left no trace.

    Raises:
        NoWayOn: the step, and what to type.
    """
    for planned in touched_steps(plan, state):
        if not planned.step.final:
            continue
        asks = planned.untouched if state.status[planned.name] != "done" else None
        if (wrong := asks and answer(asks)) is None and asks:
            continue
        why = f"{wrong.message}. {planned.step.final}" if wrong else planned.step.final
        said = f"{planned.inputs.target}: {planned.name} can't be undone: {why}"
        raise NoWayOn(said, past_final(planned, state))
