"""Cron's five fields: check them, write their values out, and compute the last and the next moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

# What every cron knows. `L`, `W`, `#`, seconds and names like @daily are some crons' own.
FIELD = re.compile(r"(?:\*|\w+)(?:-\w+)?(?:/\d+)?(?:,(?:\*|\w+)(?:-\w+)?(?:/\d+)?)*")
NAMES = re.compile(r"[a-z]+", re.IGNORECASE)
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
EXAMPLE = "30 2 * * *"


def mistake(at: str) -> str:
    """Say what is wrong with an expression, quoting nothing of it; empty where it is one of cron's."""
    from cronsim import CronSim, CronSimError

    if at.startswith("@"):
        return "should be written out: five fields, minute hour day month weekday"
    fields = at.split(" ")
    if len(fields) != 5 or not all(fields):
        return "should have five fields, one blank between them: minute hour day month weekday"
    words = (word for field in fields for word in NAMES.findall(field))
    if not all(map(FIELD.fullmatch, fields)) or not all(word.lower() in DAYS + MONTHS for word in words):
        return "has a field that not every cron knows: numbers, names of months and days, and * , - / only"
    try:
        next(CronSim(at, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        return f"is none of cron's expressions: {str(error).lower()}"
    except StopIteration:
        return "never comes: no such day is in those months"
    return ""


def values(at: str) -> tuple[list[set[int]], bool]:
    """Compute the values of minute, hour, day, month and weekday (0 is Sunday).

    Returns:
        them; whether both the day and the weekday must match (a star in one of them), or either is enough.
    """
    from cronsim import CronSim

    one = CronSim(at, datetime(2024, 1, 1, tzinfo=UTC))
    weekdays = {day % 7 for day in one.weekdays if isinstance(day, int)}
    return [one.minutes, one.hours, one.days, one.months, weekdays], one.day_and


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its name. UTC itself has no summer time to account for, unlike a zone of that name."""
    return UTC if name == "UTC" else ZoneInfo(name)


def last(at: str, zone: str, now: datetime) -> datetime:
    """Compute the last moment up to ``now``, in UTC."""
    # Going back it never gives the very second that it starts at, so it starts a little after it.
    return _moment(at, zone, now.replace(microsecond=1), back=True)


def following(at: str, zone: str, now: datetime) -> datetime:
    """Compute the first moment after ``now``, in UTC."""
    return _moment(at, zone, now, back=False)


def _moment(at: str, zone: str, start: datetime, back: bool) -> datetime:
    from cronsim import CronSim

    return next(CronSim(at, start.astimezone(zone_of(zone)), reverse=back)).astimezone(UTC)
