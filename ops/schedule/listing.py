"""``inv schedule``: shows what is wanted and installed, installs it, removes it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ops.console import Console, ending
from ops.errors import DIFFERS, DONE, FAILED, UsageError
from ops.files import make_folder, write_whole
from ops.journal import Event
from ops.main import Options, close_stores, target_of, world_of
from ops.schedule import crontab, kept, systemd
from ops.schedule.kept import Installed
from ops.schedule.standing import Standing, file_of, stand, strangers
from ops.schedule.trial import try_out
from ops.schedule.volumes import Volumes, volumes
from ops.schedule.volumes import install as set_kinds
from ops.world import World

DAEMONS = {"cron", "crond", "fcron", "dcron", "busybox"}


def go(options: Options, install: bool, remove: bool, place: systemd.Place | None = None) -> int:
    """Show, install or remove.

    Args:
        place: of the units of systemd; this user's where None.

    Returns:
        the exit code; of a show 5 where something is not as wanted, or overdue, else 4 where a task failed last.
    """
    if install and remove:
        raise UsageError("inv schedule: either --install or --remove", "inv schedule --install")
    world, screen = world_of(options), Console(options.json)
    if not (install or remove):
        if options.plan:
            raise UsageError("inv schedule: a plan of what?", "inv schedule --install --plan")
        names = [target_of(world, options)] if options.target else list(world.inventory.production)
        return _show(screen, world, [stand(world, name, place) for name in names])
    found = stand(world, target_of(world, options), place)
    return (_install if install else _remove)(world, screen, found, place or systemd.Place(), options.plan)


def _show(screen: Console, world: World, all_found: list[Standing]) -> int:
    rows, data, wrong, failed, hints = [], [], [], [], []
    for found in all_found:
        for row, one in _lines(found):
            rows.append(row)
            data.append(one)
        wrong += [f"{found.target}: {said}" for said in found.differs]
        failed += [f"{found.target}: {said}" for said in found.failed]
        hints += [_way_out(found)] if found.differs else []
        if railway := volumes(world, found.target):
            rows.append(railway.row)
            data.append(railway.event)
            wrong += [railway.differs] if railway.differs else []
            hints += [f"inv schedule --install --target={found.target}"] if railway.differs else []
    for name in strangers(world):
        wrong.append(f"{name}: the crontab has lines of it, and {world.inventory.file.name} has no such target")
        hints.append(f"crontab -e   and remove what stands between # BEGIN and # END Generalprobe {name}")
    if not rows and not wrong:
        screen.text('Try: schedule: {backup: "30 2 * * *"} in the inventory   (docs/schedule.md)')
    screen.table("schedule", ["target", "task", "wanted", "installed", "zone", "with", "next", "last"], rows, data)
    hints += [f"inv status --target={found.target}" for found in all_found if found.failed]
    code = DIFFERS if wrong else FAILED if failed else DONE
    if code or screen.as_json:
        said = "; ".join([*wrong, *failed])
        screen.show(_outcome("failed" if code else "done", _targets(all_found), said, (hints or [""])[0], code))
    return code


def _targets(all_found: Iterable[Standing]) -> str:
    return ", ".join(found.target for found in all_found)


def _way_out(found: Standing) -> str:
    return f"inv schedule {'--install' if found.wanted else '--remove'} --target={found.target}"


def _lines(found: Standing) -> list[tuple[list[str], dict[str, Any]]]:
    """A row a task, for people and for programs."""
    wanted, installed = found.wanted, found.installed
    moment, made = datetime.now(UTC), []
    for task in {**(wanted.tasks if wanted else {}), **(installed.tasks if installed else {})}:
        holds = installed or wanted
        assert holds is not None
        runs, last = kept.runs(found.folder, task), kept.outcome(found.folder, task)
        is_in = installed is not None and task in installed.tasks
        comes = kept.due_next(installed, found.folder, task, moment) if installed and is_in else None
        at = (wanted.tasks.get(task) if wanted else None, installed.tasks.get(task) if installed else None)
        one = {
            "event": "scheduled",
            "target": found.target,
            "task": task,
            "wanted": at[0],
            "installed": at[1],
            "zone": holds.zone,
            "with": holds.by,
            "next": kept.stamp(comes) if comes else None,
            "running": runs,
            "last": {"begun": last.begun, "ended": last.ended, "exit": last.exit} if last else None,
        }
        told = "runs now" if runs else _told(last, holds.zone)
        soon = _local(comes, holds.zone) if comes else ""
        made.append(([found.target, task, at[0] or "-", at[1] or "-", holds.zone, holds.by, soon, told], one))
    return made


def _told(last: kept.Outcome | None, zone: str) -> str:
    if last is None:
        return "never"
    word = "cut off" if last.cut_off else "done" if last.exit == 0 else f"FAILED ({last.exit})"
    return f"{word} {_local(kept.moment(last.begun), zone)}"


def _local(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def _outcome(outcome: str, target: str, reason: str, hint: str, code: int = DONE, stands: str = "") -> Event:
    return ending("schedule", target, outcome, code, reason, hint, stands or "nothing was changed")


def _install(world: World, screen: Console, found: Standing, place: systemd.Place, plan: bool) -> int:
    wanted, file = found.wanted, file_of(found.folder)
    railway = volumes(world, found.target)
    if wanted is None and railway:
        return _only_railway(world, screen, railway, plan)
    if wanted is None:
        entry = world.inventory.target(found.target)
        where = f"{world.inventory.file.name}:{entry.line}: {found.target}"
        raise UsageError(f"{where} has no schedule", 'schedule: {backup: "30 2 * * *"}   or   inv schedule --remove')
    cron = wanted.by == "cron"
    made = {"crontab": crontab.block(wanted, str(file)).decode()} if cron else systemd.units(wanted, str(file))
    if plan:
        _say_railway(screen, railway)
        _say_plan(screen, found, {name if cron else str(place.folder / name): text for name, text in made.items()})
        return DONE
    close_stores(world, found.target)
    make_folder(found.folder)
    _tried(world, wanted, found.folder / "trial.json")
    if railway:
        set_kinds(world, railway)
    former = file.read_bytes() if file.exists() else None
    # Before anything calls it.
    wanted.write(file)
    try:
        if cron:
            mark = crontab.mark(wanted.target, wanted.inventory)
            crontab.change(lambda text: crontab.with_block(text, mark, made["crontab"].encode()))
        else:
            place.install(wanted, made)
    except BaseException:
        if former is None:
            file.unlink(missing_ok=True)
        else:
            write_whole(file, former)
        raise
    _take_out(found, place, block=not cron, units=cron)
    if found.installed and found.installed.inventory != wanted.inventory:
        _take_out_former(found.installed, place)
    comes = {task: kept.due_next(wanted, found.folder, task, datetime.now(UTC)) for task in wanted.tasks}
    first = min(comes, key=lambda task: comes[task])
    many = "1 task" if len(comes) == 1 else f"{len(comes)} tasks"
    said = f"{many} with {wanted.by}; next {first}, {_local(comes[first], wanted.zone)} {wanted.zone}"
    if cron and not _daemon():
        screen.text(f"{found.target}: no cron daemon runs here, so nothing calls it: systemctl enable --now cron")
    screen.show(_outcome("done", found.target, said, f"inv schedule --target={found.target}", stands="installed"))
    return DONE


def _only_railway(world: World, screen: Console, railway: Volumes, plan: bool) -> int:
    """Nothing is to run here, and Railway is to make backups by itself."""
    if plan:
        _say_railway(screen, railway)
    else:
        set_kinds(world, railway)
    said, stands = f"Railway's automatic backups: {', '.join(railway.wanted) or 'none'}", "" if plan else "installed"
    screen.show(_outcome("done", railway.target, said, f"inv schedule --target={railway.target}", stands=stands))
    return DONE


def _say_railway(screen: Console, railway: Volumes | None) -> None:
    if railway and railway.differs:
        screen.text(f"{railway.differs}; they would be set")


def _tried(world: World, wanted: Installed, file: Path) -> None:
    wanted.write(file)
    try:
        try_out(world, wanted, file)
    finally:
        file.unlink(missing_ok=True)


def _say_plan(screen: Console, found: Standing, made: dict[str, str]) -> None:
    for name, text in made.items():
        screen.text(f"{found.target}: {name}\n{text}")
    if screen.as_json:
        screen.show({"event": "schedule-plan", "target": found.target, "writes": made})
        screen.show(_outcome("done", found.target, "", ""))


def _remove(world: World, screen: Console, found: Standing, place: systemd.Place, plan: bool) -> int:
    if plan:
        screen.text(f"{found.target}: would be removed: {_what(found)}")
        if screen.as_json:
            screen.show({"event": "schedule-plan", "target": found.target, "removes": _what(found)})
            screen.show(_outcome("done", found.target, "", ""))
        return DONE
    if not found.anything:
        screen.show(_outcome("nothing-to-do", found.target, f"{found.target}: nothing is installed", ""))
        return DONE
    _take_out(found, place, block=True, units=True)
    file_of(found.folder).unlink(missing_ok=True)
    screen.show(_outcome("done", found.target, f"removed: {_what(found)}; logs stay", "", stands="removed"))
    return DONE


def _what(found: Standing) -> str:
    parts = ["our lines of the crontab"] if found.block is not None else []
    parts += [*found.units, *([str(file_of(found.folder))] if found.installed else [])]
    return ", ".join(parts) or "nothing"


def _take_out(found: Standing, place: systemd.Place, *, block: bool, units: bool) -> None:
    if block and found.block is not None:
        crontab.change(lambda text: crontab.without(text, crontab.mark(found.target, found.inventory)))
    if units and found.units:
        place.remove(found.target, found.inventory)


def _take_out_former(former: Installed, place: systemd.Place) -> None:
    """What another inventory, or this one under another name, installed for the same target and store."""
    if crontab.there():
        crontab.change(lambda text: crontab.without(text, crontab.mark(former.target, former.inventory)))
    if place.found(former.target, former.inventory):
        place.remove(former.target, former.inventory)


def _daemon() -> bool:
    """Whether something here looks like a cron daemon; where processes can't be seen, it is not doubted."""
    names = set()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            names.add((path / "comm").read_text().strip())
    return not names or bool(names & DAEMONS)
