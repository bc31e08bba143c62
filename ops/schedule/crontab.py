"""Our block in a crontab: put in, found, taken out; what is around it stays byte for byte.

Cron calls one line every few minutes, which asks what is due: so a moment that was missed is caught up, the fields are
meant in any time zone, and jitter and overlap are in our hands. The facts of crontab(1) are those of Debian's cron
3.0pl1 and of cronie.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from ops.command import quote
from ops.errors import Refused, StepFailed, UsageError
from ops.schedule.kept import TICK, Installed

EVERY = f"*/{int(TICK.total_seconds() // 60)} * * * *"
# Debian's cron takes no longer command (MAX_COMMAND in cron.h); some others do.
LONGEST = 990
# Where the line before ours had no end, we gave it one: it is a part of the block.
OPEN = b" (the line before had no end)"
# Since 3.0pl1-149 (bug 585552) Debian's `crontab -l` shows a carriage return and a backspace as these two characters.
SPELLED = (b"\\r", b"\\b")
NONE = re.compile(rb"no crontab for |can't open '[^'/]*': No such file", re.IGNORECASE)


def mark(target: str, inventory: str) -> bytes:
    """What marks a block: one a target and inventory."""
    return f"Generalprobe {target} {inventory}".encode(errors="surrogateescape")


def command(installed: Installed, file: str, *words: str) -> str:
    """What a shell runs, from wherever it stands."""
    call = (*installed.inv, "scheduled", *words, f"--file={file}")
    return f"cd {quote(installed.folder)} && exec {' '.join(map(quote, call))}"


def block(installed: Installed, file: str) -> bytes:
    """Our lines.

    Args:
        file: what was installed, as a file.

    Raises:
        UsageError: cron can't call that.
    """
    line = command(installed, file, "--due")
    hint = "move the folder of the inventory, or of inv, to another name"
    if not line.isprintable() or not installed.inventory.isprintable() or "\\" in line:
        raise UsageError(f"{installed.target}: a path holds what a crontab can't: {line!r}", hint)
    # Cron makes lines of what follows a `%`, and takes the backslash away again.
    line = line.replace("%", "\\%")
    if len(line.encode()) > LONGEST:
        raise UsageError(f"{installed.target}: the command is longer than cron takes ({LONGEST} bytes)", hint)
    ours = mark(installed.target, installed.inventory).decode()
    what = ", ".join(f"{task}: {at}" for task, at in installed.tasks.items())
    lines = [
        f"# BEGIN {ours}",
        f"# Written by `inv schedule --install`, removed by `inv schedule --remove`. In {installed.zone}: {what}",
        f"{EVERY} {line}",
        f"# END {ours}",
    ]
    return "".join(f"{one}\n" for one in lines).encode()


def find(text: bytes, named: bytes) -> tuple[bytes, bytes | None, bytes]:
    """What is before our block, the block (None where there is none), and what follows.

    Raises:
        Refused: the block is not whole: somebody edited it.
    """
    begins, ends, at = [], [], 0
    for line in text.split(b"\n"):
        bare = line.rstrip(b"\r")
        after = at + len(line) + 1
        if bare in (b"# BEGIN " + named, b"# BEGIN " + named + OPEN):
            begins.append(at)
        elif bare == b"# END " + named:
            ends.append(after)
        at = after
    if not begins and not ends:
        return text, None, b""
    if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
        said = named.decode(errors="replace")
        raise Refused(f"crontab: the lines # BEGIN {said} and # END {said} are no pair", "crontab -e")
    return text[: begins[0]], text[begins[0] : ends[0]], text[ends[0] :]


def plain(found: bytes) -> bytes:
    """A block without the note on the line before it."""
    first, end, rest = found.partition(b"\n")
    return first.removesuffix(OPEN) + end + rest


def without(text: bytes, named: bytes) -> bytes:
    """A crontab without our block."""
    before, found, after = find(text, named)
    if found and plain(found) != found and not after:
        before = before.removesuffix(b"\n")
    return before + after


def with_block(text: bytes, named: bytes, ours: bytes) -> bytes:
    """A crontab with our block: in its place where it is there, else at the end."""
    before, found, after = find(text, named)
    noted = found is not None and plain(found) != found
    if found is None and text and not text.endswith(b"\n"):
        before, noted = text + b"\n", True
    first, end, rest = ours.partition(b"\n")
    return before + first + (OPEN if noted else b"") + end + rest + after


def there() -> bool:
    """Whether there is a crontab(1) here."""
    return shutil.which("crontab") is not None


def listed() -> bytes:
    """This user's crontab; empty where there is none.

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
    """The crontab as an editor gets it: of what is shown nobody can tell whether `\\r` stands there or is meant."""
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
