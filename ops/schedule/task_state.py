"""Read and write a target's folder ``schedules``: what was installed, and how each task ended. Imports nothing heavy.

What is installed is read from here and not from the inventory: a change of the inventory takes effect when it is
installed, and ``inv schedule`` says that it was not.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ops.core.cron import following, last
from ops.core.errors import UsageError
from ops.core.files import write_whole
from ops.engine.command import quote

FILE = "installed.json"
# What was due, and was not begun so long after, is overdue.
PATIENCE = timedelta(minutes=15)
# A run that was cut off is begun once more, and not at every reboot.
TRIES = 2
CUT_OFF = 130


@dataclass(frozen=True)
class Installed:
    """What was installed for a target.

    Args:
        target: the target.
        inventory: the inventory's file, absolute.
        folder: where the tasks run; the inventory's.
        inv: the words that call ``inv``.
        path: PATH when it was installed, since cron and systemd have a poor one.
        by: what calls: cron or systemd.
        zone: in which the fields are meant.
        jitter: seconds.
        environment: a file of variables, absolute; empty for none.
        tasks: the five fields of each task.
        since: from when on each task may be due; ISO 8601.
    """

    target: str
    inventory: str
    folder: str
    inv: tuple[str, ...]
    path: str
    by: str
    zone: str
    jitter: int
    environment: str
    tasks: Mapping[str, str]
    since: Mapping[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it whole, 0600."""
        write_whole(path, json.dumps(asdict(self), indent=1) + "\n")


@dataclass(frozen=True)
class Outcome:
    """How a task ran the last time: ``ended`` and ``exit`` are None until it ended; ``tries`` counts those cut off."""

    begun: str
    ended: str | None = None
    exit: int | None = None
    tries: int = 1

    @property
    def cut_off(self) -> bool:
        """Return True if the run did not end by itself, or has not ended yet."""
        return self.exit is None or self.exit == CUT_OFF


def read(path: Path) -> Installed:
    """Read what was installed.

    Raises:
        UsageError: the file is not there, or not ours.
    """
    hint = "inv schedule --install"
    try:
        given = json.loads(path.read_text())
        found = Installed(**{**given, "inv": tuple(given["inv"])})
        for at in found.since.values():
            moment(at)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}: nothing is installed, or the store is not there", hint) from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(f"{path}: is not what was written there", f"rm {quote(str(path))}; {hint}") from None
    return found


def outcome(folder: Path, task: str) -> Outcome | None:
    """Read how a task ended the last time; None where it never ran, or that can't be read."""
    try:
        found = Outcome(**json.loads((folder / f"{task}.json").read_text()))
        moment(found.begun)
    except (OSError, ValueError, TypeError):
        return None
    return found


def note(folder: Path, task: str, what: Outcome) -> None:
    """Write how a task ended."""
    write_whole(folder / f"{task}.json", json.dumps(asdict(what)) + "\n")


def moment(text: str) -> datetime:
    """Parse a moment that was written. Raises ValueError where it is none."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return found


def stamp(at: datetime) -> str:
    """Format a moment to be written."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def due(installed: Installed, folder: Path, task: str, now: datetime) -> datetime | None:
    """Compute since when a task is due; None where it is not. It does not know whether the task runs right now.

    What was missed, since the machine was down or an earlier one still ran, is due once, however often it was missed.
    """
    before = outcome(folder, task)
    if before and before.cut_off and before.tries < TRIES and installed.by == "cron":
        return min(last(installed.tasks[task], installed.zone, now), moment(before.begun))
    return _missed(installed, before, task, now)


def _missed(installed: Installed, before: Outcome | None, task: str, now: datetime) -> datetime | None:
    at = last(installed.tasks[task], installed.zone, now)
    known = [moment(installed.since[task])] if task in installed.since else []
    known += [moment(before.begun)] if before else []
    # A clock that was set back must not keep a task waiting for as long.
    return at if all(one < at or one > now for one in known) else None


def tries(installed: Installed, folder: Path, task: str, now: datetime) -> int:
    """Count how often a task was begun for the same moment, now included; more than once only where it was cut off."""
    before = outcome(folder, task)
    if not before or not before.cut_off or last(installed.tasks[task], installed.zone, now) > moment(before.begun):
        return 1
    return before.tries + 1


def runs(folder: Path, task: str) -> bool:
    """Return True if a task runs right now, or waits for its turn: its lock is held."""
    try:
        lock = open(folder / f"{task}.lock", "rb")  # noqa: SIM115
    except FileNotFoundError:
        return False
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def next_moment(installed: Installed, task: str, now: datetime) -> datetime:
    """Compute when a task begins next, but for the jitter."""
    return following(installed.tasks[task], installed.zone, now)


def overdue(installed: Installed, folder: Path, task: str, now: datetime) -> datetime | None:
    """Compute since when a task should have begun, and nothing began it."""
    at = _missed(installed, outcome(folder, task), task, now)
    return at if at and now - at > PATIENCE + timedelta(seconds=installed.jitter) else None
