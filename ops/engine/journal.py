"""The journal of a run: JSON lines, each appended and fsynced. The run's state is derived from the lines.

The header contains the inputs and the plan with its digest. A line that a crash has cut off is ignored.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from ops.core.errors import OpsError, Refused
from ops.core.files import make_folder, private_file, sync_folder
from ops.engine.effects import StepEffect
from ops.engine.old_journals import code_of_step, effects_of, steps_of

Event = dict[str, object]


def now() -> str:
    """Return the current time in UTC as ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def outcome_event(
    procedure: str,
    target: str,
    outcome: str,
    code: int,
    reason: str,
    hint: str = "",
    *,
    stands: str = "nothing was changed",
    run: str | None = None,
) -> Event:
    """Make the last event of a command: the outcome, the exit code, and what to type next.

    Args:
        outcome: done, nothing-to-do, refused, failed or interrupted.
        stands: what the run has changed.
        run: the ID of the run; None if the command has no run.
    """
    event: Event = {"event": "outcome", "procedure": procedure, "target": target, "run": run, "outcome": outcome}
    return event | {"exit": code, "reason": reason, "hint": hint, "stands": stands, "at": now()}


def moment(text: str) -> datetime | None:
    """Parse a time that ``now`` wrote; return None if the text is no time with a time zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


@dataclass
class State:
    """The state of a run.

    ``status`` maps a step to ``begun|done|failed|refused|undoing|undone``. ``touched`` are the steps that were begun
    and not undone; a step that a gate refused was never begun. ``times`` is the time of each step's last status change,
    ``ever`` the time at which each step was last done, even if it was undone since. ``seconds`` are those of each
    step's commands and proof, ``checked`` those of its gates. ``codes`` are the codes (``ops.core.errors.Code``) of
    each step's last failure and of each fact. ``failed`` are the steps whose command reported a failure and was not
    cut off: such a step is not done even if its proof holds.
    """

    header: Event
    status: dict[str, str] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    facts: dict[str, str] = field(default_factory=dict)
    outcome: Event | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    checked: dict[str, float] = field(default_factory=dict)
    times: dict[str, str] = field(default_factory=dict)
    last: Event = field(default_factory=dict)
    ever: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    @property
    def run(self) -> str:
        """The run's ID."""
        return str(self.header["run"])

    @property
    def procedure(self) -> str:
        """The procedure's name."""
        return str(self.header["procedure"])

    @property
    def effects(self) -> frozenset[str]:
        """The values of ``Effect`` that the run has."""
        return effects_of(self.header)

    def steps_with(self, effect: StepEffect) -> frozenset[str]:
        """Return the names of the steps with an effect."""
        return steps_of(self.header, effect)

    def began(self, effect: StepEffect) -> bool:
        """Return True if a step with this effect was begun, and not taken back."""
        return bool(self.steps_with(effect) & self.touched)

    def did(self, *effects: StepEffect) -> bool:
        """Return True if a step with all of these effects is done."""
        names = frozenset.intersection(*map(self.steps_with, effects))
        return any(self.status.get(name) == "done" for name in names)

    @property
    def target(self) -> str:
        """The target's name."""
        return str(self.header["target"])

    @property
    def backup(self) -> str:
        """The ID of the backup that the run makes or restores; empty if its inputs name none."""
        inputs = self.header.get("inputs")
        return str(inputs.get("backup") or "") if isinstance(inputs, dict) else ""

    @property
    def finished(self) -> bool:
        """True if the run is done or undone, so that it cannot be resumed."""
        return self.outcome is not None and (self.outcome["outcome"] == "done" or self.undone)

    @property
    def undone(self) -> bool:
        """True if the run was undone."""
        return self.outcome is not None and bool(self.outcome.get("undone"))

    def mark(self, name: str, status: str, *, answered: bool = False) -> None:
        """Set a step's status; ``answered``: the step's command reported a failure."""
        if status == "skipped":
            return
        if answered:
            self.failed.add(name)
        elif status in ("begun", "done", "undone"):
            self.failed.discard(name)
        self.status.pop(name, None)
        self.status[name] = status
        if status in ("begun", "done"):
            self.touched.add(name)
        elif status == "undone":
            self.touched.discard(name)

    def names(self, *wanted: str) -> list[str]:
        """Return the steps with one of these statuses, in the order of their last status change."""
        return [name for name, status in self.status.items() if status in wanted]


