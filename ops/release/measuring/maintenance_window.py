"""The maintenance window's arithmetic: when it closes, what a release needs, when it may begin at the latest. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from math import ceil
from zoneinfo import ZoneInfo

from ops.engine.effects import StepEffect
from ops.inventory.window import Window

# How much slower production may be than the clone: the clone is restored without bloat, is warm from having been
# written a minute ago, and nobody else works on it.
FACTOR = 2.0
HORIZON = timedelta(days=3)


@dataclass(frozen=True)
class Needed:
    """What a release still needs, in seconds: forward to its end, and the way back from there."""

    forward: float
    back: float = 0

    @property
    def seconds(self) -> float:
        """Both: a release that is found wrong at its end must be taken back within the window, too."""
        return self.forward + self.back


def needed(
    took: Mapping[StepEffect, float], migrate: float, *, frozen: bool, waits: float, begun: bool, back: float = 0
) -> Needed:
    """Estimate from the rehearsal what the release still needs on production.

    Args:
        took: seconds of the rehearsal's steps, by what they do; what was never seen counts as nothing.
        migrate: seconds of the migrations on the clone.
        frozen: production is frozen, so a last backup is taken.
        waits: how long the migrations may wait for locks at most.
        begun: all that comes before the migrations is done already.
        back: seconds that the way back was measured to take; 0 where it was not: then it is estimated from a backup
            (what is live is kept, too) and a restore with its proof.
    """
    backup = took.get(StepEffect.DUMPS, 0)
    forward = migrate * FACTOR + waits + took.get(StepEffect.ACCOUNTS, 0) + took.get(StepEffect.DEPLOYS, 0)
    if not begun:
        forward += took.get(StepEffect.COUNTS, 0) + (backup if frozen else 0)
    return Needed(forward, back or backup + took.get(StepEffect.CLONES, 0))


def closes(window: Window, moment: datetime) -> datetime:
    """The first moment after ``moment``, which lies in the window, that does not.

    A wall clock that is put forward over the closing time closes the window there and then.

    Raises:
        ValueError: ``moment`` does not lie in the window, or has no time zone.
    """
    if not window.contains(moment):
        raise ValueError("the window is closed")
    for candidate in sorted({*_ends(window, moment), *_shifts(ZoneInfo(window.zone), moment)}):
        if candidate > moment and not window.contains(candidate):
            return candidate
    return moment + HORIZON


def opens(window: Window, moment: datetime) -> datetime:
    """The first moment after ``moment``, which does not lie in the window, at which it opens.

    A wall clock that is put forward over the opening time opens the window there and then.

    Raises:
        ValueError: the window never opens within a month.
    """
    zone, start = ZoneInfo(window.zone), time.fromisoformat(window.hours[:5])
    first = moment.astimezone(zone).date() - timedelta(days=1)
    for day in range(33):
        walls = [datetime.combine(first + timedelta(days=day), start, zone).replace(fold=fold) for fold in (0, 1)]
        found = {wall.astimezone(UTC) for wall in walls}
        if len(found) > 1:
            # The clock is put forward over that time, or back.
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
    """The moments at which the zone's clocks are put forward or back, to the second."""
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
    """Why a release may not begin now, in words; empty where it may.

    Args:
        moment: now.
        need: what it still needs.
    """
    if not window.contains(moment):
        return f"the maintenance window is closed: {', '.join(window.days)} {window.hours} {window.zone}"
    return "" if moment <= last_start(window, moment, need) else said(window, moment, need)


def last_start(window: Window, moment: datetime, need: Needed) -> datetime:
    """When a release that needs so much must begin at the latest, in the window that is open at ``moment``."""
    return closes(window, moment) - timedelta(seconds=need.seconds)


def said(window: Window, moment: datetime, need: Needed) -> str:
    """The arithmetic in words, in the window's own time."""
    zone = ZoneInfo(window.zone)
    end, last = closes(window, moment).astimezone(zone), last_start(window, moment, need).astimezone(zone)
    day = "" if last.date() == moment.astimezone(zone).date() else f" on {last:%Y-%m-%d}"
    back = f", {minutes(need.back)} of them for the way back" if need.back else ""
    return (
        f"the window closes at {end:%H:%M} {window.zone}; the release needs about {minutes(need.seconds)}{back}; "
        f"last safe start {last:%H:%M}{day}"
    )


def minutes(seconds: float) -> str:
    """A duration in whole minutes, rounded up."""
    return f"{max(ceil(seconds / 60), 1)} min"
