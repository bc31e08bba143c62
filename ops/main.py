"""What the tasks call: load, bind, plan, run, and end with the right exit code. The only place that knows all parts."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from ops import __version__, aftermath, console, inventory_load, journal
from ops.bind import NothingToDo, bind
from ops.command import Query
from ops.drilled import drilled
from ops.dumping import some_tools, use_tools
from ops.engine.bound import meant, physical
from ops.errors import DONE, FAILED, INTERRUPTED, OpsError, Refused, UsageError
from ops.explained import explained
from ops.identity import check_places
from ops.inputs import Inputs
from ops.lock import RunLock
from ops.outside import disk_error
from ops.plan import Plan, make_plan
from ops.preview import glance, show_plan
from ops.private import close_store
from ops.probes import target_folder
from ops.procedures.catalog import PROCEDURES
from ops.put_back import put_back
from ops.run import Runner
from ops.standing import stands
from ops.tools import TOOLS
from ops.wanted import Wanted
from ops.world import World, application, forget_libpq


@dataclass(frozen=True)
class Options(Wanted):
    """What the command line said; the same for every task."""

    target: str = ""
    confirm: str = ""
    json: bool = False
    plan: bool = False
    reason: str = ""
    inventory: str = ""


def ended(work: Callable[[], int], options: Options, procedure: str) -> NoReturn:
    """Do the work and leave with its exit code; an error becomes one clear text, never a traceback."""
    _signals()
    _speakable()
    code = FAILED
    try:
        code = work()
    except OpsError as error:
        if not error.shown:
            console.print_error(error, options.json, procedure, options.target)
        code = error.exit_code
    except KeyboardInterrupt:
        console.print_error(
            OpsError("interrupted before anything was begun; nothing was changed"),
            options.json,
            procedure,
            options.target,
        )
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        told = disk_error(error, "", "inv status")
        told.hint = told.hint or "inv status"
        console.print_error(told, options.json, procedure, options.target)
    except Exception as fault:
        if "OPS_DEBUG" in os.environ:
            raise
        said = (str(fault).splitlines() or [""])[0]
        console.print_error(
            OpsError(f"{type(fault).__name__}: {said}: a fault of this tool", f"OPS_DEBUG=1 inv {procedure} …"),
            options.json,
            procedure,
            options.target,
        )
    _deaf()
    raise SystemExit(code)


def _deaf() -> None:
    """All is done and said: a signal that comes now would only print a traceback of Python's own end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)


