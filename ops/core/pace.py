"""Compute the rate and the remaining time of work whose total is known. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from ops.core.text import amount

# Seconds of the rate, unless a work ends in large parts.
WINDOW = 30.0
# Seconds that a rate needs at least.
ENOUGH = 2.0


@dataclass(frozen=True)
class Pace:
    """The state of a work: ``done`` of ``total`` units (0: unknown), and the rate per second (0: unknown).

    ``unit`` is ``bytes``, or the plural of what is counted.
    """

    done: float
    total: float
    rate: float
    unit: str = "bytes"

    @property
    def left(self) -> float | None:
        """The remaining seconds; None if total or rate is unknown."""
        if self.rate <= 0 or self.total <= 0:
            return None
        return max(self.total - self.done, 0) / self.rate

    def data(self) -> dict[str, float | str | None]:
        """Return the pace for an event; an unknown total or remaining time is None."""
        left = self.left
        return {
            "unit": self.unit,
            "done": round(self.done, 1) if self.unit == "seconds" else round(self.done),
            "total": round(self.total, 1) if self.unit == "seconds" else round(self.total) if self.total > 0 else None,
            "rate": round(self.rate, 1),
            "left": round(left, 1) if left is not None else None,
        }

    @classmethod
    def of(cls, event: Mapping[str, object]) -> Pace:
        """Return the pace of an event (``data``)."""
        done, total, rate = (float(str(event[name] or 0)) for name in ("done", "total", "rate"))
        return cls(done, total, rate, str(event["unit"]))

    @property
    def words(self) -> str:
        """The amounts, the rate and the remaining time; empty if the rate is unknown."""
        if self.rate <= 0:
            return ""
        done = f"{self._amount(self.done)} of {self._amount(self.total)}" if self.total > 0 else self._amount(self.done)
        if self.unit != "bytes":
            done += f" {self.unit}"
        left = self.left
        return f"{done}, {self._rate}" + (f", {about(left)} left" if left is not None else "")

    @property
    def _rate(self) -> str:
        return f"{self._amount(self.rate)}{'' if self.unit == 'bytes' else f' {self.unit}'}/s"

    def _amount(self, number: float) -> str:
        return amount(number) if self.unit == "bytes" else f"{number:,.0f}"


class Meter:
    """Measures the rate of a work from samples.

    Args:
        unit: see ``Pace``.
        window: the rate is that of these last seconds.
    """

    def __init__(self, unit: str = "bytes", window: float = WINDOW) -> None:
        self.unit, self.window = unit, window
        self._samples: deque[tuple[float, float]] = deque()

    def take(self, at: float, done: float, total: float = 0) -> Pace:
        """Take a sample. A smaller ``done`` than before is the start of other work.

        Args:
            at: monotonic seconds.
            done: the finished units.
            total: all units; 0 if unknown.
        """
        if self._samples and done < self._samples[-1][1]:
            self._samples.clear()
        self._samples.append((at, done))
        while len(self._samples) > 2 and at - self._samples[1][0] >= self.window:
            self._samples.popleft()
        since, first = self._samples[0]
        rate = (done - first) / (at - since) if at - since >= ENOUGH else 0.0
        return Pace(min(done, total) if total > 0 else done, total, rate, self.unit)


def about(seconds: float) -> str:
    """Format an estimated duration: ``about 40 s``, ``about 4 min``, ``about 2 h 10 min``."""
    if seconds < 10:
        return f"about {max(math.ceil(seconds), 1)} s"
    if seconds < 90:
        return f"about {5 * round(seconds / 5)} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} min"
    hours, rest = divmod(5 * round(minutes / 5), 60)
    return f"about {hours} h {rest} min" if rest else f"about {hours} h"
