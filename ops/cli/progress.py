"""The step that runs now: a line that is drawn again in place on a terminal, one line a minute elsewhere."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from ops.core.text import duration

REDRAW, MINUTE = 0.5, 60.0


class _Ticker:
    """Calls a function at intervals with the seconds that have passed, until it is stopped."""

    def __init__(self, interval: float, tick: Callable[[float], None]) -> None:
        self._interval, self._tick, self._started = interval, tick, time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # Where nobody reads the output any more, the command itself ends; this thread has nothing to add.
        with contextlib.suppress(OSError, ValueError):
            while not self._done.wait(self._interval):
                self._tick(time.monotonic() - self._started)

    def stop(self) -> None:
        self._done.set()
        self._thread.join()


class LiveLine:
    """The running step on a terminal: its seconds and the last line of its command, drawn again in place by rich."""

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
        # In one row: a spinner and a space stand before it.
        row = f"{self._title}  {duration(passed)}{said}"[: self._status.console.width - 3]
        self._status.update(self._escape(row))

    def stop(self) -> None:
        """Remove the line."""
        self._ticker.stop()
        self._status.stop()


class MinuteLines:
    """The running step without a terminal: a line each minute, none where it ends before.

    Args:
        place: begins each line: the step's number.
        title: the step's title, and how long it took the last time.
        out: prints a line.
    """

    def __init__(self, place: str, title: str, out: Callable[[str], None]) -> None:
        self._place, self._title, self._out = place, title, out
        self._ticker = _Ticker(MINUTE, lambda passed: self.show(f"{self._title}, running for {duration(passed)}"))

    def said(self, line: str) -> None:
        """Ignore what the command printed: the log of the run has it, and it may hold values of rows."""

    def show(self, text: str) -> None:
        """Print a text with the step's number."""
        self._out(f"{self._place}{text}")

    def stop(self) -> None:
        """End the lines."""
        self._ticker.stop()
