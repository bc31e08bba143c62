"""Describe what a run has changed, and determine which steps an undo reverts."""

from __future__ import annotations

from collections.abc import Callable

from ops.core.errors import Code, NoWayOn, OpsError, Refused, Unreachable
from ops.engine.answer import Answer
from ops.engine.executor import past_final
from ops.engine.journal import State
from ops.engine.plan import Plan, PlannedCheck, PlannedStep

Holds = Callable[[PlannedCheck], OpsError | None]


def stands(plan: Plan, state: State, holds: Holds, undone: bool = False) -> Answer:
    """Describe what a run has changed so far.

    Args:
        holds: evaluates a check of the plan; returns None if the check holds, else the error.
        undone: the run has just been undone, and its journal does not contain that yet.

    Returns:
        the description; its code is ``UNCHANGED`` if nothing was changed, and ``BROKEN_PROMISE`` if a condition that
        users rely on no longer holds.
    """
    touched = [p for p in plan.steps if p.name in state.touched and not p.step.reads]
    if not touched:
        return Answer("nothing was changed", Code.UNCHANGED)
    done = [planned for planned in touched if state.status[planned.name] == "done"]
    data = [planned for planned in touched if planned.step.data]
    promises, broken = _promises(touched, done, holds)
    code = Code.BROKEN_PROMISE if broken else Code.NONE
    if undone or state.undone:
        kept = [p.step.data for p in data if p in done]
        back = "the changes of this run are undone"
        none = "this run has not changed production's data"
        kept = kept or [back if state.names("undone") else none]
        return _joined([*kept, *promises, *broken], code)
    said = [p.step.data if p in done else f'"{p.step.title}" was begun, not finished' for p in data]
    said = said or ["this run has not changed production's data"]
    said += [*promises, *broken]
    said += [f'not finished: "{p.step.title}"' for p in touched if p not in done and p not in data]
    if done:
        several = f"{len(done)} steps that change something are done, the last"
        count = several if len(done) > 1 else "1 step that changes something is done"
        what = done[-1].step.changes
        said.append(f"{count}: {done[-1].quoted}{f' (it changes {what})' if what else ''}")
    return _joined(said, code)


def _joined(said: list[str], code: Code) -> Answer:
    return Answer("; ".join(said), code, parts=tuple(said))


def _promises(touched: list[PlannedStep], done: list[PlannedStep], holds: Holds) -> tuple[list[str], list[str]]:
    """Query the server for the conditions that hold until a later step, and return the statements and the broken ones.

    The journal does not show whether a condition still holds.
    """
    said, broken = [], []
    ended, ending = ({planned.step.ends for planned in some} for some in (done, touched))
    for planned in touched:
        promise = planned.step.meanwhile
        if not promise or promise in ended:
            continue
        wrong = holds(planned.proof) if planned.proof else None
        if isinstance(wrong, Unreachable):
            said.append(f"unknown whether this is still true: {promise} ({wrong.message})")
        elif not wrong:
            said.append(promise)
        elif planned not in done:
            said.append(f'{planned.quoted} did not finish, so this is not true: "{promise}"')
        elif promise not in ending:
            broken.append(f"not true, or no longer true: {promise}")
    return said, broken


def lower(title: str) -> str:
    """Return a title with a small first letter, for use within a sentence."""
    return title[0].lower() + title[1:]


def known(ask: Holds) -> Holds:
    """Return a function that evaluates a check and raises ``Unreachable`` if the check cannot be evaluated."""

    def answer(check: PlannedCheck) -> OpsError | None:
        if isinstance(error := ask(check), Unreachable):
            raise error
        return error

    return answer


def touched_steps(plan: Plan, state: State) -> list[PlannedStep]:
    """Return the steps that were begun and not undone, in the order of their last status change."""
    steps = {planned.name: planned for planned in plan.steps}
    return [steps[name] for name in state.status if name in state.touched and name in steps]


def to_undo(plan: Plan, state: State) -> list[PlannedStep]:
    """Return the steps that an undo reverts, in the order of the undo."""
    return [planned for planned in reversed(touched_steps(plan, state)) if planned.undo]


def nothing_to_undo(plan: Plan, state: State) -> str:
    """Return why a run that was begun has nothing to undo; empty if it has something to undo."""
    steps = touched_steps(plan, state)
    if not steps or any(planned.undo for planned in steps):
        return ""
    return steps[-1].step.stays or "the run has changed nothing"


def may_undo(plan: Plan, state: State, answer: Holds) -> None:
    """Refuse an impossible undo before anything is written.

    An unfinished run may always be ended by an undo, even if there is nothing to undo.

    Args:
        answer: evaluates a check; returns None if the check holds, else the error.

    Raises:
        NoWayOn: a final step is done.
        Refused: the run has finished, and there is nothing to undo.
    """
    refuse_final(plan, state, answer)
    if state.finished and (why := nothing_to_undo(plan, state)):
        older = "inv runs   and, for an older run,   inv undo --run=ID"
        raise Refused(f"{plan.inputs.target}: nothing to undo: {why}", older)


def refuse_final(plan: Plan, state: State, answer: Holds) -> None:
    """Refuse an undo if a final step is done, or if a final step failed and may have changed something.

    Raises:
        NoWayOn: names the step and the next command.
    """
    for planned in touched_steps(plan, state):
        if not planned.step.final:
            continue
        asks = planned.untouched if state.status[planned.name] != "done" else None
        if (wrong := asks and answer(asks)) is None and asks:
            continue
        why = f"{wrong.message}. {planned.step.final}" if wrong else planned.step.final
        said = f"{planned.inputs.target}: {planned.quoted} can't be undone: {why}"
        raise NoWayOn(said, past_final(planned, state))
