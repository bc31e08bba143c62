"""After a promotion that failed, with ``--auto-rollback``: production is taken back, or the reason why not is said.

It acts only where nothing can be lost by that: nothing of the release is applied (then it is undone), or production was
frozen by this very run before its last backup, and still is (then it is rolled back to that, and proved to be as
before).
"""

from __future__ import annotations

import contextlib
from typing import Protocol

from ops import console, journal
from ops.bind import bind
from ops.errors import OpsError
from ops.execute import Executor
from ops.journal import Event, Journal, State, now
from ops.plan import Plan, make_plan
from ops.procedures.auto_rollback import auto_rollback
from ops.procedures.promote import rollback_hint
from ops.tools.failed import applied_of
from ops.wanted import Wanted
from ops.world import World

FREEZE, SEAL, MIGRATE, UNFREEZE = "promote.freeze", "last-backup.seal", "promote.migrate", "promote.unfreeze"


class Work(Protocol):
    """Runs or undoes a plan; raises an ``OpsError`` that has been shown where it does not end well."""

    def __call__(self, plan: Plan, reason: str, state: State | None = None, undo: bool = False) -> None:
        """Begin a run of this plan, or with ``undo`` take back the one whose state is given."""


def take_back(world: World, plan: Plan, state: State, error: OpsError, screen: console.Console, work: Work) -> int:
    """Take a failed promotion back where that loses nothing; ends with the failure's own exit code.

    Args:
        plan: the promotion's plan.
        state: where it stands.
        error: why it failed; its outcome has been shown.
        work: runs and undoes plans.

    Raises:
        OpsError: production was not touched, the operator interrupted, or the way back failed.
    """
    if error.outcome == "interrupted" or not {FREEZE, MIGRATE} & state.touched:
        raise error
    c = plan.inputs
    try:
        done = applied_of(world, c.target, c.certificate)[0] if MIGRATE in state.touched else []
    except Exception:
        return _told(
            world, plan, error, screen, "not taken back: production does not answer", f"inv resume --run={c.run}"
        )
    if not done and _left_nothing(world, plan, state, screen):
        screen.text(f"\n{c.target}: --auto-rollback: no migration is applied, so the release is taken back")
        work(plan, "", state, undo=True)
        return _told(
            world, plan, error, screen, "taken back: no migration was applied, and production takes writes again"
        )
    if not done:
        screen.text(f"\n{c.target}: no migration is recorded, but production is not proved to be as before")
    if UNFREEZE in state.touched:
        why = "not taken back by itself: production may take writes again, so rows could be lost"
        return _told(world, plan, error, screen, why, f"inv resume --run={c.run}")
    if state.status.get(FREEZE) != "done" or state.status.get(SEAL) != "done":
        why = "not taken back by itself: production was not frozen before its last backup, so rows could be lost"
        return _told(world, plan, error, screen, why, rollback_hint(c))
    return _roll_back(world, plan, error, screen, work)


def _left_nothing(world: World, plan: Plan, state: State, screen: console.Console) -> bool:
    """Whether it is proved that the migrations left nothing on production; where none was begun, they did not."""
    planned = next(one for one in plan.steps if one.name == MIGRATE)
    if MIGRATE not in state.touched or planned.untouched is None:
        return True
    executor = Executor(world, plan.inputs, world.inventory.path(plan.inputs.run_folder), state.facts, screen.show)
    try:
        world.memo.clear()
        for command in planned.untouched.commands:
            executor.execute(command, planned.untouched.check.name, lambda _: None)
    except OpsError:
        return False
    return True


def _roll_back(world: World, plan: Plan, error: OpsError, screen: console.Console, work: Work) -> int:
    c = plan.inputs
    backup = f"{c.run}_last"
    screen.text(
        f"\n{c.target}: --auto-rollback: production was frozen before its last backup {backup}, and still is, so going "
        "back to it loses nothing"
    )
    try:
        back = make_plan(auto_rollback, bind(world, auto_rollback.name, c.target, Wanted(backup, failed_run=c.run)))
    except OpsError as cause:
        why = f"not taken back by itself: {cause.message}"
        return _told(world, plan, error, screen, why, f"{rollback_hint(c)}   or   {cause.hint}")
    work(back, f"--auto-rollback of {plan.procedure.name} {c.run}")
    found = (
        f"taken back by run {back.inputs.run}: production is as it was before the release, proved row for row, and "
        "takes writes again; what the release had made of it is kept"
    )
    hint = f"mend what failed, then   inv release --target={c.target}"
    return _told(world, plan, error, screen, found, hint, rolled_back_by=back.inputs.run)


def _told(
    world: World, plan: Plan, error: OpsError, screen: console.Console, what: str, hint: str = "", **more: str
) -> int:
    """Write and show how the promotion ended after all."""
    c = plan.inputs
    event: Event = {
        "event": "outcome",
        "procedure": plan.procedure.name,
        "target": c.target,
        "run": c.run,
        "outcome": error.outcome,
        "exit": error.exit_code,
        "reason": f"{error.message}; {what.split(':')[0].split(' by ')[0]}",
        "hint": hint or f"mend what failed, then   inv release --target={c.target}",
        "stands": what,
        "at": now(),
        **more,
    }
    with contextlib.suppress(OpsError, OSError):
        log = Journal(world.inventory.path(c.run_folder), world.sender(c.target, c.run))
        undone = journal.read(log.folder).undone
        log.append(event | ({"undone": True} if undone else {}))
        log.close()
    screen.show(event)
    return error.exit_code
