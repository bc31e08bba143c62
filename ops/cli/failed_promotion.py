"""Roll production back after a failed promotion with ``--auto-rollback``, or report why that was not possible.

Production is changed only if its server shows that no data can be lost. If no migration of the release is applied, the
release is undone. If production has been frozen without interruption since before this run's last backup, production
is rolled back to that backup and proved to equal it.
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
    """A function that runs or undoes a plan. On failure it raises an ``OpsError`` that has been printed."""

    def __call__(self, plan: Plan, reason: str, state: State | None = None, undo: bool = False) -> None:
        """Start a run of the plan, or with ``undo`` undo the run whose state is given."""


def take_back(session: Session, plan: Plan, state: State, error: OpsError, screen: console.Console, work: Work) -> int:
    """Roll a failed promotion back if no data is lost; return the exit code of the failure.

    Args:
        session: the connections.
        plan: the promotion's plan.
        state: the promotion's state.
        error: why the promotion failed; its outcome has been printed.
        screen: prints the progress.
        work: runs and undoes plans.

    Raises:
        OpsError: production was not changed, the operator interrupted the run, or the rollback failed.
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
        what = ("not rolled back", f": the state of production could not be read: {session.redact(known.message)}")
        return _told(session, plan, error, screen, what, f"inv resume --run={c.run}")
    way, why = production_state.way(found, run, backed_up=state.did(StepEffect.LAST, StepEffect.SEALS))
    if way is Way.UNDO:
        screen.text(f"\n{c.target}: --auto-rollback: no migration is applied, so the release is undone")
        work(plan, "", state, undo=True)
        what = ("rolled back", ": no migration was applied, and production takes writes again")
        return _told(session, plan, error, screen, what)
    if run.begun and not found.done:
        screen.text(f"\n{c.target}: no migration is recorded, but production is not proved to be unchanged")
    if way is Way.ROLLBACK:
        return _roll_back(session, plan, error, screen, work)
    (best, _), *_ = production_state.offers(found, run)
    return _told(session, plan, error, screen, ("not rolled back", f" automatically: {why}"), best)


def _proof(session: Session, plan: Plan) -> Callable[[], OpsError | None] | None:
    """Return the check that proves that the migrations changed nothing in production; None if there is none."""
    planned = next(one for one in plan.steps if StepEffect.MIGRATES in one.step.does)
    check, ask = planned.untouched, asked(session, plan.inputs)
    return (lambda: ask(check)) if check else None


def _roll_back(session: Session, plan: Plan, error: OpsError, screen: console.Console, work: Work) -> int:
    c = plan.inputs
    backup = f"{c.run}_last"
    screen.text(
        f"\n{c.target}: --auto-rollback: production has been frozen without interruption since before its last backup "
        f"{backup}, so that backup contains every row"
    )
    try:
        back = make_plan(auto_rollback, bind(Live(session, c.target, Wanted(backup, failed_run=c.run)), auto_rollback))
    except OpsError as cause:
        why = f" automatically: {cause.message}"
        hint = f"{rollback_hint(c)}   or   {cause.hint}"
        return _told(session, plan, error, screen, ("not rolled back", why), hint)
    work(back, f"--auto-rollback of {plan.procedure.name} {c.run}")
    why = (
        f" by run {back.inputs.run}: production is as it was before the release, proved row for row, and "
        "takes writes again; the release's database is retained"
    )
    hint = f"correct what failed, then   inv release --target={c.target}"
    return _told(session, plan, error, screen, ("rolled back", why), hint, rolled_back_by=back.inputs.run)


def _told(
    session: Session,
    plan: Plan,
    error: OpsError,
    screen: console.Console,
    what: tuple[str, str],
    hint: str = "",
    **more: str,
) -> int:
    """Write the final outcome of the promotion to the journal, and print it.

    Args:
        session: the connections.
        plan: the promotion's plan.
        error: why the promotion failed.
        screen: prints the outcome.
        what: whether it was rolled back, and the rest of that sentence.
        hint: what to type next.
        more: further keys of the outcome.
    """
    c = plan.inputs
    reason = f"{error.message}; {what[0]}"
    hint = hint or f"correct what failed, then   inv release --target={c.target}"
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
