"""``inv schedule``: show, install or remove a schedule."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ops.cli.console import Console
from ops.cli.options import Options, close_stores, open_session, target_of
from ops.cli.scheduling.preflight import try_out
from ops.core.errors import DIFFERS, DONE, FAILED, UsageError
from ops.core.files import make_folder
from ops.core.text import counted
from ops.engine.journal import outcome_event
from ops.infra.session.session import Session
from ops.inventory.locate import where
from ops.schedule import installer, systemd, task_state
from ops.schedule.drift import Status, find_strangers, read_status
from ops.schedule.railway_volumes import Volumes, volumes
from ops.schedule.railway_volumes import install as set_kinds
from ops.schedule.task_state import Installed

DAEMONS = {"cron", "crond", "fcron", "dcron", "busybox"}


def go(options: Options, install: bool, remove: bool, place: systemd.Place | None = None) -> int:
    """Show, install or remove the schedule of a target.

    Args:
        options: the options of the command line.
        install: install the schedule.
        remove: remove the schedule.
        place: the location of systemd's units; None: this user's.

    Returns:
        the exit code. When showing: 5 if the installed schedule differs or a task is overdue, 4 if the last run of a
        task failed.
    """
    if install and remove:
        raise UsageError("inv schedule: give either --install or --remove", "inv schedule --install")
    session, screen = open_session(options), Console(options.json)
    if not (install or remove):
        if options.plan:
            raise UsageError("inv schedule: --plan needs --install or --remove", "inv schedule --install --plan")
        names = [target_of(session, options)] if options.target else list(session.inventory.production)
        return _show(screen, session, [read_status(session, name, place) for name in names])
    found = read_status(session, target_of(session, options), place)
    return (_install if install else _remove)(session, screen, found, place or systemd.Place(), options.plan)


def _show(screen: Console, session: Session, all_found: list[Status]) -> int:
    rows: list[list[str]] = []
    data: list[dict[str, Any]] = []
    # The differences, each with its hint.
    wrong: list[tuple[str, str]] = []
    for found in all_found:
        holds = found.installed or found.wanted
        for event in _events(found, holds) if holds else ():
            rows.append(_row(event))
            data.append(event)
        way = f"inv schedule {'--install' if found.wanted else '--remove'} --target={found.target}"
        wrong += [(f"{found.target}: {said}", way) for said in found.differs]
        if railway := volumes(session, found.target):
            rows.append(railway.row)
            data.append(railway.event)
            way = f"inv schedule --install --target={found.target}"
            wrong += [(railway.differs, way)] if railway.differs else []
    for name in find_strangers(session):
        said = f"{name}: the crontab has lines of this target, but {session.inventory.file.name} has no such target"
        wrong.append((said, f"crontab -e   and remove the lines from # BEGIN to # END Generalprobe {name}"))
    if not rows and not wrong:
        screen.text('Try: schedule: {backup: "30 2 * * *"} in the inventory   (docs/how-to/schedules.md)')
    screen.table("schedule", ["target", "task", "inventory", "installed", "zone", "with", "next", "last"], rows, data)
    failed = [
        (f"{found.target}: {said}", f"inv status --target={found.target}")
        for found in all_found
        for said in found.failed
    ]
    code = DIFFERS if wrong else FAILED if failed else DONE
    if code or screen.as_json:
        told = [*wrong, *failed]
        targets, hint = ", ".join(found.target for found in all_found), told[0][1] if told else ""
        _end(screen, targets, "; ".join(said for said, _ in told), hint, code, "failed" if code else "done")
    return code


def _events(found: Status, holds: Installed) -> Iterator[dict[str, Any]]:
    """Yield an event for each task."""
    wanted, installed = ((one.tasks if one else {}) for one in (found.wanted, found.installed))
    for task in {**wanted, **installed}:
        last = task_state.outcome(found.folder, task)
        comes = task_state.next_moment(holds, task, datetime.now(UTC)) if task in installed else None
        yield {
            "event": "scheduled",
            "target": found.target,
            "task": task,
            "wanted": wanted.get(task),
            "installed": installed.get(task),
            "zone": holds.zone,
            "with": holds.by,
            "next": task_state.stamp(comes) if comes else None,
            "running": task_state.runs(found.folder, task),
            "last": {"begun": last.begun, "ended": last.ended, "exit": last.exit} if last else None,
        }


def _row(event: dict[str, Any]) -> list[str]:
    """Return an event as a row of the table."""
    zone, last = event["zone"], event["last"]
    told = "never"
    if event["running"]:
        told = "running"
    elif last:
        ends = {None: "interrupted", task_state.CUT_OFF: "interrupted", 0: "done"}
        word = ends.get(last["exit"], f"FAILED ({last['exit']})")
        told = f"{word} {_local(task_state.moment(last['begun']), zone)}"
    soon = _local(task_state.moment(event["next"]), zone) if event["next"] else ""
    words = [event["wanted"] or "-", event["installed"] or "-", zone, event["with"], soon, told]
    return [event["target"], event["task"], *words]


def _local(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def _install(session: Session, screen: Console, found: Status, place: systemd.Place, plan: bool) -> int:
    wanted, railway = found.wanted, volumes(session, found.target)
    if wanted is None and railway:
        return _only_railway(session, screen, railway, plan)
    if wanted is None:
        entry = session.inventory.target(found.target)
        at = where(session.inventory, entry)
        raise UsageError(f"{at} has no schedule", 'schedule: {backup: "30 2 * * *"}   or   inv schedule --remove')
    made = installer.render(wanted, str(found.file), place)
    if plan:
        _say_railway(screen, railway)
        return _say_plan(screen, found, "\n".join(f"{name}\n{text}" for name, text in made.items()), writes=made)
    close_stores(session, found.target)
    make_folder(found.folder)
    try_out(wanted, found.folder)
    if railway:
        set_kinds(session, railway)
    installer.install(found, wanted, place)
    comes = {task: task_state.next_moment(wanted, task, datetime.now(UTC)) for task in wanted.tasks}
    first = min(comes, key=lambda task: comes[task])
    then = f"next {first}, {_local(comes[first], wanted.zone)} {wanted.zone}"
    said = f"{counted(len(comes), 'task')} with {wanted.by}; {then}"
    if wanted.by == "cron" and not _daemon():
        screen.text(f"{found.target}: no cron daemon is running, so no task will run: systemctl enable --now cron")
    return _end(screen, found.target, said, f"inv schedule --target={found.target}", stands="installed")


def _only_railway(session: Session, screen: Console, railway: Volumes, plan: bool) -> int:
    """Install only Railway's automatic backups: the inventory schedules no task on this machine."""
    if plan:
        _say_railway(screen, railway)
    else:
        set_kinds(session, railway)
    said, stands = f"Railway's automatic backups: {', '.join(railway.wanted) or 'none'}", "" if plan else "installed"
    return _end(screen, railway.target, said, f"inv schedule --target={railway.target}", stands=stands)


