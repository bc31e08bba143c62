"""Compare what the inventory wants to run by itself with what is installed. It only reads."""

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
    """A target's schedule: what is wanted, what is installed, and how they differ.

    Args:
        target: the target.
        inventory: the inventory's file, absolute.
        file: the file that says what was installed; outcomes, logs and locks are beside it.
        wanted: what the inventory wants; None for nothing.
        installed: what was installed; None for nothing.
        block: our lines of the crontab; None where there are none.
        units: our units of systemd, by their names.
        differs: what is not as wanted, a sentence each.
        failed: what ended badly the last time, likewise.
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
        """Where outcomes, logs and locks are."""
        return self.file.parent

    @property
    def anything(self) -> bool:
        """Return True if anything of ours is there."""
        return self.installed is not None or self.block is not None or bool(self.units)

    @property
    def parts(self) -> str:
        """What of ours is there, in words."""
        parts = ["our lines of the crontab"] if self.block is not None else []
        return ", ".join([*parts, *self.units, *([str(self.file)] if self.installed else [])]) or "nothing"


def file_of(session: Session, target: str) -> Path:
    """Return the file that says what was installed for a target.

    Raises:
        UsageError: it is a test target.
    """
    if session.inventory.target(target).kind != "production":
        hint = f"--target={' or '.join(session.inventory.production)}"
        raise UsageError(f"{target} is a test target, which has no schedule", hint)
    return target_folder(session, target) / "schedules" / task_state.FILE


def read_wanted(session: Session, target: str, before: Installed | None) -> Installed | None:
    """Read what the inventory wants; None for nothing.

    Args:
        before: what is installed: for a task whose moments stay the same, what was missed is not forgotten.
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
    """Return the words that call the ``inv`` that runs now, from the inventory's folder.

    Args:
        here: where it was called, and so from where upwards it found its ``tasks.py``.
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
    """Compare what is wanted for a target with what is installed.

    Args:
        place: of the units of systemd; this user's where None.
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
        # Where somebody may not use cron and does not want to, nothing is wrong.
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
        return ["something is installed, and the inventory wants nothing"] if found.anything else []
    if installed is None:
        return ["nothing is installed yet"]
    names = {"by": "with", "zone": "zone", "jitter": "jitter", "environment": "environment", "inventory": "inventory"}
    pairs = [(word, getattr(wanted, name), getattr(installed, name)) for name, word in names.items()]
    tasks = sorted({*wanted.tasks, *installed.tasks})
    pairs += [(task, wanted.tasks.get(task), installed.tasks.get(task)) for task in tasks]
    differ = [pair for pair in pairs if pair[1] != pair[2]]
    return [f"{word}: {now or 'none'} is wanted, {then or 'none'} is installed" for word, now, then in differ]


def _against_installed(found: Status, installed: Installed) -> list[str]:
    """Return what keeps what was installed from being called as it was installed."""
    file = str(found.file)
    told = [
        f"{path} is not there any more" for path in (installed.inv[0], installed.folder) if not os.path.exists(path)
    ]
    cron = installed.by == "cron"
    if found.block != (crontab.block(installed, file) if cron else None):
        told.append("the lines in the crontab are not those that were installed")
    if found.units != ({} if cron else systemd.units(installed, file)):
        told.append("the timers of systemd are not those that were installed")
    return told


def _overdue(found: Status, installed: Installed) -> list[str]:
    told, now = [], datetime.now(UTC)
    for task in installed.tasks:
        if at := task_state.overdue(installed, found.folder, task, now):
            runs = task_state.runs(found.folder, task)
            why = "an earlier one still runs, or waits for its turn" if runs else f"{installed.by} has not begun it"
            told.append(f"{task}: was due {task_state.stamp(at)}, and {why}")
    return told


def _failed(found: Status, installed: Installed) -> list[str]:
    told = []
    for task in installed.tasks:
        last = task_state.outcome(found.folder, task)
        if last is None or last.exit == 0 or task_state.runs(found.folder, task):
            continue
        how = "did not come to its end" if last.cut_off else f"ended with {last.exit}"
        told.append(f"{task}: begun {last.begun}, {how}; {found.folder / f'{task}.log'}")
    return told


def find_strangers(session: Session) -> list[str]:
    """Find targets that have a block of this inventory in the crontab, and are in the inventory no more."""
    if not crontab.there():
        return []
    ending = re.escape(os.path.abspath(session.inventory.file).encode(errors="surrogateescape"))
    try:
        names = re.findall(rb"(?m)^# BEGIN Generalprobe (\S+) " + ending + rb"\b", crontab.listed())
    except OpsError:
        return []
    return [name for name in (one.decode(errors="replace") for one in names) if name not in session.inventory.targets]
