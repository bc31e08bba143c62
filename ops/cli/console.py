"""Print progress, errors and prompts; with ``--json``, print the same events as one JSON object per line.

rich is loaded only on a terminal. Elsewhere a step prints one line when it ends, and one line per minute meanwhile.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from shutil import get_terminal_size
from typing import Any, TextIO

from ops.cli.json_output import json_lines
from ops.cli.progress import Forecast, JsonLines, LiveLine, MinuteLines, Remaining
from ops.core.errors import OpsError, Refused
from ops.core.pace import Pace
from ops.core.text import duration, folded, laid_out
from ops.engine.journal import Event, outcome_event
from ops.engine.plan import Plan
from ops.engine.step import Time
from ops.verdict.fingerprint import not_backed_up

# The maximum width of text.
WIDTH = 110
MARKS = {"done": "✓", "skipped": "·", "failed": "✗", "refused": "✗", "undone": "↩"}


class Console:
    """Prints events.

    Args:
        as_json: print each event as a line of JSON, and nothing else.
        expected: seconds that each step took in the last run, by the step's name.
        out: the stream to print to; standard output if None.
    """

    def __init__(self, as_json: bool = False, expected: Mapping[str, float] | None = None, out: TextIO | None = None):
        self.as_json = as_json
        self.forecast = Forecast(dict(expected or {}))
        self.out = out or sys.stdout
        self.live = not as_json and self.out.isatty()
        # Elsewhere lines are not wrapped, so that they can be searched.
        self.width = min(get_terminal_size().columns, WIDTH) if self.live else WIDTH
        self._line: LiveLine | MinuteLines | JsonLines | None = None

    def foresee(self, plan: Plan, expected: Mapping[str, float]) -> None:
        """Take the seconds that each step of a plan took in its last run, to show the remaining time."""
        # The migrations of the rehearsal are those of production, unlike the migrations of the last release.
        alike = {
            one.name: one.step.alike
            for one in plan.steps
            if one.step.takes == Time.MIGRATIONS or one.name not in expected
        }
        self.forecast = Forecast(dict(expected), alike)

    def show(self, event: Event) -> None:
        """Show one event as it happens."""
        kind = str(event.get("event"))
        if self.as_json:
            self._show_json(kind, event)
        elif kind in ("run", "resumed", "undoing"):
            self._say(str(event["headline"]))
            estimate = event.get("estimate")
            if isinstance(estimate, dict) and estimate["measured"]:
                self._say(f"       time: {estimate['said']}")
        elif kind == "step":
            self._step(event)
        elif kind == "checking":
            self._checking(event)
        elif kind == "measures":
            self._measures(event)
        elif kind in ("note", "wait"):
            self._note(str(event["text"]))
        elif kind == "line" and self._line:
            self._line.said(str(event["text"]))
        elif kind == "progress" and self._line:
            self._line.remaining.take(str(event["work"]), Pace.of(event))
        elif kind == "outcome":
            self._outcome(event)

    def _show_json(self, kind: str, event: Event) -> None:
        """Print an event. ``progress`` events are printed every ten seconds (``JsonLines``)."""
        if kind == "progress":
            if self._line:
                self._line.remaining.take(str(event["work"]), Pace.of(event))
            return
        if kind in ("step", "outcome"):
            self.stop()
        self._print_json([event])
        if kind == "step" and event["status"] == "begun":
            step = str(event["step"])
            self._line = JsonLines(step, Remaining(self.forecast.of(step)), lambda found: self._print_json([found]))
        elif kind == "step":
            self.forecast.take(event)

    def _step(self, event: Event) -> None:
        place = f"[{event['number']:>2}/{event['of']}]"
        title, status = str(event["title"]), str(event["status"])
        self.stop()
        if status in ("begun", "undoing"):
            title = title if status == "begun" else f"Undo: {title}"
            known = self.forecast.of(str(event["step"])) if status == "begun" else None
            hint = f" ({self.forecast.words(str(event['step']))})" if known is not None else ""
            self._run(place, f"{title}{hint}", known)
            return
        self.forecast.take(event)
        took = f"  {duration(float(str(event['seconds'])))}" if "seconds" in event else ""
        said = str(event.get("detail", "")) if status in ("done", "undone") else ""
        detail = "".join(f"\n        {line}" for line in said.splitlines())
        word = "" if status in ("done", "skipped") else f"{status}: "
        self._say(f"{place} {MARKS[status]} {word}{title}{took}{detail}")

    def _checking(self, event: Event) -> None:
        """Show which check runs before a step or beside the steps."""
        self.stop()
        place = f"[{event['number']:>2}/{event['of']}]" if "number" in event else "       "
        self._run(place, f"Check: {event['title']}")

    def _run(self, place: str, title: str, expected: float | None = None) -> None:
        if self.live:
            self._line = LiveLine(f"{place} {title}", Remaining(expected))
        else:
            self._line = MinuteLines(f"{place} … ", title, self._print, Remaining(expected))

    def _note(self, text: str) -> None:
        if isinstance(self._line, MinuteLines):
            self._line.show(text)
        else:
            self._say(f"      {text}")

    def _measures(self, event: Event) -> None:
        """Print what was measured until a migration failed. After a success it is in the step's detail."""
        if event["failed"]:
            self.stop()
            for line in event["told"]:  # type: ignore[attr-defined]
                self._say(f"        {line}")

    def _outcome(self, event: Event) -> None:
        self.stop()
        outcome, target = str(event["outcome"]), event["target"]
        if outcome in ("done", "nothing-to-do"):
            ended = "was undone" if event.get("undone") else "is done"
            words = {"done": f"{event['procedure']} {ended}", "nothing-to-do": "nothing to do"}
            reason = f": {event['reason']}" if event["reason"] else ""
            self._say(f"{target}: {words[outcome]}{reason}" + (f" (run {event['run']})" if event.get("run") else ""))
            if rest := not_backed_up(event.get("excluded") or {}):  # type: ignore[arg-type]
                self._say(f"The backup is incomplete: {rest}")
            if event["hint"]:
                self._print(laid_out(str(event["hint"]), "To undo: " if event.get("undoes") else "Next: "))
            return
        self._say(f"\n{outcome.upper()}  {event['reason']}")
        if event.get("stands") and event.get("run"):
            self._say(f"State: {event['stands']}")
        if event["hint"]:
            self._print(laid_out(str(event["hint"])))

    @contextlib.contextmanager
    def waiting(self, title: str) -> Iterator[Callable[[str], None]]:
        """Show a title during work that has no result yet. Yield a function that shows the current part.

        Without a terminal, the line of each minute is printed to standard error: standard output has only the result.
        """
        if self.as_json:
            yield lambda _: None
            return
        line = LiveLine(title) if self.live else MinuteLines("", title, _print_error_line)
        self._line = line if self.live else None
        try:
            yield line.said
        finally:
            line.stop()
            self._line = None

    def stop(self) -> None:
        """Remove the line of the running step."""
        if self._line:
            self._line.stop()
            self._line = None

    def examples(self, error: OpsError) -> None:
        """Print values of rows, on a terminal only: other output is often stored."""
        found = getattr(error, "examples", []) if self.live else []
        for line in ["Before and after, on this terminal only:", *found] if found else []:
            self._print(f"  {line}")

    def text(self, text: str) -> None:
        """Print lines for a person; nothing with ``--json``."""
        if not self.as_json:
            self._print(text)

    def prose(self, text: str) -> None:
        """Print lines for a person, wrapped to the width of a terminal; nothing with ``--json``."""
        if not self.as_json:
            self._say(text)

    def table(self, title: str, columns: list[str], rows: list[list[str]], data: list[dict[str, Any]]) -> None:
        """Print a table for a person, or its rows as JSON objects.

        Args:
            title: the name of the table, printed if the table is empty.
            columns: the headings.
            rows: the cells.
            data: the same rows as JSON objects.
        """
        if self.as_json:
            self._print_json(data)
        elif not rows:
            self._print(f"{title}: none")
        else:
            widths = [max(len(line[i]) for line in [columns, *rows]) for i in range(len(columns))]
            for line in [columns, *rows]:
                self._print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())

    def _say(self, text: str) -> None:
        self._print(folded(text, self.width) if self.live else text)

    def _print_json(self, events: Iterable[Mapping[str, Any]]) -> None:
        for line in json_lines(events):
            self._print(line)

    def _print(self, text: str) -> None:
        if isinstance(self._line, LiveLine):
            self._line.show(text)
        else:
            # Write each line at once: two threads print while a step runs.
            self.out.write(f"{text}\n")
            self.out.flush()