def _say_railway(screen: Console, railway: Volumes | None) -> None:
    if railway and railway.differs:
        screen.text(f"{railway.differs}; they would be changed")


def _say_plan(screen: Console, found: Status, text: str, **told: object) -> int:
    screen.text(f"{found.target}: {text}")
    if screen.as_json:
        screen.show({"event": "schedule-plan", "target": found.target, **told})
        _end(screen, found.target, "")
    return DONE


def _remove(session: Session, screen: Console, found: Status, place: systemd.Place, plan: bool) -> int:
    if plan:
        return _say_plan(screen, found, f"would be removed: {found.parts}", removes=found.parts)
    if not found.anything:
        return _end(screen, found.target, f"{found.target}: nothing is installed", outcome="nothing-to-do")
    installer.remove(found, place)
    return _end(screen, found.target, f"removed: {found.parts}; logs are retained", stands="removed")


def _end(
    screen: Console, target: str, reason: str, hint: str = "", code: int = DONE, outcome: str = "done", stands: str = ""
) -> int:
    stands = stands or "nothing was changed"
    screen.show(outcome_event("schedule", target, outcome, code, reason, hint, stands=stands))
    return code


def _daemon() -> bool:
    """Return True if a cron daemon is running, or if processes can't be listed."""
    names = set()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            names.add((path / "comm").read_text().strip())
    return not names or bool(names & DAEMONS)
