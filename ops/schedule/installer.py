"""Install and remove a schedule."""

from __future__ import annotations

from ops.core.files import write_whole
from ops.schedule import crontab, systemd
from ops.schedule.drift import Status
from ops.schedule.task_state import Installed


def render(wanted: Installed, file: str, place: systemd.Place) -> dict[str, str]:
    """Return the texts to install, by the absolute path of their file, or by ``crontab``.

    Raises:
        UsageError: cron or systemd can't run the commands.
    """
    if wanted.by == "cron":
        return {"crontab": crontab.block(wanted, file).decode()}
    return {str(place.folder / name): text for name, text in systemd.units(wanted, file).items()}


def install(found: Status, wanted: Installed, place: systemd.Place) -> None:
    """Install a schedule, then remove what was installed by the other program.

    Args:
        found: the state before.
        wanted: the schedule to install.
        place: the location of systemd's units.

    Raises:
        OpsError: cron or systemd refused; the former schedule is unchanged.
    """
    file, cron = found.file, wanted.by == "cron"
    former = file.read_bytes() if file.exists() else None
    # Write the file first: the installed commands read it.
    wanted.write(file)
    try:
        if cron:
            ours, mark = crontab.block(wanted, str(file)), crontab.mark(wanted.target, wanted.inventory)
            crontab.change(lambda text: crontab.with_block(text, mark, ours))
        else:
            place.install(wanted, systemd.units(wanted, str(file)))
    except BaseException:
        if former is None:
            file.unlink(missing_ok=True)
        else:
            write_whole(file, former)
        raise
    _take_out(found.target, found.inventory, place, block=not cron and found.block is not None, units=cron)
    # Another inventory, or this inventory under another name, installed a schedule for the same target and store.
    if (before := found.installed) and before.inventory != wanted.inventory:
        _take_out(before.target, before.inventory, place, block=crontab.there(), units=True)


def remove(found: Status, place: systemd.Place) -> None:
    """Remove everything that is installed. Logs and outcomes are retained."""
    _take_out(found.target, found.inventory, place, block=found.block is not None, units=True)
    found.file.unlink(missing_ok=True)


def _take_out(target: str, inventory: str, place: systemd.Place, *, block: bool, units: bool) -> None:
    if block:
        crontab.change(lambda text: crontab.without(text, crontab.mark(target, inventory)))
    if units:
        place.remove(target, inventory)
