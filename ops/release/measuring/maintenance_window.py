"""Compute when the maintenance window closes, what a release needs, and when the release must begin. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from math import ceil
from zoneinfo import ZoneInfo

from ops.engine.effects import StepEffect
from ops.inventory.window import Window

# How much slower production may be: the clone has no bloat, is cached because it was just written, and is not in use.
FACTOR = 2.0
HORIZON = timedelta(days=3)


@dataclass(frozen=True)
class Needed:
    """Hold the seconds that a release still needs to its end, and the seconds of a rollback after that."""

    forward: float
    back: float = 0

    @property
    def seconds(self) -> float:
        """Return the sum: a rollback after a failed release must also fit into the window."""
        return self.forward + self.back


def needed(
    took: Mapping[StepEffect, float],
    migrate: float,
    *,
    frozen: bool,
    waits: float,
    begun: bool,
    back: float = 0,
    others: float = 0,
) -> Needed:
    """Estimate from the rehearsal, and from the last release, what the release still needs on production.

    Args:
        took: seconds of the rehearsal's steps by effect; 0 for steps that are missing.
        migrate: seconds of the migrations on the clone.
        frozen: production is frozen, so a last backup is taken.
        waits: the longest time in seconds that the migrations may wait for locks.
        begun: all steps before the migrations are done.
        back: measured seconds of a rollback. 0 if not measured: estimate them from a safety backup and a restore.
        others: the seconds of the remaining steps except the migrations by the estimate of the run; they apply if they
            are more than those of the rehearsal.
    """
    backup = took.get(StepEffect.DUMPS, 0)
    rehearsed = took.get(StepEffect.ACCOUNTS, 0) + took.get(StepEffect.DEPLOYS, 0)
    if not begun:
        rehearsed += took.get(StepEffect.COUNTS, 0) + (backup if frozen else 0)
    forward = migrate * FACTOR + waits + max(rehearsed, others)
    return Needed(forward, back or backup + took.get(StepEffect.CLONES, 0))


def closes(window: Window, moment: datetime) -> datetime:
    """Return when the window that is open at ``moment`` closes.

    If the clock is put forward over the closing time, the window closes at that moment.

    Raises:
        ValueError: the window is closed at ``moment``, or ``moment`` has no time zone.
    """
    if not window.contains(moment):
        raise ValueError("the window is closed")
    for candidate in sorted({*_ends(window, moment), *_shifts(ZoneInfo(window.zone), moment)}):
        if candidate > moment and not window.contains(candidate):
            return candidate
    return moment + HORIZON


def opens(window: Window, moment: datetime) -> datetime:
    """Return when the window that is closed at ``moment`` opens.

    If the clock is put forward over the opening time, the window opens at that moment.

    Raises:
        ValueError: the window never opens within a month.
    """
    zone, start = ZoneInfo(window.zone), time.fromisoformat(window.hours[:5])
    first = moment.astimezone(zone).date() - timedelta(days=1)
    for day in range(33):
        walls = [datetime.combine(first + timedelta(days=day), start, zone).replace(fold=fold) for fold in (0, 1)]
        found = {wall.astimezone(UTC) for wall in walls}
        if len(found) > 1:
            # The clock is put forward or back over that time.
            found |= {shift for shift in _shifts(zone, min(found)) if shift <= max(found)}
        for candidate in sorted(found):
            if candidate > moment and window.contains(candidate):
                return candidate
    raise ValueError("the window does not open")


def _ends(window: Window, moment: datetime) -> Iterator[datetime]:
    zone, end = ZoneInfo(window.zone), time.fromisoformat(window.hours[6:])
    first = moment.astimezone(zone).date() - timedelta(days=1)
    for day in range(HORIZON.days + 2):
        for fold in (0, 1):
            wall = datetime.combine(first + timedelta(days=day), end, zone).replace(fold=fold)
            yield wall.astimezone(UTC)


def _shifts(zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    """Yield the moments at which the zone's clocks are put forward or back, to the second."""
    start = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    for hour in range(int(HORIZON.total_seconds()) // 3600):
        low = start + timedelta(hours=hour)
        high, was = low + timedelta(hours=1), low.astimezone(zone).utcoffset()
        if high.astimezone(zone).utcoffset() == was:
            continue
        while high - low > timedelta(seconds=1):
            middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
            low, high = (middle, high) if middle.astimezone(zone).utcoffset() == was else (low, middle)
        yield high


def objection(window: Window, moment: datetime, need: Needed) -> str:
    """Return why a release must not begin now, or an empty string.

    Args:
        moment: the current time.
        need: the time that the release still needs.
    """
    if not window.contains(moment):
        return f"the maintenance window is closed: {', '.join(window.days)} {window.hours} {window.zone}"
    return "" if moment <= last_start(window, moment, need) else said(window, moment, need)


def last_start(window: Window, moment: datetime, need: Needed) -> datetime:
    """Return the latest start of a release in the window that is open at ``moment``."""
    return closes(window, moment) - timedelta(seconds=need.seconds)


def said(window: Window, moment: datetime, need: Needed) -> str:
    """Return the result as a sentence, in the window's time zone."""
    zone = ZoneInfo(window.zone)
    end, last = closes(window, moment).astimezone(zone), last_start(window, moment, need).astimezone(zone)
    day = "" if last.date() == moment.astimezone(zone).date() else f" on {last:%Y-%m-%d}"
    back = f", including {minutes(need.back)} for a rollback" if need.back else ""
    return (
        f"the window closes at {end:%H:%M} {window.zone}; the release needs about {minutes(need.seconds)}{back}; "
        f"last safe start {last:%H:%M}{day}"
    )


def minutes(seconds: float) -> str:
    """Return a duration in whole minutes, rounded up."""
    return f"{max(ceil(seconds / 60), 1)} min"