def _signals() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def _speakable() -> None:
    """What a terminal or pipe can't spell must not end the run: neither a name in our output nor a typed answer."""
    for stream, errors in ((sys.stdout, "backslashreplace"), (sys.stderr, "backslashreplace"), (sys.stdin, "replace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def world_of(options: Options) -> World:
    """The inventory that the options name, with its connections."""
    world = World(inventory_load.load(inventory_load.find(options.inventory or None, Path.cwd(), os.environ)))
    forget_libpq()
    return world


def close_stores(world: World, *targets: str) -> None:
    """What is kept of these targets, or of all in production, is for nobody else.

    Raises:
        UsageError: a part of it is somebody else's, or leads elsewhere.
    """
    for target in targets or world.inventory.production:
        close_store(world.inventory.path(world.inventory.target(target).folder), target)


def target_of(world: World, options: Options) -> str:
    """The production target that is meant."""
    return world.inventory.target(options.target or None).name


def start(name: str, options: Options, backup_id: str = "") -> int:
    """Plan a procedure and, unless only the plan is wanted, run it."""
    if name not in PROCEDURES:
        close = get_close_matches(name, PROCEDURES, 1)
        raise UsageError(f"there is no procedure {name!r}", f"inv plan --procedure={close[0] if close else 'release'}")
    world = world_of(options)
    target = target_of(world, options)
    name = meant(name, world.inventory.target(target), backup_id)
    screen = console.Console(options.json, _durations(world, target, name))
    try:
        wanted = replace(options, backup=backup_id)
        entry = world.inventory.target(target)
        own = {"drill": drilled, "railway-restore": put_back}.get(name)
        look = own(world, entry, wanted) if own else physical(world, name, entry, wanted)
        inputs = look or bind(world, name, target, wanted)
    except NothingToDo as nothing:
        screen.show(
            {
                "event": "outcome",
                "procedure": name,
                "target": target,
                "run": None,
                "outcome": "nothing-to-do",
                "exit": DONE,
                "reason": nothing.reason,
                "hint": "",
            }
        )
        return DONE
    plan = make_plan(PROCEDURES[name], inputs)
    if options.plan:
        return show_plan(screen, plan, glance(world, inputs) if name == "rollback" else [])
    if plan.inputs.auto_rollback and not plan.inputs.frozen:
        screen.text(f"{target}: --auto-rollback will not act: production is not frozen in this plan (freeze: always)")
    confirmation = _confirmation(plan, options)
    if plan.confirms:
        confirmation.early(plan.word)
    close_stores(world, target)
    with _locked(world, plan) as lock:
        return _work(world, plan, screen, confirmation, lock, reason=options.reason)


def _confirmation(plan: Plan, options: Options) -> console.Confirmation:
    c = plan.inputs
    what = f"{len(c.pending)} migrations" if c.pending else c.chosen or f"backup {c.backup}"
    if c.salvage:
        what += "".join(f"\n  {source} → {into}" for source, into in c.salvage.tables)
    facts = f"{c.target} ({c.database}) ← {what}"
    return console.Confirmation(options.confirm, console.interactive(options.json), facts)


@contextlib.contextmanager
def _locked(world: World, plan: Plan) -> Iterator[Callable[[], None]]:
    if not plan.procedure.exclusive:
        yield lambda: None
        return
    c = plan.inputs
    with RunLock(world, c.target, c.database, c.run, plan.procedure.name) as lock:
        yield lock.check


def _work(
    world: World,
    plan: Plan,
    screen: console.Console,
    confirmation: console.Confirmation,
    held: Callable[[], None],
    *,
    reason: str = "",
    state: journal.State | None = None,
    undo: bool = False,
) -> int:
    c = plan.inputs
    log = journal.Journal(world.inventory.path(c.run_folder), world.sender(c.target, c.run))
    header = _header(plan, reason)
    runner = Runner(world, plan, log, state or journal.State(header), screen.show, confirmation.ask, held)
    try:
        if undo:
            runner.may_undo()
        if state is None:
            runner.emit(header)
        else:
            word = "undoing" if undo else "resumed"
            headline = f"{c.target}: {word}: {plan.procedure.title} (run {c.run})"
            runner.emit({"event": word, "run": c.run, "digest": plan.digest, "headline": headline})
            end_leftovers(world, c)
        runner.undo() if undo else runner.go()
    except OpsError as error:
        if undo or not c.auto_rollback:
            raise
        log.close()
        return aftermath.take_back(world, plan, runner.state, error, screen, _worker(world, screen, held))
    finally:
        log.close()
    return DONE


def _worker(world: World, screen: console.Console, held: Callable[[], None]) -> aftermath.Work:
    """Runs or undoes a plan whose operator has typed the name already."""

    def work(plan: Plan, reason: str, state: journal.State | None = None, undo: bool = False) -> None:
        confirmation = console.Confirmation(plan.word, False, "")
        _work(world, plan, screen, confirmation, held, reason=reason, state=state, undo=undo)

    return work


def _header(plan: Plan, reason: str) -> journal.Event:
    c = plan.inputs
    source = f" ← {c.test}" if c.test and plan.procedure.name in ("release", "promote") else ""
    source = f" ← {c.chosen}" if c.chosen else source
    return {
        "event": "run",
        "run": c.run,
        "procedure": plan.procedure.name,
        "target": c.target,
        "tool": __version__,
        "reason": reason,
        "digest": plan.digest,
        "inputs": c.model_dump(mode="json"),
        "plan": plan.data(),
        "headline": f"{c.target}{source}: {plan.procedure.title} (run {c.run})",
    }


def end_leftovers(world: World, c: Inputs) -> None:
    """End the sessions that an interrupted run left working on its servers."""
    for target in dict.fromkeys(name for name in ("" if c.apart else c.target, c.test) if name):
        world.run(Query("leftovers.sql", target, "postgres", {"application": application(c.run)}))


def _durations(world: World, target: str, name: str) -> dict[str, float]:
    """How long each step took in the last run of this procedure that ended well."""
    for state in reversed(journal.runs(target_folder(world, target))):
        if state.procedure == name and state.finished and not state.undone:
            return state.seconds
    return {}


def every_run(world: World, target: str = "") -> list[journal.State]:
    """The runs of one target, or of all production targets, oldest first."""
    names = [target] if target else list(world.inventory.production)
    found = [state for name in names for state in journal.runs(target_folder(world, name))]
    return sorted(found, key=lambda state: state.run)


def again(options: Options, run: str, undo: bool) -> int:
    """Resume or undo: the run that is named, else the last one for which it makes sense."""
    world = world_of(options)
    state = _chosen(world, options.target, run, undo)
    if options.plan:
        console.Console(options.json).text("\n".join(status_lines(world, state)))
        return DONE
    plan = replan(state)
    screen = console.Console(options.json)
    world.url(plan.inputs.test if plan.inputs.apart and plan.inputs.test else plan.inputs.target)
    use_tools(world, plan.inputs)
    check_places(world, plan.inputs)
    close_stores(world, plan.inputs.target)
    confirmation = _confirmation(plan, options)
    if plan.confirms:
        confirmation.early(plan.word)
    with _locked(world, plan) as held:
        return _work(world, plan, screen, confirmation, held, state=state, undo=undo)


def _chosen(world: World, target: str, run: str, undo: bool) -> journal.State:
    """The run that is named, else the last one. An older one is never meant by itself: what came after stands on it."""
    known = every_run(world, target)
    word = "undo" if undo else "resume"
    if run:
        known = [state for state in known if state.run == run]
        if not known:
            raise UsageError(f"there is no run {run!r}", "inv runs")
    if not known:
        raise UsageError(f"nothing to {word}: there is no run yet", "inv runs")
    last = known[-1]
    if last.undone if undo else last.finished:
        how = "was taken back already" if last.undone else "has ended"
        raise UsageError(
            f"nothing to {word}: the last run ({last.target}: {last.procedure} {last.run}) {how}",
            f"inv runs   and, if you mean an older one,   inv {word} --run=ID",
        )
    return last


def replan(state: journal.State) -> Plan:
    """Make a run's plan again from its header.

    Raises:
        Refused: it would not be the same plan.
    """
    tool = state.header.get("tool")
    try:
        inputs = Inputs.model_validate(state.header["inputs"])
        plan, digest = make_plan(PROCEDURES[state.procedure], inputs), state.header["digest"]
        if (inputs.run, inputs.target) != (state.run, state.target):
            raise ValueError("the inputs are another run's")
    except (ValueError, KeyError):
        raise Refused(
            f"run {state.run}: its header is not one of this version", f"python -m pip install generalprobe=={tool}"
        ) from None
    if plan.digest != digest:
        raise Refused(
            f"{state.target}: run {state.run} was planned by version {tool} with other commands; going on with "
            "different ones is not safe",
            f"python -m pip install generalprobe=={tool}   or   inv release --target={state.target}",
        )
    return plan


def status_lines(world: World, state: journal.State) -> list[str]:
    """What a run has done and what to type next, for a person who was not there."""
    lines = [f"{state.target}: {state.procedure}, run {state.run}"]
    try:
        plan = replan(state)
    except OpsError as error:
        return [*lines, f"  {error.message}", f"  Try: {error.hint}"]
    outcome = state.outcome["outcome"] if state.outcome else "interrupted (killed, or still running)"
    outcome = "taken back" if state.undone else outcome
    lines.append(
        f"  outcome: {outcome}" + (f": {state.outcome['reason']}" if state.outcome and state.outcome["reason"] else "")
    )
    lines.append(f"  stands:  {stands(plan, state)}")
    begun = [name for name in state.names("begun", "failed", "refused")]
    if begun and not state.finished:
        lines.append(f"  stopped in: {begun[-1]}")
    if not state.finished:
        stopped = not state.outcome or state.outcome["outcome"] == "interrupted"
        explanation, hint = explained(world, plan, state, stopped=stopped)
        lines[2] += "; " + explanation.replace("\n", "\n         ") if explanation else ""
        hint = hint or str(state.outcome["hint"] if state.outcome and state.outcome["outcome"] == "failed" else "")
        lines.append(f"  Try: {hint or f'inv resume --run={state.run}   or   inv undo --run={state.run}'}")
    return lines


def call_tool(name: str, options: Options, arguments: Mapping[str, Any]) -> int:
    """Run one tool, as a page's block does."""
    world = world_of(options)
    some_tools(world)
    close_stores(world)
    print(TOOLS[name](world, **arguments))
    return DONE
