"""After a promotion that failed, with ``--auto-rollback``: production is taken back, or the reason why not is said.

It acts only where nothing can be lost by that, as production's server says: nothing of the release is applied (then it
is undone), or production has been frozen without a break since before this run's last backup (then it is rolled back
to that, and proved to be as before).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Protocol

from ops.cli import console
from ops.core.errors import OpsError
from ops.engine import journal
from ops.engine.effects import StepEffect
from ops.engine.executor import asked
from ops.engine.journal import Journal, State
from ops.engine.plan import Plan, make_plan
from ops.infra.session.run_hooks import unexpected
from ops.infra.session.session import Session
from ops.procedures.planning.bind import bind
from ops.procedures.planning.live import Live
from ops.procedures.planning.request import Wanted
from ops.procedures.promote import rollback_hint
from ops.procedures.release import auto_rollback
from ops.release.production import production_state
from ops.release.production.production_state import Way


class Work(Protocol):
    """Runs or undoes a plan; raises an ``OpsError`` that has been shown where it does not end well."""

    def __call__(self, plan: Plan, reason: str, state: State | None = None, undo: bool = False) -> None:
        """Begin a run of this plan, or with ``undo`` take back the one whose state is given."""


def take_back(session: Session, plan: Plan, state: State, error: OpsError, screen: console.Console, work: Work) -> int:
    """Take a failed promotion back where that loses nothing; ends with the failure's own exit code.

    Args:
        plan: the promotion's plan.
        state: where it stands.
        error: why it failed; its outcome has been shown.
        work: runs and undoes plans.

    Raises:
        OpsError: production was not touched, the operator interrupted, or the way back failed.
    """
    changed = state.began(StepEffect.FREEZES) or state.began(StepEffect.MIGRATES)
    if error.outcome == "interrupted" or not changed:
        raise error
    c = plan.inputs
    run = production_state.Run.of(state, f"{c.run}_last" if c.freezes else c.backup, freezes=c.freezes)
    try:
        note = session.inventory.path(c.freeze_note)
        found = production_state.look(session, run, c.release.certificate, note, _proof(session, plan))
    except Exception as cause:
        known = cause if isinstance(cause, OpsError) else unexpected(cause, plan.procedure.name, c.target)
        what = ("not taken back", f": the state of production could not be read: {session.redact(known.message)}")
        return _told(session, plan, error, screen, what, f"inv resume --run={c.run}")
    way, why = production_state.way(found, run, backed_up=state.did(StepEffect.LAST, StepEffect.SEALS))
    if way is Way.UNDO:
        screen.text(f"\n{c.target}: --auto-rollback: no migration is applied, so the release is taken back")
        work(plan, "", state, undo=True)
        what = ("taken back", ": no migration was applied, and production takes writes again")
        return _told(session, plan, error, screen, what)
    if run.begun and not found.done:
        screen.text(f"\n{c.target}: no migration is recorded, but production is not proved to be as before")
    if way is Way.ROLLBACK:
        return _roll_back(session, plan, error, screen, work)
    (best, _), *_ = production_state.offers(found, run)
    return _told(session, plan, error, screen, ("not taken back", f" by itself: {why}"), best)


def _proof(session: Session, plan: Plan) -> Callable[[], OpsError | None] | None:
    """What proves that the migrations left nothing on production."""
    planned = next(one for one in plan.steps if StepEffect.MIGRATES in one.step.does)
    check, ask = planned.untouched, asked(session, plan.inputs)
    return (lambda: ask(check)) if check else None


def _roll_back(session: Session, plan: Plan, error: OpsError, screen: console.Console, work: Work) -> int:
    c = plan.inputs
    backup = f"{c.run}_last"
    screen.text(
        f"\n{c.target}: --auto-rollback: production has been frozen without a break since before its last backup "
        f"{backup}, so that holds all that was written"
    )
    try:
        back = make_plan(auto_rollback, bind(Live(session, c.target, Wanted(backup, failed_run=c.run)), auto_rollback))
    except OpsError as cause:
        why = f" by itself: {cause.message}"
        hint = f"{rollback_hint(c)}   or   {cause.hint}"
        return _told(session, plan, error, screen, ("not taken back", why), hint)
    work(back, f"--auto-rollback of {plan.procedure.name} {c.run}")
    why = (
        f" by run {back.inputs.run}: production is as it was before the release, proved row for row, and "
        "takes writes again; what the release had made of it is kept"
    )
    hint = f"mend what failed, then   inv release --target={c.target}"
    return _told(session, plan, error, screen, ("taken back", why), hint, rolled_back_by=back.inputs.run)


def _told(
    session: Session,
    plan: Plan,
    error: OpsError,
    screen: console.Console,
    what: tuple[str, str],
    hint: str = "",
    **more: str,
) -> int:
    """Write and show how the promotion ended after all: ``what`` in two words, and the rest of that sentence."""
    c = plan.inputs
    reason = f"{error.message}; {what[0]}"
    hint = hint or f"mend what failed, then   inv release --target={c.target}"
    name, code = plan.procedure.name, error.exit_code
    stands = "".join(what)
    event = journal.outcome_event(name, c.target, error.outcome, code, reason, hint, stands=stands, run=c.run) | more
    with contextlib.suppress(OpsError, OSError):
        log = Journal(session.inventory.path(c.run_folder), session.stores.sender(c.target, c.run))
        undone = journal.read(log.folder).undone
        log.append(event | ({"undone": True} if undone else {}))
        log.close()
    screen.show(event)
    return error.exit_code
