"""Show the running step: a line that is redrawn in place on a terminal, one line per minute elsewhere."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from ops.core.text import duration

REDRAW, MINUTE = 0.5, 60.0


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
    """The running step on a terminal: its seconds and the last line of its command, redrawn in place by rich."""

    def __init__(self, title: str) -> None:
        from rich.console import Console as Rich
        from rich.markup import escape

        self._escape, self._title, self._said = escape, title, ""
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
        said = f"  {self._said}" if self._said else ""
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
    """

    def __init__(self, place: str, title: str, out: Callable[[str], None]) -> None:
        self._place, self._title, self._out = place, title, out
        self._ticker = _Ticker(MINUTE, lambda passed: self.show(f"{self._title}, running for {duration(passed)}"))

    def said(self, line: str) -> None:
        """Ignore a line that the command printed: the run's log has it, and it may contain values of rows."""

    def show(self, text: str) -> None:
        """Print a text with the step's number."""
        self._out(f"{self._place}{text}")

    def stop(self) -> None:
        """Stop printing lines."""
        self._ticker.stop()
