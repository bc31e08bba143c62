"""Run scheduled tasks for cron and systemd: one task, or those that are due, each with a log and an outcome.

Two runs of the same task never overlap: the later run ends at once, with one line. Tasks of the same target run one
after the other; only ``check-backups`` does not wait for a long backup. The process of a task inherits the locks, so
that they are held until that process ends, even if the calling process is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from ops.core.errors import DONE, FAILED, INTERRUPTED, OpsError, UsageError
from ops.core.files import private_file
from ops.engine.command import quote
from ops.infra.transport.local import end
from ops.inventory.schedule import TASKS
from ops.schedule.environment import variables
from ops.schedule.task_state import Installed, Outcome, due, note, outcome, read, runs, stamp, tries

# A log that is larger is rotated; one older log is retained.
LONGEST = 1_000_000
LAST_LINES = 40
ASIDE = ("check-backups",)
TURN = "turn"
# Attempts to lock: a process that only checks whether a task is running holds the lock for a moment.
LOOKS = 5


def scheduled(file: Path, task: str) -> int:
    """Run one task now. If an earlier run has not ended, print that and do nothing.

    Args:
        file: the installed schedule.
        task: the task.

    Returns:
        the exit code of the task.

    Raises:
        UsageError: the task is not in the installed schedule.
    """
    installed = read(file)
    if task not in installed.tasks:
        raise UsageError(
            f"{installed.target}: {task!r} is not installed; installed: {', '.join(installed.tasks)}",
            f"inv schedule --target={installed.target}",
        )
    with _alone(file.parent, task) as lock:
        if lock is None:
            before = outcome(file.parent, task)
            since = f", started {before.begun}," if before else ""
            print(f"{installed.target}: {task}: the previous run{since} has not ended; nothing was started")
            return DONE
        return _in_turn(installed, file, task, lock, only_due=False)


def all_due(file: Path, only: str = "") -> int:
    """Run the tasks that are due, one after the other. Skip silently a task that is running or not due.

    Args:
        file: the installed schedule.
        only: the only task to consider; empty for all.

    Returns:
        the exit code of the first task that failed, else 0.
    """
    installed, worst = read(file), DONE
    moment = datetime.now(UTC)
    names = [task for task in installed.tasks if only in ("", task)]
    found = {task: at for task in names if (at := due(installed, file.parent, task, moment))}
    # A task that need not wait must not queue behind one that must wait.
    busy = runs(file.parent, TURN)
    for task in sorted(found, key=lambda task: (busy and task not in ASIDE, found[task])):
        with _alone(file.parent, task) as lock:
            if lock is not None:
                time.sleep(random.uniform(0, installed.jitter))
                worst = worst or _in_turn(installed, file, task, lock, only_due=True)
    return worst


@contextlib.contextmanager
def _alone(folder: Path, task: str) -> Iterator[int | None]:
    """Yield the lock of a task as a file descriptor; None if another process holds it."""
    handle = private_file(folder / f"{task}.lock", os.O_RDWR)
    try:
        yield handle if _taken(handle) else None
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    for _ in range(LOOKS):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.1)
    return False


def _in_turn(installed: Installed, file: Path, task: str, lock: int, only_due: bool) -> int:
    """Wait until no other task of this target is running, check again whether the task is due, and run it."""
    folder, locks = file.parent, [lock]
    turn = private_file(folder / f"{TURN}.lock", os.O_RDWR)
    try:
        if task not in ASIDE:
            fcntl.flock(turn, fcntl.LOCK_EX)
            locks.append(turn)
        # Read the schedule again: another process may have changed it, or run the task, while this one waited.
        installed = read(file)
        if task not in installed.tasks or (only_due and not due(installed, folder, task, datetime.now(UTC))):
            return DONE
        return _run(installed, file, task, locks)
    finally:
        os.close(turn)


def _run(installed: Installed, file: Path, task: str, locks: list[int]) -> int:
    folder = file.parent
    begun = datetime.now(UTC)
    time_over = tries(installed, folder, task, begun)
    note(folder, task, Outcome(stamp(begun), tries=time_over))
    log = folder / f"{task}.log"
    code, start = FAILED, 0
    try:
        start = _say(log, f"{stamp(begun)} inv {task} --target={installed.target}", fresh=True)
        code = _call(installed, task, log, locks)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OpsError as error:
        _say(log, f"{error.message}\nTry: {error.hint}")
    finally:
        note(folder, task, Outcome(stamp(begun), stamp(datetime.now(UTC)), code, time_over))
    _say(log, f"{stamp(datetime.now(UTC))} ended with {code}")
    if code:
        _tell(installed, task, log, start, code)
    return code


def _call(installed: Installed, task: str, log: Path, locks: list[int]) -> int:
    """Run the task's process with its output in the log. The log is complete even if this process is killed."""
    with os.fdopen(private_file(log, os.O_WRONLY | os.O_APPEND), "ab") as out:
        try:
            process = subprocess.Popen(
                words(installed, task),
                cwd=installed.folder,
                env=environment(installed, os.environ),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=locks,
                start_new_session=True,
            )
        except OSError as error:
            raise UsageError(f"{error.filename}: {error.strerror}", "inv schedule --install") from None
        try:
            code = process.wait()
        except BaseException:
            end(process)
            raise
    return code if code >= 0 else INTERRUPTED


def words(installed: Installed, task: str) -> list[str]:
    """Return the command line of a task."""
    more = [word.format(target=installed.target) for word in TASKS[task]]
    return [*installed.inv, task, f"--target={installed.target}", f"--inventory={installed.inventory}", *more]


def environment(installed: Installed, environ: Mapping[str, str]) -> dict[str, str]:
    """Return a task's environment: cron's or systemd's, the PATH at installation, and the file of variables.

    Raises:
        UsageError: the file of variables is missing, others can read it, or it is malformed.
    """
    more = variables(Path(installed.environment)) if installed.environment else {}
    return {**environ, "PATH": installed.path, "PYTHONUNBUFFERED": "1", **more}


def _say(log: Path, text: str, fresh: bool = False) -> int:
    """Append a line to a log; return the offset of the line.

    Args:
        log: the log.
        text: the line.
        fresh: rotate the log if it is too large.
    """
    if fresh and log.exists() and log.stat().st_size > LONGEST:
        log.replace(log.with_name(f"{log.name}.1"))
    with os.fdopen(private_file(log, os.O_WRONLY | os.O_APPEND), "ab") as out:
        place = out.tell()
        out.write(f"{text}\n".encode(errors="replace"))
    return place


def _tell(installed: Installed, task: str, log: Path, start: int, code: int) -> None:
    """Print what failed, and the last lines of the log, to standard error, so that cron mails them."""
    with open(log, "rb") as written:
        written.seek(max(start, log.stat().st_size - LONGEST))
        lines = written.read().decode(errors="replace").splitlines()
    left = [f"… {len(lines) - LAST_LINES} lines omitted"] if len(lines) > LAST_LINES else []
    print(
        f"{installed.target}: scheduled {task} ended with exit code {code}",
        *left,
        *lines[-LAST_LINES:],
        f"Log: {log}",
        f"Try: inv status --target={installed.target} --inventory={quote(installed.inventory)}",
        sep="\n",
        file=sys.stderr,
    )
