"""The inventory's key ``window``: when production may be changed."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from ops.inventory.fields import DAYS, Day, Frozen, Zone, bad

CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"


class Window(Frozen):
    """When production may be changed. A window across midnight belongs to the day on which the window opens."""

    days: Annotated[tuple[Day, ...], Field(min_length=1)]
    """The days on which the window opens."""
    hours: str
    """Start and end, `HH:MM-HH:MM`. The window may cross midnight."""
    zone: Zone = "UTC"
    """The time zone of `hours`."""

    @field_validator("hours")
    @classmethod
    def _two_times(cls, value: str) -> str:
        if not re.fullmatch(f"{CLOCK}-{CLOCK}", value) or value[:5] == value[6:]:
            raise bad("should be two different times, HH:MM-HH:MM")
        return value

    def contains(self, moment: datetime) -> bool:
        """Return True if ``moment`` is in the window. The window's end is not part of it.

        Raises:
            ValueError: ``moment`` has no time zone.
        """
        if moment.tzinfo is None:
            raise ValueError("a window needs a moment with a time zone")
        local = moment.astimezone(ZoneInfo(self.zone))
        opens, closes = time.fromisoformat(self.hours[:5]), time.fromisoformat(self.hours[6:])
        after_midnight = opens > closes and local.time() < closes
        day = DAYS[(local - timedelta(days=1) if after_midnight else local).weekday()]
        inside = after_midnight or (opens <= local.time() and (opens > closes or local.time() < closes))
        return inside and day in self.days
