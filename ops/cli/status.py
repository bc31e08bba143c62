"""``inv status``: report what the last run did, the current state of the servers, and what to type next."""

from __future__ import annotations

import contextlib
from typing import Any

from ops.application.probe import identity
from ops.cli import console
from ops.cli.options import Options, open_session, targets_of
from ops.core.errors import DONE, Code, OpsError
from ops.core.text import laid_out
from ops.engine import journal
from ops.engine.command import Query
from ops.engine.effects import Effect
from ops.engine.executor import asked
from ops.engine.journal import State
from ops.engine.outcome_text import explain
from ops.engine.plan import Plan, PlannedCheck
from ops.engine.summary import stands
from ops.infra.postgres.client import json_lines, unreached
from ops.infra.session.client_tools import some_tools
from ops.infra.session.replica import left_paused
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.session.waits import waiting
from ops.procedures.catalog import replan
from ops.recovery.rollback import kept_databases
from ops.release.production import freeze_history

TRY = "  Try: "
RUNNING = "still running on this machine"
CLOSED = "CLOSED to all users: a swap was interrupted; resume or undo that run to open the database"


def status(options: Options) -> int:
    """Print for each target what its last run did, the current state, and what to type next."""
    session = open_session(options)
    screen = console.Console(options.json)
    for name in targets_of(session, options):
        known = every_run(session, name)
        now = _present(session, name)
        if now.get("frozen"):
            now["frozen_since"] = freeze_history.since(known)
        if options.json:
            state = known[-1] if known else None
            screen.show(
                {
                    "event": "status",
                    "target": name,
                    "run": state.run if state else None,
                    "procedure": state.procedure if state else None,
                    "outcome": (state.outcome or {}).get("outcome", "interrupted") if state else None,
                    **now,
                    **({"kept": [one.data(_days(session, name)) for one in now["kept"]]} if "kept" in now else {}),
                }
            )
            continue
        told = _telling(known)
        lines = [line for state in told for line in status_lines(session, state)] or [f"{name}: no run yet"]
        goes_on = any(not state.finished for state in told)
        screen.prose("\n".join([*lines, *_present_lines(session, name, now, goes_on)]))
    return DONE


def _telling(known: list[State]) -> list[State]:
    """Return the runs to report, oldest first.

    These are the last run; if that only froze, unfroze or backed up, also the last run that did more; and if that run
    was undone, also the run before it, whose result is in effect again.
    """
    more = [state for state in known if Effect.MINOR not in state.effects]
    before = [state for state in more[:-1] if not state.undone] if more and more[-1].undone else []
    more = [*before[-1:], *more[-1:]]
    return more if not known or known[-1] in more else [*more, known[-1]]


def _present(session: Session, name: str) -> dict[str, Any]:
    """Query the servers. Return an unreachable server as a key of the result; do not raise it."""
    test = session.inventory.target(name).test
    try:
        session.url(name)
        some_tools(session)
        here = identity(session, name)
        found: dict[str, Any] = {
            "database": here["database"],
            "frozen": here["read_only"] == "on",
            "kept": kept_databases.kept(session, name, here["database"]),
        }
        with contextlib.suppress(OpsError):
            found["waits"] = waiting(session, name)
        with contextlib.suppress(OpsError):
            found |= {"replay": left} if (left := left_paused(session, name)) else {}
        told = {one.name for one in found["kept"]}
        found["aside"] = [db for db in kept_databases.aside(here["databases"], here["database"]) if db not in told]
        if test:
            session.url(test)
            done = session.run(Query("identity.sql", test, "postgres"))
            there: Any = json_lines(done.out)[0]["databases"] if done.exit == 0 else {}
            clone = session.database(test)
            gone = f"there is no database {clone}" if done.exit == 0 else f"its server {unreached(done.err)[0]}"
            found["test"] = there.get(clone) or ("not a clone" if clone in there else gone)
            found["aside"] += [db for db in kept_databases.aside(there, clone) if db not in found["aside"]]
        return found
    except OpsError as error:
        return {"unreachable": error.message + (f"; the database is {CLOSED}" if error.code == Code.CLOSED else "")}


def _days(session: Session, name: str) -> float:
    return session.inventory.target(name).keep_replaced


