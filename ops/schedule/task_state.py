"""Read and write a target's folder ``schedules``: the installed schedule, and the outcome of each task.

Tasks run by the installed schedule and not by the inventory: a change of the inventory takes effect when it is
installed, and ``inv schedule`` reports the difference until then.
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
# A task that was due and did not start within this time is overdue.
PATIENCE = timedelta(minutes=15)
# An interrupted task is started at most this often for the same time, and not at every reboot.
TRIES = 2
CUT_OFF = 130


@dataclass(frozen=True)
class Installed:
    """A target's installed schedule.

    Args:
        target: the target.
        inventory: the absolute path of the inventory.
        folder: the folder in which the tasks run: the inventory's.
        inv: the words that call ``inv``.
        path: PATH at installation, since cron and systemd set a minimal PATH.
        by: ``cron`` or ``systemd``.
        zone: the time zone of the fields.
        jitter: the maximum random delay, in seconds.
        environment: the absolute path of a file of environment variables; empty for none.
        tasks: the five fields of each task.
        since: the time from which each task may be due, in ISO 8601.
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
        """Write the schedule to a file, atomically and with mode 0600."""
        write_whole(path, json.dumps(asdict(self), indent=1) + "\n")


@dataclass(frozen=True)
class Outcome:
    """The last run of a task.

    ``ended`` and ``exit`` are None until the run ends. ``tries`` is the number of starts for the same time.
    """

    begun: str
    ended: str | None = None
    exit: int | None = None
    tries: int = 1

    @property
    def cut_off(self) -> bool:
        """True if the run was interrupted, or has not ended yet."""
        return self.exit is None or self.exit == CUT_OFF


def read(path: Path) -> Installed:
    """Read an installed schedule.

    Raises:
        UsageError: the file is missing or malformed.
    """
    hint = "inv schedule --install"
    try:
        given = json.loads(path.read_text())
        found = Installed(**{**given, "inv": tuple(given["inv"])})
        for at in found.since.values():
            moment(at)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}: no schedule is installed, or the store is missing", hint) from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(f"{path}: is not an installed schedule", f"rm {quote(str(path))}; {hint}") from None
    return found


def outcome(folder: Path, task: str) -> Outcome | None:
    """Read the last outcome of a task; None if the task never ran or the file can't be read."""
    try:
        found = Outcome(**json.loads((folder / f"{task}.json").read_text()))
        moment(found.begun)
    except (OSError, ValueError, TypeError):
        return None
    return found


def note(folder: Path, task: str, what: Outcome) -> None:
    """Write the outcome of a task."""
    write_whole(folder / f"{task}.json", json.dumps(asdict(what)) + "\n")


def moment(text: str) -> datetime:
    """Parse a time in ISO 8601.

    Raises:
        ValueError: the text is not a time with a time zone.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return found


def stamp(at: datetime) -> str:
    """Format a time in ISO 8601, in UTC."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def due(installed: Installed, folder: Path, task: str, now: datetime) -> datetime | None:
    """Return the time since which a task is due; None if it is not due. Ignore whether the task is running.

    A task that was missed, because the machine was down or an earlier run had not ended, is due only once.
    """
    before = outcome(folder, task)
    if before and before.cut_off and before.tries < TRIES and installed.by == "cron":
        return min(last(installed.tasks[task], installed.zone, now), moment(before.begun))
    return _missed(installed, before, task, now)


def _missed(installed: Installed, before: Outcome | None, task: str, now: datetime) -> datetime | None:
    at = last(installed.tasks[task], installed.zone, now)
    known = [moment(installed.since[task])] if task in installed.since else []
    known += [moment(before.begun)] if before else []
    # Ignore times in the future: if the clock was set back, a task must not wait for as long.
    return at if all(one < at or one > now for one in known) else None


def tries(installed: Installed, folder: Path, task: str, now: datetime) -> int:
    """Count the starts of a task for the same time, including this start. It is 1 unless a run was interrupted."""
    before = outcome(folder, task)
    if not before or not before.cut_off or last(installed.tasks[task], installed.zone, now) > moment(before.begun):
        return 1
    return before.tries + 1


def runs(folder: Path, task: str) -> bool:
    """Return True if a task is running or waiting, which means that its lock is held."""
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
    """Return the next start of a task, without the random delay."""
    return following(installed.tasks[task], installed.zone, now)


def overdue(installed: Installed, folder: Path, task: str, now: datetime) -> datetime | None:
    """Return the time since which a task is overdue; None if it is not overdue."""
    at = _missed(installed, outcome(folder, task), task, now)
    return at if at and now - at > PATIENCE + timedelta(seconds=installed.jitter) else None
