"""Cron's five fields: check them, expand them to values, and compute the previous and the next time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

# The syntax that every cron accepts. Only some crons accept `L`, `W`, `#`, seconds and names such as @daily.
FIELD = re.compile(r"(?:\*|\w+)(?:-\w+)?(?:/\d+)?(?:,(?:\*|\w+)(?:-\w+)?(?:/\d+)?)*")
NAMES = re.compile(r"[a-z]+", re.IGNORECASE)
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
EXAMPLE = "30 2 * * *"


def mistake(at: str) -> str:
    """Return what is wrong with a cron expression, without quoting it; empty if it is valid."""
    from cronsim import CronSim, CronSimError

    if at.startswith("@"):
        return "should be five fields and not a name: minute hour day month weekday"
    fields = at.split(" ")
    if len(fields) != 5 or not all(fields):
        return "should have five fields, separated by one space: minute hour day month weekday"
    words = (word for field in fields for word in NAMES.findall(field))
    if not all(map(FIELD.fullmatch, fields)) or not all(word.lower() in DAYS + MONTHS for word in words):
        return "has a field that not every cron accepts; use numbers, names of months and days, and * , - /"
    try:
        next(CronSim(at, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        return f"is not a valid cron expression: {str(error).lower()}"
    except StopIteration:
        return "never matches: those months do not have that day"
    return ""


def values(at: str) -> tuple[list[set[int]], bool]:
    """Return the values of minute, hour, day, month and weekday (0 is Sunday).

    Returns:
        the five sets; and True if both the day and the weekday must match (one of them begins with a star), False
        if either is enough.
    """
    from cronsim import CronSim

    one = CronSim(at, datetime(2024, 1, 1, tzinfo=UTC))
    weekdays = {day % 7 for day in one.weekdays if isinstance(day, int)}
    return [one.minutes, one.hours, one.days, one.months, weekdays], one.day_and


def zone_of(name: str) -> tzinfo:
    """Return the time zone of a name. ``UTC`` is returned as ``datetime.UTC``, which needs no time zone data."""
    return UTC if name == "UTC" else ZoneInfo(name)


def last(at: str, zone: str, now: datetime) -> datetime:
    """Return the last matching time that is not after ``now``, in UTC."""
    # In reverse, cronsim skips the second at which it starts, so start one microsecond after that second.
    return _moment(at, zone, now.replace(microsecond=1), back=True)


def following(at: str, zone: str, now: datetime) -> datetime:
    """Return the first matching time after ``now``, in UTC."""
    return _moment(at, zone, now, back=False)


def _moment(at: str, zone: str, start: datetime, back: bool) -> datetime:
    from cronsim import CronSim

    return next(CronSim(at, start.astimezone(zone_of(zone)), reverse=back)).astimezone(UTC)
