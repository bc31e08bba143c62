"""Compare the schedule in the inventory with the installed schedule. This module changes nothing."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ops.core.errors import OpsError, UsageError
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.schedule import crontab, systemd, task_state
from ops.schedule.task_state import Installed


@dataclass(frozen=True)
class Status:
    """A target's schedule in the inventory, the installed schedule, and the differences.

    Args:
        target: the target.
        inventory: the absolute path of the inventory.
        file: the file with the installed schedule; outcomes, logs and locks are beside it.
        wanted: the schedule in the inventory; None if there is none.
        installed: the installed schedule; None if there is none.
        block: the target's lines of the crontab; None if there are none.
        units: the target's systemd units, by name.
        differs: the differences, one sentence each.
        failed: the tasks whose last run failed, one sentence each.
    """

    target: str
    inventory: str
    file: Path
    wanted: Installed | None
    installed: Installed | None
    block: bytes | None
    units: dict[str, str]
    differs: list[str]
    failed: list[str]

    @property
    def folder(self) -> Path:
        """The folder of outcomes, logs and locks."""
        return self.file.parent

    @property
    def anything(self) -> bool:
        """True if any part of a schedule is installed."""
        return self.installed is not None or self.block is not None or bool(self.units)

    @property
    def parts(self) -> str:
        """The installed parts, as text."""
        parts = ["the lines of the crontab"] if self.block is not None else []
        return ", ".join([*parts, *self.units, *([str(self.file)] if self.installed else [])]) or "nothing"


def file_of(session: Session, target: str) -> Path:
    """Return the path of the file with a target's installed schedule.

    Raises:
        UsageError: the target is a test target.
    """
    if session.inventory.target(target).kind != "production":
        hint = f"--target={' or '.join(session.inventory.production)}"
        raise UsageError(f"{target} is a test target, which has no schedule", hint)
    return target_folder(session, target) / "schedules" / task_state.FILE


def read_wanted(session: Session, target: str, before: Installed | None) -> Installed | None:
    """Return the schedule in the inventory; None if there is none.

    Args:
        session: the connections.
        target: the target.
        before: the installed schedule. For a task with the same fields and time zone, missed runs remain due.
    """
    plan, now = session.inventory.target(target).schedule, task_state.stamp(datetime.now(UTC))
    if plan is None:
        return None
    same = before.since if before and before.zone == plan.zone else {}
    then = before.tasks if before else {}
    since = {task: same[task] if then.get(task) == at and task in same else now for task, at in plan.tasks.items()}
    return Installed(
        target=target,
        inventory=os.path.abspath(session.inventory.file),
        folder=str(session.inventory.folder),
        inv=inv_words(session.inventory.folder, Path.cwd()),
        path=os.environ.get("PATH", os.defpath),
        by=plan.with_,
        zone=plan.zone,
        jitter=plan.jitter,
        environment=str(session.inventory.path(plan.environment)) if plan.environment else "",
        tasks=plan.tasks,
        since=since,
    )


def inv_words(folder: Path, here: Path) -> tuple[str, ...]:
    """Return the words that call the running ``inv`` from the inventory's folder.

    Args:
        folder: the inventory's folder.
        here: the current folder, from which ``inv`` searched upwards for its ``tasks.py``.
    """
    program = sys.argv[0]
    if os.path.basename(program) in ("inv", "invoke"):
        call = [os.path.abspath(shutil.which(program) or program)]
    else:
        call = [sys.executable, "-m", "invoke"]
    root = _tasks(here)
    return tuple(call if root is None or _tasks(folder) == root else [*call, f"--search-root={root}"])


def _tasks(start: Path) -> Path | None:
    for folder in (start, *start.parents):
        if (folder / "tasks.py").is_file() or (folder / "tasks/__init__.py").is_file():
            return folder
    return None


def read_status(session: Session, target: str, place: systemd.Place | None = None) -> Status:
    """Compare a target's schedule in the inventory with the installed schedule.

    Args:
        session: the connections.
        target: the target.
        place: the location of systemd's units; None: this user's.
    """
    file, inventory = file_of(session, target), os.path.abspath(session.inventory.file)
    differs: list[str] = []
    installed, block = None, None
    try:
        installed = task_state.read(file) if file.exists() else None
    except OpsError as error:
        differs.append(error.message)
    wanted = read_wanted(session, target, installed)
    try:
        block = crontab.find(crontab.listed(), crontab.mark(target, inventory))[1] if crontab.there() else None
    except OpsError as error:
        # It is no difference that cron does not work, if no schedule uses cron.
        differs += [error.message] if "cron" in {one.by for one in (wanted, installed) if one} else []
    units = (place or systemd.Place()).found(target, inventory)
    found = Status(target, inventory, file, wanted, installed, block, units, differs, [])
    differs += _against_wanted(found)
    if installed:
        differs += [*_against_installed(found, installed), *_overdue(found, installed)]
        found.failed.extend(_failed(found, installed))
    return found


def _against_wanted(found: Status) -> list[str]:
    wanted, installed = found.wanted, found.installed
    if wanted is None:
        return ["a schedule is installed, but the inventory has none"] if found.anything else []
    if installed is None:
        return ["nothing is installed yet"]
    names = {"by": "with", "zone": "zone", "jitter": "jitter", "environment": "environment", "inventory": "inventory"}
    pairs = [(word, getattr(wanted, name), getattr(installed, name)) for name, word in names.items()]
    tasks = sorted({*wanted.tasks, *installed.tasks})
    pairs += [(task, wanted.tasks.get(task), installed.tasks.get(task)) for task in tasks]
    differ = [pair for pair in pairs if pair[1] != pair[2]]
    return [f"{word}: {now or 'none'} in the inventory, {then or 'none'} installed" for word, now, then in differ]


def _against_installed(found: Status, installed: Installed) -> list[str]:
    """Return why the installed schedule would not run as it was installed."""
    file = str(found.file)
    told = [
        f"{path} no longer exists" for path in (installed.inv[0], installed.folder) if not os.path.exists(path)
    ]
    cron = installed.by == "cron"
    if found.block != (crontab.block(installed, file) if cron else None):
        told.append("the lines in the crontab were changed after the installation")
    if found.units != ({} if cron else systemd.units(installed, file)):
        told.append("the systemd timers were changed after the installation")
    return told


def _overdue(found: Status, installed: Installed) -> list[str]:
    told, now = [], datetime.now(UTC)
    for task in installed.tasks:
        if at := task_state.overdue(installed, found.folder, task, now):
            runs = task_state.runs(found.folder, task)
            why = "an earlier run is still running or waiting" if runs else f"{installed.by} did not start it"
            told.append(f"{task}: was due {task_state.stamp(at)}, but {why}")
    return told


def _failed(found: Status, installed: Installed) -> list[str]:
    told = []
    for task in installed.tasks:
        last = task_state.outcome(found.folder, task)
        if last is None or last.exit == 0 or task_state.runs(found.folder, task):
            continue
        how = "was interrupted" if last.cut_off else f"ended with exit code {last.exit}"
        told.append(f"{task}: started {last.begun}, {how}; log: {found.folder / f'{task}.log'}")
    return told


def find_strangers(session: Session) -> list[str]:
    """Return the targets that have a block of this inventory in the crontab, but are no longer in the inventory."""
    if not crontab.there():
        return []
    ending = re.escape(os.path.abspath(session.inventory.file).encode(errors="surrogateescape"))
    try:
        names = re.findall(rb"(?m)^# BEGIN Generalprobe (\S+) " + ending + rb"\b", crontab.listed())
    except OpsError:
        return []
    return [name for name in (one.decode(errors="replace") for one in names) if name not in session.inventory.targets]
