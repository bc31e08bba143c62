"""Write our block into a crontab, find it, take it out; what is around it stays byte for byte.

The block has one line a task, and one for the machine's start, which catches up what was missed. A line only asks:
whether its task is due is decided by the schedule's own zone and by when it was begun the last time. The facts of
crontab(1) are those of Debian's cron 3.0pl1 and of cronie.
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

# The zone of the machine, and so of cron's fields. Debian's cron knows no CRON_TZ.
LOCAL = Path("/etc/localtime")
# At the machine's start the network and a database may come up later than cron.
AT_START = "@reboot sleep 60 && "
# Debian's cron takes no longer command (MAX_COMMAND in cron.h); some others do.
LONGEST = 990
# Since 3.0pl1-149 (bug 585552) Debian's `crontab -l` shows a carriage return and a backspace as these two characters.
SPELLED = (b"\\r", b"\\b")
NONE = re.compile(rb"no crontab for |can't open '[^'/]*': No such file", re.IGNORECASE)


def mark(target: str, inventory: str) -> bytes:
    """Return what marks a block: one a target and inventory."""
    return f"Generalprobe {target} {inventory}".encode(errors="surrogateescape")


def command(installed: Installed, file: str, *words: str) -> str:
    """Return what a shell runs, from wherever it stands."""
    call = (*installed.inv, "scheduled", *words, f"--file={file}")
    return f"cd {quote(installed.folder)} && exec {' '.join(map(quote, call))}"


def fields(at: str, zone: str) -> str:
    """Write five fields so that cron, in the machine's zone, calls at each moment that they mean in ``zone``.

    Their values are written out, since crons differ in what `5/10` means; a star stays, since it decides whether a
    day and a weekday must both match. Where the zones differ cron calls every hour, and most of the calls do nothing.
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
    """Compute by how many minutes a zone is before this machine's, over a year."""
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
    """Return our lines.

    Args:
        file: what was installed, as a file.

    Raises:
        UsageError: cron can't call that.
    """
    lines = [
        f"{fields(at, installed.zone)} {command(installed, file, '--due', f'--task={task}')}"
        for task, at in installed.tasks.items()
    ]
    lines.append(AT_START + command(installed, file, "--due"))
    hint = "move the folder of the inventory, or of inv, to another name"
    for line in (*lines, installed.inventory):
        if not line.isprintable() or "\\" in line:
            raise UsageError(f"{installed.target}: a path holds what a crontab can't: {line!r}", hint)
    # Cron makes lines of what follows a `%`, and takes the backslash away again.
    lines = [line.replace("%", "\\%") for line in lines]
    if max(len(line.encode()) for line in lines) > LONGEST:
        raise UsageError(f"{installed.target}: the command is longer than cron takes ({LONGEST} bytes)", hint)
    ours = mark(installed.target, installed.inventory).decode()
    what = ", ".join(f"{task}: {at}" for task, at in installed.tasks.items())
    about = f"# Written by `inv schedule --install`, removed by `inv schedule --remove`. In {installed.zone}: {what}"
    return "".join(f"{line}\n" for line in (f"# BEGIN {ours}", about, *lines, f"# END {ours}")).encode()


def find(text: bytes, named: bytes) -> tuple[bytes, bytes | None, bytes]:
    """Return what is before our block, the block (None where there is none), and what follows.

    Raises:
        Refused: the block is not whole: somebody edited it.
    """
    # Version 0.1 noted at its block's begin that the line before had no end.
    line = rb"(?m)^# (BEGIN|END) " + re.escape(named) + rb"(?: \(the line before had no end\))?\r?$\n?"
    edges = list(re.finditer(line, text))
    if not edges:
        return text, None, b""
    if [edge[1] for edge in edges] != [b"BEGIN", b"END"]:
        said = named.decode(errors="replace")
        raise Refused(f"crontab: the lines # BEGIN {said} and # END {said} are no pair", "crontab -e")
    first, end = edges[0].start(), edges[1].end()
    return text[:first], text[first:end], text[end:]


def without(text: bytes, named: bytes) -> bytes:
    """Return a crontab without our block."""
    before, _, after = find(text, named)
    return before + after


def with_block(text: bytes, named: bytes, ours: bytes) -> bytes:
    """Return a crontab with our block: in its place where it is there, else at the end."""
    before, found, after = find(text, named)
    if found is None and text and not text.endswith(b"\n"):
        # Behind a line without an end ours would be a part of that line.
        return ours + text
    return before + ours + after


def there() -> bool:
    """Return True if there is a crontab(1) here."""
    return shutil.which("crontab") is not None


def listed() -> bytes:
    """Read this user's crontab; empty where there is none.

    Raises:
        UsageError: there is no crontab(1), or it does not let us.
    """
    done = _call("-l")
    if done.returncode == 0:
        return _raw(done.stdout) if any(word in done.stdout for word in SPELLED) else done.stdout
    if NONE.search(done.stderr):
        return b""
    raise UsageError(f"crontab -l: {_said(done)}", "look at /etc/cron.allow, or schedule: {with: systemd}")


def change(edit: Callable[[bytes], bytes]) -> None:
    """Change this user's crontab, and look whether it is what was written.

    Raises:
        UsageError: there is no crontab(1), or it does not let us.
        StepFailed: it took something else.
    """
    before = listed()
    after = edit(before)
    if after == before:
        return
    done = _call("-", given=after) if after else _call("-r")
    if done.returncode:
        raise StepFailed(f"crontab refused it, and is as it was: {_said(done)}", "crontab -l")
    if listed() != after:
        raise StepFailed("crontab holds something else than was written; somebody edits it, too", "crontab -l")


def _raw(shown: bytes) -> bytes:
    """Read the crontab as an editor gets it: what is shown does not tell whether `\\r` stands there or is meant."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "crontab")
        # It calls the editor through a shell, with the file as the last word; what is not changed is not written.
        done = _call("-e", VISUAL=f"cat > {quote(str(copy))} --")
        return copy.read_bytes() if done.returncode == 0 and copy.exists() else shown


def _call(*words: str, given: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
    # In C it says `no crontab for` in English. Debian's shows the header that it writes itself where this is `N`.
    env = {**os.environ, "LC_ALL": "C", "CRONTAB_NOHEADER": "Y", **more}
    try:
        return subprocess.run(["crontab", *words], input=given, env=env, capture_output=True)
    except OSError:
        hint = "apt-get install cron, or schedule: {with: systemd}"
        raise UsageError("there is no cron here: no program `crontab`", hint) from None


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return "; ".join(lines[-3:]) or f"exit code {done.returncode}"