def _present_lines(session: Session, name: str, now: dict[str, Any], told: bool) -> list[str]:
    if "unreachable" in now:
        return [f"  now:     unknown: {now['unreachable']}"]
    how = "takes writes" if not now["frozen"] else _frozen(now)
    lines = [f"  now:     production (database {now['database']}) {how}"]
    if now["frozen"]:
        does = "lets users write to production in its current state, and abandons the unfinished run" if told else ""
        lines += _ways(((f"inv unfreeze --target={name}", does),), "or:" if told else "Try:")
    if "test" in now:
        lines.append(f"  test:    {session.inventory.target(name).test}: {now['test']}")
    lines += [f"  lock:    {said}" for said in now.get("waits", ())]
    for run, said in now.get("replay", {}).items():
        lines += [f"  standby: {said}", *_ways(_either(run))]
    lines += [line for one in now["kept"] for line in one.lines(_days(session, name))]
    if now["aside"]:
        lines.append(f"  aside:   {', '.join(now['aside'])} (made by runs of this tool; no application uses them)")
    return lines


def _frozen(now: dict[str, Any]) -> str:
    return f"is FROZEN (read-only) {now['frozen_since'] or '(by no run in this store)'}"


def every_run(session: Session, target: str = "") -> list[journal.State]:
    """Return the runs of one target, or of all production targets, oldest first."""
    names = [target] if target else list(session.inventory.production)
    found = [state for name in names for state in journal.runs(target_folder(session, name))]
    return sorted(found, key=lambda state: state.run)


def how_it_ended(session: Session, state: journal.State) -> str:
    """Return the outcome of a run for people; for a run without an outcome, whether it is known to be running."""
    if state.undone:
        return "undone"
    if state.outcome:
        return str(state.outcome["outcome"])
    if journal.is_executing(session.stores.local_folder(state.target) / "runs" / state.run):
        return RUNNING
    elsewhere = ", or still running on another machine" if session.stores.is_remote(state.target) else ""
    return f"interrupted{elsewhere}"


def status_lines(session: Session, state: journal.State) -> list[str]:
    """Return what a run did and what to type next, as lines for a person who did not see the run."""
    outcome = how_it_ended(session, state)
    reason = f": {state.outcome['reason']}" if state.outcome and state.outcome["reason"] else ""
    lines = [f"{state.target}: {state.procedure}, run {state.run}", f"  outcome: {outcome}{reason}"]
    try:
        plan = replan(state, checked=False)
    except OpsError as error:
        return lines if state.finished else [*lines, f"  {error.message}", laid_out(error.hint, TRY)]
    said = stands(plan, state, lambda check: _ask(session, plan, check))
    if state.finished:
        return [*lines, *_stands(said.parts)]
    if outcome == RUNNING:
        wait = laid_out("wait until the run ends, or press Ctrl-C in its terminal", TRY)
        return [*lines, *_stands(said.parts), *_stopped(plan, state, "running:"), wait]
    _load_actions()
    stopped = not state.outcome or state.outcome["outcome"] == "interrupted"
    lasting = bool(state.outcome and state.outcome.get("fails_again"))
    found = explain(session, plan, state, stopped=stopped, again=not lasting)
    parts = (found.stands, *said.parts) if found.stands else said.parts
    lines += [*_stands(parts), *_stopped(plan, state)]
    hint = str(state.outcome["hint"]) if state.outcome and not stopped else ""
    if said.code == Code.BROKEN_PROMISE:
        hint = f"inv undo --run={state.run}   and then start the procedure again"
    if hint and not found.ways:
        return [*lines, laid_out(hint, TRY)]
    return [*lines, *_ways(found.ways or _either(state.run))]


def _ask(session: Session, plan: Plan, check: PlannedCheck) -> OpsError | None:
    _load_actions()
    return asked(session, plan.inputs)(check)


def _load_actions() -> None:
    """Import the actions that a check or an explanation calls; the status of a run that ended well needs none."""
    from ops.cli import all_actions  # noqa: F401


def _either(run: str) -> tuple[tuple[str, str], ...]:
    return ((f"inv resume --run={run}", "continues the run"), (f"inv undo --run={run}", "undoes its steps"))


def _stands(parts: tuple[str, ...]) -> list[str]:
    """Return each statement about the state as a line."""
    return [f"{'' if number else '  state:':<11}{part}" for number, part in enumerate(parts)]


def _stopped(plan: Plan, state: journal.State, label: str = "stopped:") -> list[str]:
    begun, names = state.names("begun", "failed", "refused"), [planned.name for planned in plan.steps]
    if not begun or begun[-1] not in names:
        return []
    number = names.index(begun[-1]) + 1
    return [f'  {label} in step {number} of {len(names)}, "{plan.steps[number - 1].step.title}"']


def _ways(ways: tuple[tuple[str, str], ...], first: str = "Try:") -> list[str]:
    """Return the next commands: each command alone on a line, and below it what the command does."""
    lines: list[str] = []
    for number, (words, does) in enumerate(ways):
        lines += [f"  {'or:' if number else first:<4} {words}", *([f"       {does}"] if does else [])]
    return lines
