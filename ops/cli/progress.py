"""Show the running step: a line that is redrawn in place on a terminal, one line per minute elsewhere."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ops.core.pace import Pace, about
from ops.core.text import duration
from ops.engine.journal import Event

REDRAW, MINUTE = 0.5, 60.0
# Seconds after which a step shows its remaining time, and after which a measured pace is too old to be shown.
LONG, STALE = 10.0, 15.0
# The works of ``progress`` events, in words.
WORKS = {"copy in": "copied", "copy out": "dumped", "read": "fingerprint"} | dict.fromkeys(
    ("index blocks", "index rows"), "index"
)


@dataclass
class Remaining:
    """What is known of the rest of the running step: ``expected`` seconds in all, and the latest measured pace."""

    expected: float | None = None
    pace: Pace | None = None
    work: str = ""
    measured_at: float = 0

    @property
    def fresh(self) -> bool:
        """True if the pace was measured a short time ago."""
        return self.pace is not None and time.monotonic() - self.measured_at < STALE

    def take(self, work: str, pace: Pace) -> None:
        """Remember a measured pace."""
        self.work, self.pace, self.measured_at = work, pace, time.monotonic()

    def words(self, passed: float) -> str:
        """Return rate and remaining time after ``passed`` seconds; empty if unknown, or if the step is short."""
        if passed < LONG:
            return ""
        said = [f"{WORKS.get(self.work, self.work)}: {self.pace.words}"] if self.pace and self.fresh else []
        if self.expected is not None:
            left = self.expected - passed
            rest = f"{about(left)} left" if left > 0 else f"{duration(-left)} longer than expected"
            said.append(f"step: {rest}" if said else rest)
        return "; ".join(said)


@dataclass
class Forecast:
    """The expected seconds of each step.

    ``last`` are the seconds of the last run. ``alike`` names the steps that together take as long as a step; if this
    run has done all of them, their seconds apply.
    """

    last: dict[str, float] = field(default_factory=dict)
    alike: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Take the event of a step that is done."""
        if event["status"] == "done" and "seconds" in event:
            self.took[str(event["step"])] = float(str(event["seconds"]))

    def of(self, step: str) -> float | None:
        """Return the expected seconds of a step; None if unknown."""
        now = self._this_run(step)
        return now if now is not None else self.last.get(step)

    def words(self, step: str) -> str:
        """Return the expected time of a step and its basis."""
        now = self._this_run(step)
        return f"estimated {duration(now)}" if now is not None else f"last time {duration(self.last[step])}"

    def _this_run(self, step: str) -> float | None:
        alike = self.alike.get(step, ())
        return sum(self.took[one] for one in alike) if alike and all(one in self.took for one in alike) else None


class _Ticker:
    """Calls a function at intervals with the elapsed seconds, until ``stop`` is called."""

    def __init__(self, interval: float, tick: Callable[[float], None]) -> None:
        self._interval, self._tick, self._started = interval, tick, time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # If the reader has closed the pipe, the command ends by itself, so ignore the error here.
        with contextlib.suppress(OSError, ValueError):
            while not self._done.wait(self._interval):
                self._tick(time.monotonic() - self._started)

    def stop(self) -> None:
        self._done.set()
        self._thread.join()


class LiveLine:
    """The running step on a terminal: its seconds, the remaining time and the last line of its command.

    The line is redrawn in place by rich.
    """

    def __init__(self, title: str, remaining: Remaining | None = None) -> None:
        from rich.console import Console as Rich
        from rich.markup import escape

        self._escape, self._title, self._said = escape, title, ""
        self.remaining = remaining or Remaining()
        self._status = Rich().status(escape(title), spinner="dots")
        self._status.start()
        self._ticker = _Ticker(REDRAW, self._draw)

    def said(self, line: str) -> None:
        """Remember the last line that the command printed."""
        self._said = line.strip()[-60:]

    def show(self, text: str) -> None:
        """Print a text above the line."""
        self._status.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _draw(self, passed: float) -> None:
        said = "".join(f"  {text}" for text in (self.remaining.words(passed), self._said) if text)
        # Keep the text in one row, with a spinner and a space before it.
        row = f"{self._title}  {duration(passed)}{said}"[: self._status.console.width - 3]
        self._status.update(self._escape(row))

    def stop(self) -> None:
        """Remove the line."""
        self._ticker.stop()
        self._status.stop()


class MinuteLines:
    """The running step without a terminal: one line per minute, none if the step ends within a minute.

    Args:
        place: begins each line: the step's number.
        title: the step's title, and how long the step took in the last run.
        out: prints a line.
        remaining: what is known of the rest of the step.
    """

    def __init__(
        self, place: str, title: str, out: Callable[[str], None], remaining: Remaining | None = None
    ) -> None:
        self._place, self._title, self._out, self.remaining = place, title, out, remaining or Remaining()
        self._ticker = _Ticker(MINUTE, self._tell)

    def _tell(self, passed: float) -> None:
        rest = self.remaining.words(passed)
        self.show(f"{self._title}, running for {duration(passed)}{f': {rest}' if rest else ''}")

    def said(self, line: str) -> None:
        """Ignore a line that the command printed: the run's log has it, and it may contain values of rows."""

    def show(self, text: str) -> None:
        """Print a text with the step's number."""
        self._out(f"{self._place}{text}")

    def stop(self) -> None:
        """Stop printing lines."""
        self._ticker.stop()


class JsonLines:
    """The running step with ``--json``: a ``progress`` event every ten seconds, none if the step ends before.

    Args:
        step: the step's name.
        remaining: what is known of the rest of the step.
        out: prints an event.
    """

    def __init__(self, step: str, remaining: Remaining, out: Callable[[Event], None]) -> None:
        self._step, self.remaining, self._out = step, remaining, out
        self._ticker = _Ticker(LONG, self._tell)

    def _tell(self, passed: float) -> None:
        rest = self.remaining
        left = None if rest.expected is None else round(max(rest.expected - passed, 0), 1)
        if rest.pace and rest.fresh:
            self._out(self._event(rest.work, rest.pace) | {"step_left": left})
        elif rest.expected is not None:
            self._out(self._event("step", Pace(passed, rest.expected, 1, "seconds")) | {"step_left": left})

    def _event(self, work: str, pace: Pace) -> Event:
        return {"event": "progress", "step": self._step, "work": work, **pace.data()}

    def said(self, line: str) -> None:
        """Ignore a line that the command printed."""

    def show(self, text: str) -> None:
        """Ignore a text for people."""

    def stop(self) -> None:
        """Stop printing events."""
        self._ticker.stop()
