"""What a target's folder ``schedules`` holds: what was installed, and how each task ended. Imports nothing heavy.

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

from ops.command import quote
from ops.errors import UsageError
from ops.files import write_whole
from ops.schedule.moments import following, last

FILE = "installed.json"
# How often cron asks what is due.
TICK = timedelta(minutes=5)
# What was due, and was not begun so long after, is overdue.
PATIENCE = 3 * TICK
# A run that was cut off is begun once more, and not for ever.
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
        """Whether it did not come to an end of its own; one that runs right now looks the same."""
        return self.exit is None or self.exit == CUT_OFF


def read(path: Path) -> Installed:
    """What was installed.

    Raises:
        UsageError: it is not there, or not ours.
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
    """How a task ended the last time; None where it never ran, or that can't be read."""
    try:
        found = Outcome(**json.loads((folder / f"{task}.json").read_text()))
        moment(found.begun)
    except (OSError, ValueError, TypeError):
        return None
    return found


def note(folder: Path, task: str, what: Outcome) -> None:
    """Keep how a task ended."""
    write_whole(folder / f"{task}.json", json.dumps(asdict(what)) + "\n")


def moment(text: str) -> datetime:
    """A moment that was kept. Raises ValueError where it is none."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return found


def stamp(at: datetime) -> str:
    """A moment to be kept."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def due(installed: Installed, folder: Path, task: str, now: datetime) -> datetime | None:
    """Since when a task is due; None where it is not. It does not know whether it runs right now.

    What was missed, since the machine was down or an earlier one still ran, is due once, however often it was missed.
    """
    before = outcome(folder, task)
    if before and before.cut_off and before.tries < TRIES and installed.by == "cron":
        return min(last(installed.tasks[task], installed.zone, now), moment(before.begun))
    return _missed(installed, folder, task, now)


def _missed(installed: Installed, folder: Path, task: str, now: datetime) -> datetime | None:
    """The last moment of a task, where it was not begun since."""
    at, before = last(installed.tasks[task], installed.zone, now), outcome(folder, task)
    known = [moment(installed.since[task])] if task in installed.since else []
    known += [moment(before.begun)] if before else []
    # A clock that was set back must not keep a task waiting for as long.
    return at if all(one < at or one > now for one in known) else None


def tries(installed: Installed, folder: Path, task: str, now: datetime) -> int:
    """The how manieth time a task is begun for the same moment; more than once only where it was cut off."""
    before = outcome(folder, task)
    if not before or not before.cut_off or last(installed.tasks[task], installed.zone, now) > moment(before.begun):
        return 1
    return before.tries + 1


def runs(folder: Path, task: str) -> bool:
    """Whether a task runs right now, or waits for its turn: its lock is held."""
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


def anything_due(file: Path) -> bool:
    """Whether something is due that does not run already; without network or database.

    Raises:
        UsageError: what was installed can't be read.
    """
    installed, now = read(file), datetime.now(UTC)
    return any(due(installed, file.parent, task, now) and not runs(file.parent, task) for task in installed.tasks)


def due_next(installed: Installed, folder: Path, task: str, now: datetime) -> datetime:
    """When a task begins next, but for the jitter; what is due is due now."""
    return now if due(installed, folder, task, now) else following(installed.tasks[task], installed.zone, now)


def overdue(installed: Installed, folder: Path, task: str, now: datetime) -> datetime | None:
    """Since when a task should have begun, and nothing began it."""
    # One that runs looks like one that was cut off; it is late when its next moment has passed.
    runs_now = runs(folder, task)
    at = _missed(installed, folder, task, now) if runs_now else due(installed, folder, task, now)
    return at if at and now - at > PATIENCE + timedelta(seconds=installed.jitter) else None
