"""Run what cron and systemd call: one task, or those that are due; one at a time, each with a log and an outcome.

Two runs of the same task never overlap: the later one ends at once, with one line. What reads or writes backups waits
for its turn; ``check-backups``, which says that all is well, does not wait for a long backup. The locks go down to the
task's own process, so they hold as long as that lives, also where what called it was killed.
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

# A log that is longer begins anew; one older one is kept.
LONGEST = 1_000_000
LAST_LINES = 40
ASIDE = ("check-backups",)
TURN = "turn"
# Somebody who only looks whether a task runs holds its lock for a moment.
LOOKS = 5


def scheduled(file: Path, task: str) -> int:
    """Run one task now, unless an earlier run of it has not ended: then say so, and do nothing.

    Args:
        file: what was installed.

    Returns:
        the task's exit code.
    """
    installed = read(file)
    if task not in installed.tasks:
        raise UsageError(
            f"{installed.target}: {task!r} is not installed; there are {', '.join(installed.tasks)}",
            f"inv schedule --target={installed.target}",
        )
    with _alone(file.parent, task) as lock:
        if lock is None:
            before = outcome(file.parent, task)
            since = f"begun {before.begun}, " if before else ""
            print(f"{installed.target}: {task}: the one before, {since}still runs; nothing was begun")
            return DONE
        return _in_turn(installed, file, task, lock, only_due=False)


def all_due(file: Path, only: str = "") -> int:
    """Run what is due, one after the other; pass over without a word what runs already, or is not due.

    Args:
        file: what was installed.
        only: one task; all of them where empty.

    Returns:
        the exit code of the first that did not end well, else 0.
    """
    installed, worst = read(file), DONE
    moment = datetime.now(UTC)
    names = [task for task in installed.tasks if only in ("", task)]
    found = {task: at for task in names if (at := due(installed, file.parent, task, moment))}
    # What waits for nobody is not to stand behind one that has to wait.
    busy = runs(file.parent, TURN)
    for task in sorted(found, key=lambda task: (busy and task not in ASIDE, found[task])):
        with _alone(file.parent, task) as lock:
            if lock is not None:
                time.sleep(random.uniform(0, installed.jitter))
                worst = worst or _in_turn(installed, file, task, lock, only_due=True)
    return worst


@contextlib.contextmanager
def _alone(folder: Path, task: str) -> Iterator[int | None]:
    """The lock of a task as a handle; None where another process has it."""
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
    """Wait until no other task of this target runs, look again whether it is due, and run it."""
    folder, locks = file.parent, [lock]
    turn = private_file(folder / f"{TURN}.lock", os.O_RDWR)
    try:
        if task not in ASIDE:
            fcntl.flock(turn, fcntl.LOCK_EX)
            locks.append(turn)
        # What was installed may be another by now, and so may what is due: another process was here meanwhile.
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
    """Run the task itself; what it prints goes into the log, also when nobody waits for it any more."""
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
    """What is typed to run a task."""
    more = [word.format(target=installed.target) for word in TASKS[task]]
    return [*installed.inv, task, f"--target={installed.target}", f"--inventory={installed.inventory}", *more]


def environment(installed: Installed, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a task: cron's or systemd's, the PATH of when it was installed, and the file of variables.

    Raises:
        UsageError: that file is not there, others can read it, or it is malformed.
    """
    more = variables(Path(installed.environment)) if installed.environment else {}
    return {**environ, "PATH": installed.path, "PYTHONUNBUFFERED": "1", **more}


def _say(log: Path, text: str, fresh: bool = False) -> int:
    """Add a line to a log; gives where it begins.

    Args:
        fresh: the log may begin anew.
    """
    if fresh and log.exists() and log.stat().st_size > LONGEST:
        log.replace(log.with_name(f"{log.name}.1"))
    with os.fdopen(private_file(log, os.O_WRONLY | os.O_APPEND), "ab") as out:
        place = out.tell()
        out.write(f"{text}\n".encode(errors="replace"))
    return place


def _tell(installed: Installed, task: str, log: Path, start: int, code: int) -> None:
    """On standard error, so that cron mails it: what failed, and its last lines."""
    with open(log, "rb") as written:
        written.seek(max(start, log.stat().st_size - LONGEST))
        lines = written.read().decode(errors="replace").splitlines()
    left = [f"… {len(lines) - LAST_LINES} lines before"] if len(lines) > LAST_LINES else []
    print(
        f"{installed.target}: scheduled {task} ended with {code}",
        *left,
        *lines[-LAST_LINES:],
        f"Log: {log}",
        f"Try: inv status --target={installed.target} --inventory={quote(installed.inventory)}",
        sep="\n",
        file=sys.stderr,
    )