def is_executing(folder: Path) -> bool:
    """Return True if a process on this machine executes this folder's run: the process locks the journal."""
    try:
        with (folder / "journal.jsonl").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


class Journal:
    """One run's journal, open for appending and locked against a second process.

    Args:
        folder: the run's folder.
        send: uploads the run's files to the remote store; called after each event.
    """

    def __init__(self, folder: Path, send: Callable[[], None] = lambda: None) -> None:
        self.folder, self._send = make_folder(folder), send
        self.path = folder / "journal.jsonl"
        new = not self.path.exists()
        handle = private_file(self.path, os.O_RDWR | os.O_APPEND)
        self._file: IO[str] = open(handle, "a+", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise Refused(
                f"another process on this machine is executing run {folder.name}", "inv status"
            ) from None
        if new:
            sync_folder(folder)
        elif not self._whole():
            self._file.write("\n")

    def _whole(self) -> bool:
        content = self.path.read_bytes()
        return not content or content.endswith(b"\n")

    def append(self, event: Event) -> None:
        """Write one event and wait until it is on the disk.

        Raises:
            Refused: the run was resumed on another machine. Raised once; later events are not uploaded.
            OSError: the disk is full or read-only; ``filename`` is set.
        """
        try:
            self._file.write(json.dumps(event, ensure_ascii=False) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            error.filename = error.filename or str(self.path)
            raise
        try:
            self._send()
        except Refused:
            self._send = lambda: None
            raise

    def close(self) -> None:
        """Release the lock. Ignore OSError: ``append`` has raised it before."""
        with contextlib.suppress(OSError):
            self._file.close()


def read(folder: Path) -> State:
    """Read a run's journal and derive its state.

    Raises:
        OpsError: the journal has no header, or the header of another run.
    """
    events = [event for line in _lines(folder / "journal.jsonl") if (event := _parse(line)) is not None]
    if not events or not _is_header(events[0]):
        raise OpsError(f"{folder / 'journal.jsonl'}: no header can be read, so this run changed nothing", "inv runs")
    if events[0]["run"] != folder.name:
        raise OpsError(f"{folder / 'journal.jsonl'}: the journal of another run: {events[0]['run']!r}", "inv runs")
    state = State(events[0])
    for event in events[1:]:
        # Ignore a JSON line that is no event, like a line that is no JSON.
        with contextlib.suppress(KeyError, TypeError, ValueError):
            _apply(state, event)
    return state


def _is_header(event: Event) -> bool:
    """Return True if an event is a run's header; its inputs are checked when a plan is made of them."""
    words = [event.get(name) for name in ("run", "procedure", "target")]
    return event.get("event") == "run" and "inputs" in event and all(isinstance(word, str) and word for word in words)


def _apply(state: State, event: Event) -> None:
    if event.get("event") == "step":
        name, status = str(event["step"]), str(event["status"])
        state.mark(name, status, answered=event.get("command") == "failed")
        if status != "skipped":
            state.times[name] = str(event.get("at", ""))
        if status == "done":
            state.ever[name] = state.times[name]
            state.codes.pop(name, None)
        elif status in ("failed", "refused"):
            state.codes[name] = code_of_step(event)
        for key, noted in (("checked", state.checked), ("seconds", state.seconds)):
            if key in event and 0 <= (took := float(str(event[key]))) < 1e9:
                noted[name] = took
    elif event.get("event") == "fact":
        state.facts[str(event["name"])] = str(event["value"])
        state.codes[str(event["name"])] = str(event.get("code", ""))
    elif event.get("event") == "outcome":
        state.outcome = {"reason": "", "hint": "", **event, "outcome": str(event["outcome"])}
    elif event.get("event") in ("resumed", "undoing"):
        state.outcome = None
    state.last = event


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return []


def _parse(line: str) -> Event | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def runs(folder: Path) -> list[State]:
    """Return all runs in a target's folder, the oldest first; omit runs whose header cannot be read."""
    states = []
    for run in sorted((folder / "runs").glob("*/journal.jsonl")):
        try:
            states.append(read(run.parent))
        except OpsError:
            continue
    return states