def _print_error_line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Confirmation:
    """Asks the operator to type the target's name, unless ``--confirm`` was given.

    Args:
        given: the value of ``--confirm``; empty if it was not given.
        interactive: True if the operator can be asked on a terminal.
        facts: the text above the question: target first, then the arrow, then the source.
        way_on: the hint if another name is typed.
        stop: removes the line of the running check, before the question is printed.
    """

    def __init__(
        self,
        given: str,
        interactive: bool,
        facts: str,
        way_on: str = "inv status",
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        self.given, self.interactive, self.facts, self.way_on, self.stop = given, interactive, facts, way_on, stop

    def early(self, target: str) -> None:
        """Refuse now what ``ask`` would refuse later.

        Args:
            target: the name that must be typed.

        Raises:
            Refused: ``--confirm`` is another name, or there is neither ``--confirm`` nor a terminal.
        """
        if self.given and self.given != target:
            raise Refused(
                f"{target}: --confirm={self.given} is not the name to type; nothing was changed", f"--confirm={target}"
            )
        if not self.given and not self.interactive:
            raise Refused(
                f"{self.facts.splitlines()[0]}: this changes production, and there is no terminal to confirm it; "
                "nothing was changed",
                f"--confirm={target}",
            )

    def ask(self, target: str, title: str) -> None:
        """Ask for the name, unless ``--confirm`` has given it.

        Args:
            target: the name that must be typed.
            title: the title of the step that the operator confirms.

        Raises:
            Refused: another name was typed.
        """
        self.early(target)
        if self.given == target:
            return
        self.stop()
        print(f"\n{self.facts}\n{title}.\nType {target} to continue: ", end="", flush=True)
        typed = sys.stdin.readline().strip()
        if typed != target:
            raise Refused(
                f"{target}: {f'`{typed}`' if typed else 'nothing'} was typed, not `{target}`; nothing more was changed",
                self.way_on,
            )


def print_error(error: OpsError, as_json: bool, procedure: str, target: str, out: TextIO | None = None) -> None:
    """Print an error that occurred before a run had a journal.

    Args:
        error: the error.
        as_json: print the error as a line of JSON.
        procedure: the task, for the outcome.
        target: the target, for the outcome.
        out: the stream to print to; standard output if None.
    """
    said = outcome_event(procedure, target, error.outcome, error.exit_code, error.message, error.hint)
    Console(as_json, out=out).show(said)


def interactive(as_json: bool) -> bool:
    """Return True if the operator can be asked on a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty() and not as_json
