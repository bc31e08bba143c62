"""Cron's five fields as moments: whether they are well-formed, which moment was the last, which is the next.

Imports nothing heavy: every few minutes a line in a crontab asks whether something is due.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

# What every cron knows. `L`, `W`, `#`, seconds and names like @daily are some crons' own.
FIELD = re.compile(r"(?:\*|\w+)(?:-\w+)?(?:/\d+)?(?:,(?:\*|\w+)(?:-\w+)?(?:/\d+)?)*")
NAMES = re.compile(r"[a-z]+", re.IGNORECASE)
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
EXAMPLE = "30 2 * * *"


def mistake(at: str) -> str:
    """What is wrong with an expression, in words that quote nothing of it; empty where it is one of cron's."""
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


def last(at: str, zone: str, now: datetime) -> datetime:
    """The last moment up to ``now``, in UTC."""
    return _moment(at, zone, now, back=True)


def following(at: str, zone: str, now: datetime) -> datetime:
    """The first moment after ``now``, in UTC."""
    return _moment(at, zone, now, back=False)


def _moment(at: str, zone: str, now: datetime, back: bool) -> datetime:
    from cronsim import CronSim

    # UTC itself, and not a zone of that name: it has no summer to account for.
    where = UTC if zone == "UTC" else ZoneInfo(zone)
    # Going back it never gives the very second that it starts at, so it starts a little after it.
    start = now.replace(microsecond=1) if back else now
    return next(CronSim(at, start.astimezone(where), reverse=back)).astimezone(UTC)
