"""What a run has changed so far, in words."""

from __future__ import annotations

from ops.journal import State
from ops.plan import Plan


def stands(plan: Plan, state: State) -> str:
    """What a run has changed so far, for a person who was not there."""
    touched = [p for p in plan.steps if p.name in state.touched and not p.step.reads]
    if not touched:
        return "nothing was changed"
    done = [planned for planned in touched if state.status[planned.name] == "done"]
    data = [planned for planned in touched if planned.step.data]
    said = [p.step.data if p in done else f"{lower(p.step.title)} was begun, not finished" for p in data]
    said = said or ["production's data are untouched"]
    ended = {planned.step.ends for planned in touched}
    said += [
        planned.step.meanwhile for planned in touched if planned.step.meanwhile and planned.step.meanwhile not in ended
    ]
    said += [f"not finished: {lower(p.step.title)}" for p in touched if p not in done and p not in data]
    if done:
        said.append(f"{len(done)} changing steps are done, the last: {lower(done[-1].step.title)}")
    return "; ".join(said)


def lower(title: str) -> str:
    """A title within a sentence."""
    return title[0].lower() + title[1:]
