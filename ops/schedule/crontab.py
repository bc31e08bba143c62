"""Write, find and remove a target's block of lines in a crontab. The other lines do not change by a byte.

The block has one line per task, and a line for the machine's start that runs missed tasks. Cron only calls
``inv scheduled --due``, which decides by the schedule's time zone and the last start whether the task is due. The
behaviour of crontab(1) is that of Debian's cron 3.0pl1 and of cronie.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from ops.core.cron import values, zone_of
from ops.core.errors import Refused, StepFailed, UsageError
from ops.engine.command import quote
from ops.schedule.task_state import Installed

# The time zone of the machine, which cron uses for its fields. Debian's cron does not support CRON_TZ.
LOCAL = Path("/etc/localtime")
# At the machine's start the network and the database may start later than cron.
AT_START = "@reboot sleep 60 && "
# The longest command of Debian's cron (MAX_COMMAND in cron.h).
LONGEST = 990
# Since 3.0pl1-149 (bug 585552) Debian's `crontab -l` prints a carriage return and a backspace as these characters.
SPELLED = (b"\\r", b"\\b")
NONE = re.compile(rb"no crontab for |can't open '[^'/]*': No such file", re.IGNORECASE)


def mark(target: str, inventory: str) -> bytes:
    """Return the mark of a block. Each target of each inventory has its own block."""
    return f"Generalprobe {target} {inventory}".encode(errors="surrogateescape")


def command(installed: Installed, file: str, *words: str) -> str:
    """Return the shell command that calls ``inv scheduled``, from any folder."""
    call = (*installed.inv, "scheduled", *words, f"--file={file}")
    return f"cd {quote(installed.folder)} && exec {' '.join(map(quote, call))}"


def fields(at: str, zone: str) -> str:
    """Convert five fields so that cron, in the machine's time zone, calls at each time that they match in ``zone``.

    The values are listed, since crons differ about `5/10`. A star is not replaced, since it decides whether both a day
    and a weekday must match. If the time zones differ, cron calls every hour, and most calls do nothing.
    """
    apart = _minutes_apart(zone)
    (minutes, *others), _ = values(at)
    if apart != {0}:
        return f"{_list({(minute - by) % 60 for minute in minutes for by in apart})} * * * *"
    starred = (field.startswith("*") for field in at.split(" "))
    pairs = zip(at.split(" "), starred, (minutes, *others), strict=True)
    return " ".join(field if star else _list(found) for field, star, found in pairs)


def _list(numbers: set[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


def _minutes_apart(zone: str) -> set[int]:
    """Return the offsets between a time zone and this machine's time zone during a year, in minutes."""
    try:
        with LOCAL.open("rb") as file:
            here: tzinfo = ZoneInfo.from_file(file)
    except (OSError, ValueError):
        here = UTC
    noon = datetime(datetime.now(UTC).year, 1, 1, 12, tzinfo=UTC)
    days = [noon + timedelta(days=number) for number in range(365)]
    theirs, ours = ([day.astimezone(one).replace(tzinfo=None) for day in days] for one in (zone_of(zone), here))
    return {(there - own) // timedelta(minutes=1) for there, own in zip(theirs, ours, strict=True)}


def block(installed: Installed, file: str) -> bytes:
    """Return the lines for a target's schedule.

    Args:
        installed: the schedule.
        file: the path of the file with the schedule.

    Raises:
        UsageError: cron can't run the commands.
    """
    lines = [
        f"{fields(at, installed.zone)} {command(installed, file, '--due', f'--task={task}')}"
        for task, at in installed.tasks.items()
    ]
    lines.append(AT_START + command(installed, file, "--due"))
    hint = "move the folder of the inventory, or of inv, to another name"
    for line in (*lines, installed.inventory):
        if not line.isprintable() or "\\" in line:
            raise UsageError(f"{installed.target}: a path has a character that no crontab may have: {line!r}", hint)
    # Cron reads an unescaped `%` as a line end.
    lines = [line.replace("%", "\\%") for line in lines]
    if max(len(line.encode()) for line in lines) > LONGEST:
        raise UsageError(f"{installed.target}: the command is longer than cron allows ({LONGEST} bytes)", hint)
    ours = mark(installed.target, installed.inventory).decode()
    what = ", ".join(f"{task}: {at}" for task, at in installed.tasks.items())
    about = f"# Written by `inv schedule --install`, removed by `inv schedule --remove`. In {installed.zone}: {what}"
    return "".join(f"{line}\n" for line in (f"# BEGIN {ours}", about, *lines, f"# END {ours}")).encode()


def find(text: bytes, named: bytes) -> tuple[bytes, bytes | None, bytes]:
    """Split a crontab into the text before the block, the block (None if there is none), and the text after it.

    Raises:
        Refused: the first or the last line of the block is missing.
    """
    # Version 0.1 noted in the first line of its block if the line before had no line end.
    line = rb"(?m)^# (BEGIN|END) " + re.escape(named) + rb"(?: \(the line before had no end\))?\r?$\n?"
    edges = list(re.finditer(line, text))
    if not edges:
        return text, None, b""
    if [edge[1] for edge in edges] != [b"BEGIN", b"END"]:
        said = named.decode(errors="replace")
        raise Refused(f"crontab: one of the lines # BEGIN {said} and # END {said} is missing", "crontab -e")
    first, end = edges[0].start(), edges[1].end()
    return text[:first], text[first:end], text[end:]


def without(text: bytes, named: bytes) -> bytes:
    """Return a crontab without the block."""
    before, _, after = find(text, named)
    return before + after


def with_block(text: bytes, named: bytes, ours: bytes) -> bytes:
    """Return a crontab with the block: replace the old block, or append the block."""
    before, found, after = find(text, named)
    if found is None and text and not text.endswith(b"\n"):
        # Appended to a last line without a line end, the block would become part of that line.
        return ours + text
    return before + ours + after


def there() -> bool:
    """Return True if crontab(1) is installed."""
    return shutil.which("crontab") is not None


def listed() -> bytes:
    """Return this user's crontab; empty if there is none.

    Raises:
        UsageError: crontab(1) is not installed, or does not permit this user.
    """
    done = _call("-l")
    if done.returncode == 0:
        return _raw(done.stdout) if any(word in done.stdout for word in SPELLED) else done.stdout
    if NONE.search(done.stderr):
        return b""
    raise UsageError(f"crontab -l: {_said(done)}", "check /etc/cron.allow, or schedule: {with: systemd}")


def change(edit: Callable[[bytes], bytes]) -> None:
    """Change this user's crontab, and verify the result.

    Args:
        edit: returns the new crontab, given the old one.

    Raises:
        UsageError: crontab(1) is not installed, or does not permit this user.
        StepFailed: crontab(1) failed, or the crontab is not what was written.
    """
    before = listed()
    after = edit(before)
    if after == before:
        return
    done = _call("-", given=after) if after else _call("-r")
    if done.returncode:
        raise StepFailed(f"crontab refused the change, and is unchanged: {_said(done)}", "crontab -l")
    if listed() != after:
        raise StepFailed("the crontab is not what was written; somebody else is editing it", "crontab -l")


def _raw(shown: bytes) -> bytes:
    """Read the crontab as an editor does: the output of `crontab -l` is ambiguous if it contains `\\r`."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "crontab")
        # crontab(1) calls the editor through a shell, with the file as the last word. An unchanged file is not written.
        done = _call("-e", VISUAL=f"cat > {quote(str(copy))} --")
        return copy.read_bytes() if done.returncode == 0 and copy.exists() else shown


def _call(*words: str, given: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
    # In the locale C the message `no crontab for` is English. With `N`, Debian's crontab omits its own header.
    env = {**os.environ, "LC_ALL": "C", "CRONTAB_NOHEADER": "Y", **more}
    try:
        return subprocess.run(["crontab", *words], input=given, env=env, capture_output=True)
    except OSError:
        hint = "apt-get install cron, or schedule: {with: systemd}"
        raise UsageError("cron is not installed: there is no program `crontab`", hint) from None


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return "; ".join(lines[-3:]) or f"exit code {done.returncode}"
