"""Run a procedure for a task: load the inventory, bind the inputs, make the plan, and run the plan."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ops import __version__
from ops.cli import console, failed_promotion
from ops.cli.all_actions import TOOLS
from ops.cli.options import Options, close_stores, open_session, target_of
from ops.cli.status import every_run
from ops.core.errors import DONE, Interrupted, OpsError, UsageError
from ops.core.text import counted
from ops.engine import journal
from ops.engine.command import Query
from ops.engine.executor import asked, way_on
from ops.engine.inputs import RunInputs
from ops.engine.plan import Plan, make_plan
from ops.engine.render import plan_text, rest_data, rest_text
from ops.engine.runner import Runner
from ops.engine.summary import known, may_undo, nothing_to_undo, to_undo
from ops.infra.postgres.session_settings import application
from ops.infra.session import waits
from ops.infra.session.client_tools import some_tools, use_tools
from ops.infra.session.replica import resume_replay
from ops.infra.session.run_lock import RunLock
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.procedures.catalog import procedure_of, replan
from ops.procedures.planning.bind import bind
from ops.procedures.planning.dump_options import fewer_jobs
from ops.procedures.planning.live import Live
from ops.procedures.planning.look import NothingToDo
from ops.procedures.planning.plan_time import PlanTime, plan_time
from ops.procedures.planning.same_places import check_places
from ops.recovery.rollback import loss
from ops.recovery.rollback.connections import fingerprint_of
from ops.release.measuring.estimate import expected
from ops.release.measuring.step_times import step_times
from ops.release.migration_order import planned
from ops.release.production import freeze_history
from ops.verdict import fingerprint


def start(name: str, options: Options, backup_id: str = "") -> int:
    """Plan a procedure, and run the plan unless ``options.plan`` is set. Return the exit code.

    Args:
        name: the procedure.
        options: the options of the command line.
        backup_id: the backup that the procedure restores; empty for none.
    """
    session = open_session(options)
    target = target_of(session, options)
    entry = session.inventory.target(target)
    procedure = procedure_of(name, entry.engine, backup_id)
    screen = console.Console(options.json)
    source = Live(session, target, replace(options, backup=backup_id))
    try:
        with (
            screen.waiting(f"{target}: plan {procedure.name}"),
            waits.looking(session, target, lambda text: screen.show({"event": "wait", "step": "", "text": text})),
        ):
            plan = make_plan(procedure, bind(source, procedure))
            times = plan_time(session, plan)
    except NothingToDo as nothing:
        freeze_history.refuse_open(session, target, journal.runs(target_folder(session, target)))
        screen.show(journal.outcome_event(procedure.name, target, "nothing-to-do", DONE, nothing.reason))
        return DONE
    screen.foresee(plan, times.steps)
    screen.text(said) if (said := fewer_jobs(entry, plan.inputs.jobs)) else None
    if options.plan:
        with screen.waiting(f"{target}: plan {procedure.name}"):
            differs = _glance(session, plan.inputs) if procedure.compares else []
            order = planned(session, plan.inputs) if plan.inputs.release.pending and not options.json else []
        return _show_plan(screen, plan, differs, order, times)
    if plan.inputs.release.auto_rollback and not plan.inputs.freezes:
        screen.text(f"{target}: --auto-rollback has no effect: this plan does not freeze production (freeze: always)")
    confirmation = _confirmation(plan, options, screen)
    if plan.confirms:
        confirmation.early(plan.word)
    close_stores(session, target)
    with _locked(session, plan) as lock:
        return _work(session, plan, screen, confirmation, lock, reason=options.reason, times=times)


def _confirmation(plan: Plan, options: Options, screen: console.Console, undo: bool = False) -> console.Confirmation:
    c = plan.inputs
    count = counted(len(c.release.pending), "migration") if c.release.pending else ""
    # If no backup is restored, ``backup`` is the backup that this run makes.
    what = count or c.chosen or (f"backup {c.backup}" if c.backup != c.run else "")
    if c.salvage:
        what += "".join(f"\n  {source} → {into}" for source, into in c.salvage.tables)
    facts = f"{c.target} ({c.database})" + (f" ← {what}" if what else "")
    if undo:
        facts = f"{c.target} ({c.database}): undo {plan.procedure.name} {c.run}"
    way_on = f"inv {'undo' if undo else 'resume'} --run={c.run}"
    return console.Confirmation(options.confirm, console.interactive(options.json), facts, way_on, screen.stop)


@contextlib.contextmanager
def _locked(session: Session, plan: Plan) -> Iterator[Callable[[], None]]:
    if not plan.procedure.exclusive:
        yield lambda: None
        return
    c = plan.inputs
    with RunLock(session, c.target, c.database, c.run, plan.procedure.name) as lock:
        yield lock.check


def _work(
    session: Session,
    plan: Plan,
    screen: console.Console,
    confirmation: console.Confirmation,
    held: Callable[[], None],
    *,
    reason: str = "",
    state: journal.State | None = None,
    undo: bool = False,
    times: PlanTime | None = None,
) -> int:
    c = plan.inputs
    log = journal.Journal(session.inventory.path(c.run_folder), session.stores.sender(c.target, c.run))
    header = _header(plan, reason, times)
    runner = Runner(session, plan, log, state or journal.State(header), screen.show, confirmation.ask, held)
    try:
        runner.may_undo() if undo else None
        if state is None:
            runner.emit(header)
        else:
            word = "undoing" if undo else "resumed"
            headline = f"{c.target}: {word}: {plan.procedure.title} (run {c.run})"
            runner.emit({"event": word, "run": c.run, "digest": plan.digest, "headline": headline})
            end_leftovers(session, c)
        runner.undo() if undo else runner.go()
    except KeyboardInterrupt:
        if state is None:
            raise
        told = f"{c.target}: interrupted before run {c.run} continued; this command changed nothing"
        raise Interrupted(told, way_on(c.run)) from None
    except OpsError as error:
        screen.examples(error)
        if undo or not c.release.auto_rollback:
            raise
        log.close()
        return failed_promotion.take_back(session, plan, runner.state, error, screen, _worker(session, screen, held))
    finally:
        log.close()
    return DONE


def _worker(session: Session, screen: console.Console, held: Callable[[], None]) -> failed_promotion.Work:
    """Return a function that runs or undoes a plan that the operator has confirmed already."""

    def work(plan: Plan, reason: str, state: journal.State | None = None, undo: bool = False) -> None:
        confirmation = console.Confirmation(plan.word, False, "")
        _work(session, plan, screen, confirmation, held, reason=reason, state=state, undo=undo)

    return work


def _header(plan: Plan, reason: str, times: PlanTime | None = None) -> journal.Event:
    c = plan.inputs
    estimate: journal.Event = {"estimate": times.data()} if times else {}
    source = f" ← {said}" if (said := plan.procedure.source(c)) else ""
    return {
        "event": "run",
        "run": c.run,
        "procedure": plan.procedure.name,
        "effects": sorted(plan.procedure.effects),
        "step_effects": plan.step_effects,
        "target": c.target,
        "tool": __version__,
        "reason": reason,
        "digest": plan.digest,
        "inputs": c.model_dump(mode="json"),
        "plan": plan.data(),
        "headline": f"{c.target}{source}: {plan.procedure.title} (run {c.run})",
        **estimate,
    }


def end_leftovers(session: Session, c: RunInputs) -> None:
    """Terminate the sessions that an interrupted run left on its servers."""
    for target in dict.fromkeys(name for name in ("" if c.apart else c.target, c.test) if name):
        session.run(Query("leftovers.sql", target, "postgres", {"application": application(c.run)}))
    if c.dump.standby:
        session.run(Query("leftovers.sql", c.dumped, "postgres", {"application": application(c.run)}))
        resume_replay(session, c)


def again(options: Options, run: str, undo: bool) -> int:
    """Resume or undo a run.

    Args:
        options: the options of the command line.
        run: the run's id; empty for the last run.
        undo: True to undo, False to resume.

    Returns:
        the exit code.
    """
    session = open_session(options)
    state = _chosen(session, options.target and target_of(session, options), run, undo)
    plan = replan(state)
    screen = console.Console(options.json)
    screen.foresee(plan, expected(plan, step_times(session, plan.inputs.target)))
    session.url(plan.inputs.test if plan.inputs.apart and plan.inputs.test else plan.inputs.target)
    use_tools(session, plan.inputs)
    if options.plan:
        return _show_rest(session, screen, plan, state, undo)
    with screen.waiting(f"{plan.inputs.target}: check that the servers are those of the run"):
        check_places(session, plan.inputs)
    close_stores(session, plan.inputs.target)
    confirmation = _confirmation(plan, options, screen, undo)
    if plan.confirms:
        confirmation.early(plan.word)
    with _locked(session, plan) as held:
        return _work(session, plan, screen, confirmation, held, state=state, undo=undo)


def _chosen(session: Session, target: str, run: str, undo: bool) -> journal.State:
    """Return the named run, or the last run. An older run must be named, because later runs depend on its result."""
    known = every_run(session, target)
    word = "undo" if undo else "resume"
    if run:
        known = [state for state in known if state.run == run]
        if not known:
            raise UsageError(f"there is no run {run!r}", "inv runs")
    if not known:
        raise UsageError(f"nothing to {word}: there is no run yet", "inv runs")
    last = known[-1]
    how = f"was undone{' already' if undo else ''}" if last.undone else "has ended"
    said = f"nothing to {word}: the last run ({last.target}: {last.procedure} {last.run}) {how}"
    older = freeze_history.find_open(state for state in known if state.target == last.target)
    if older and older is not last and last.finished:
        said += f"; {older.procedure} {older.run}, which froze production, has not ended"
        raise UsageError(said, way_on(older.run))
    if last.undone if undo else last.finished:
        raise UsageError(said, f"inv runs   and, for an older run,   inv {word} --run=ID")
    return last


def call_tool(name: str, options: Options, arguments: Mapping[str, Any]) -> int:
    """Run one action, as a block of a runbook page does."""
    session = open_session(options)
    some_tools(session)
    close_stores(session)
    print(TOOLS[name](session, **arguments))
    return DONE


def _show_plan(
    screen: console.Console, plan: Plan, differs: list[str], migrations: list[str], times: PlanTime
) -> int:
    """Print a plan.

    Args:
        screen: prints the plan.
        plan: the plan.
        differs: the tables in which the live database differs from the backup of a rollback.
        migrations: the pending migrations, one per line.
        times: the estimated time.
    """
    c = plan.inputs
    if screen.as_json:
        screen.show(
            {
                "event": "plan",
                "procedure": plan.procedure.name,
                "target": c.target,
                "digest": plan.digest,
                "inputs": c.model_dump(mode="json"),
                "steps": plan.data(),
                "estimate": times.data(),
                **({"differs": differs} if plan.procedure.compares else {}),
            }
        )
        said = "only planned; nothing was changed"
        screen.show(journal.outcome_event(plan.procedure.name, c.target, "done", DONE, said))
    else:
        screen.text(plan_text(plan, migrations, times.lines, times.takes))
        if plan.procedure.compares:
            said = "\n  ".join(["The live database differs from the backup in", *differs])
            screen.text(said if differs else "The live database equals the backup.")
    return DONE


def _show_rest(session: Session, screen: console.Console, plan: Plan, state: journal.State, undo: bool) -> int:
    """Print what a resume or an undo would do.

    Raises:
        OpsError: the undo would be refused.
    """
    left = [planned for planned in plan.steps if state.status.get(planned.name) != "done"]
    nothing = ""
    if undo:
        with screen.waiting(f"{plan.inputs.target}: check that the run can be taken back"):
            may_undo(plan, state, known(asked(session, plan.inputs)))
        left, nothing = to_undo(plan, state), nothing_to_undo(plan, state)
    screen.text(rest_text(plan, left, undo=undo, nothing=nothing))
    if screen.as_json:
        screen.show(rest_data(plan, left, undo=undo))
        said = "only planned; nothing was changed"
        screen.show(journal.outcome_event(plan.procedure.name, plan.inputs.target, "done", DONE, said))
    return DONE


def _glance(session: Session, c: RunInputs) -> list[str]:
    """Return the tables in which the live database differs from the backup of a rollback."""
    old = fingerprint.read(session.inventory.path(c.fingerprint))
    new = session.secrets.private / f"glance-{c.run}.jsonl"
    return loss.glance(old, fingerprint_of(session, c.target, "", str(new)))
