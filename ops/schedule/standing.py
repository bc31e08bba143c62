"""What the inventory wants, what is installed, and what differs between them. It only reads."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ops.errors import OpsError, UsageError
from ops.probes import target_folder
from ops.schedule import crontab, kept, systemd
from ops.schedule.kept import Installed
from ops.world import World


@dataclass(frozen=True)
class Standing:
    """Where a target's schedule stands.

    Args:
        target: the target.
        inventory: the inventory's file, absolute.
        folder: where outcomes, logs and locks are.
        wanted: what the inventory wants; None for nothing.
        installed: what was installed; None for nothing.
        block: our lines of the crontab; None where there are none.
        units: our units of systemd, by their names.
        differs: what is not as wanted, a sentence each.
        failed: what ended badly the last time, likewise.
    """

    target: str
    inventory: str
    folder: Path
    wanted: Installed | None
    installed: Installed | None
    block: bytes | None
    units: dict[str, str]
    differs: list[str]
    failed: list[str]

    @property
    def anything(self) -> bool:
        """Whether anything of ours is there."""
        return self.installed is not None or self.block is not None or bool(self.units)


def folder_of(world: World, target: str) -> Path:
    """Where the schedule of a target is kept.

    Raises:
        UsageError: it is a test target.
    """
    entry = world.inventory.target(target)
    if entry.kind != "production":
        hint = f"--target={' or '.join(world.inventory.production)}"
        raise UsageError(f"{target} is a test target, which has no schedule", hint)
    return target_folder(world, target) / "schedules"


def file_of(folder: Path) -> Path:
    """The file that says what was installed."""
    return folder / kept.FILE


def wish(world: World, target: str, before: Installed | None) -> Installed | None:
    """What the inventory wants; None for nothing.

    Args:
        before: what is installed: for a task whose moments stay the same, what was missed is not forgotten.
    """
    plan, now = world.inventory.target(target).schedule, kept.stamp(datetime.now(UTC))
    if plan is None:
        return None
    same = before.since if before and before.zone == plan.zone else {}
    then = before.tasks if before else {}
    since = {task: same[task] if then.get(task) == at and task in same else now for task, at in plan.tasks.items()}
    return Installed(
        target=target,
        inventory=os.path.abspath(world.inventory.file),
        folder=str(world.inventory.folder),
        inv=inv_words(world.inventory.folder, Path.cwd()),
        path=os.environ.get("PATH", os.defpath),
        by=plan.with_,
        zone=plan.zone,
        jitter=plan.jitter,
        environment=str(world.inventory.path(plan.environment)) if plan.environment else "",
        tasks=plan.tasks,
        since=since,
    )


def inv_words(folder: Path, here: Path) -> tuple[str, ...]:
    """The words that call the ``inv`` that runs now, from the inventory's folder.

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


def stand(world: World, target: str, place: systemd.Place | None = None) -> Standing:
    """Look at all of it.

    Args:
        place: of the units of systemd; this user's where None.
    """
    folder, inventory = folder_of(world, target), os.path.abspath(world.inventory.file)
    differs: list[str] = []
    installed, block = None, None
    try:
        installed = kept.read(file_of(folder)) if file_of(folder).exists() else None
    except OpsError as error:
        differs.append(error.message)
    wanted = wish(world, target, installed)
    by_cron = "cron" in {one.by for one in (wanted, installed) if one}
    if crontab.there():
        try:
            block = crontab.find(crontab.listed(), crontab.mark(target, inventory))[1]
        except OpsError as error:
            # Where somebody may not use cron and does not want to, nothing is wrong.
            differs += [error.message] if by_cron else []
    units = (place or systemd.Place()).found(target, inventory)
    found = Standing(target, inventory, folder, wanted, installed, block, units, differs, [])
    differs += _against_wish(found)
    if installed:
        differs += [*_called(found, installed), *_overdue(found, installed)]
        found.failed.extend(_failed(found, installed))
    return found


def _against_wish(found: Standing) -> list[str]:
    wanted, installed = found.wanted, found.installed
    if wanted is None:
        return ["something is installed, and the inventory wants nothing"] if found.anything else []
    if installed is None:
        return ["nothing is installed yet"]
    words = {"by": "with", "zone": "zone", "jitter": "jitter", "environment": "environment", "inventory": "inventory"}
    told = [
        f"{word}: {getattr(wanted, name)} is wanted, {getattr(installed, name) or 'none'} is installed"
        for name, word in words.items()
        if getattr(wanted, name) != getattr(installed, name)
    ]
    for task in sorted({*wanted.tasks, *installed.tasks}):
        now, then = wanted.tasks.get(task), installed.tasks.get(task)
        if now != then:
            told.append(f"{task}: {now or 'none'} is wanted, {then or 'none'} is installed")
    return told


def _called(found: Standing, installed: Installed) -> list[str]:
    """Whether what was installed is still called, and can be."""
    file = str(file_of(found.folder))
    paths = (installed.inv[0], installed.folder)
    told = [f"{path} is not there any more" for path in paths if not os.path.exists(path)]
    if installed.by == "cron":
        if found.block is None:
            told.append("the crontab has no lines of ours")
        elif crontab.plain(found.block) != crontab.block(installed, file):
            told.append("the lines in the crontab are not those that were installed")
        if found.units:
            told.append("timers of systemd are there, too")
    else:
        if found.units != systemd.units(installed, file):
            told.append("the timers of systemd are not those that were installed")
        if found.block is not None:
            told.append("lines in the crontab are there, too")
    return told


def _overdue(found: Standing, installed: Installed) -> list[str]:
    told, now = [], datetime.now(UTC)
    for task in installed.tasks:
        if at := kept.overdue(installed, found.folder, task, now):
            why = f"{installed.by} has not begun it"
            if kept.runs(found.folder, task):
                why = "an earlier one still runs, or waits for another task"
            told.append(f"{task}: was due {kept.stamp(at)}, and {why}")
    return told


def _failed(found: Standing, installed: Installed) -> list[str]:
    told = []
    for task in installed.tasks:
        last = kept.outcome(found.folder, task)
        if last is None or last.exit == 0 or kept.runs(found.folder, task):
            continue
        how = "did not come to its end" if last.cut_off else f"ended with {last.exit}"
        told.append(f"{task}: begun {last.begun}, {how}; {found.folder / f'{task}.log'}")
    return told


def strangers(world: World) -> list[str]:
    """Targets that have a block of this inventory in the crontab, and are in it no more."""
    if not crontab.there():
        return []
    ending = re.escape(os.path.abspath(world.inventory.file).encode(errors="surrogateescape"))
    try:
        names = re.findall(rb"(?m)^# BEGIN Generalprobe (\S+) " + ending + rb"\b", crontab.listed())
    except OpsError:
        return []
    return [name for name in (one.decode(errors="replace") for one in names) if name not in world.inventory.targets]
