"""Write timers of systemd, switch them on and off.

A unit is ours by its name and by its first line. The facts are those of systemd.timer(5), systemd.time(7) and
systemd.service(5) of version 252.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path

from ops.core.cron import values
from ops.core.errors import OpsError, StepFailed, UsageError
from ops.core.files import sync_folder, write_whole
from ops.schedule.task_state import Installed

DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
LINGER = Path("/var/lib/systemd/linger")


def mark(target: str, inventory: str) -> str:
    """Return the first line of each of our units."""
    return f"# Generalprobe {target} {inventory}: written by `inv schedule --install`, removed by --remove"


def stem(target: str, inventory: str) -> str:
    """Return how the names of a target's units begin; another inventory's target of that name has others."""
    return f"generalprobe-{hashlib.sha256(inventory.encode()).hexdigest()[:8]}-{target}-"


def calendar(at: str, zone: str) -> list[str]:
    """Write cron's five fields as systemd's calendar expressions: each of them elapses.

    Every value is written out, so nothing of what a star or a step means in cron is lost. Where both a day of the
    month and a weekday are given cron means either, and systemd both: so there are two expressions.
    """
    (minutes, hours, days, months, weekdays), both = values(at)
    week = "" if len(weekdays) == 7 else ",".join(DAYS[day] for day in sorted(weekdays)) + " "
    clock = f"{_list(hours, 24)}:{_list(minutes, 60)}:00 {zone}"
    numbers = _list(days, 31)
    pairs = [(week, numbers)] if both else [("", numbers), (week, "*")]
    return [f"{names}*-{_list(months, 12)}-{day} {clock}" for names, day in pairs]


def _list(values: set[int], whole: int) -> str:
    return "*" if len(values) == whole else ",".join(f"{value:02}" for value in sorted(values))


def units(installed: Installed, file: str) -> dict[str, str]:
    """Return file name to text of a service and a timer for each task.

    Args:
        file: what was installed, as a file.

    Raises:
        UsageError: systemd can't call that.
    """
    head, first = mark(installed.target, installed.inventory), stem(installed.target, installed.inventory)
    made = {}
    for task, at in installed.tasks.items():
        words = (*installed.inv, "scheduled", f"--task={task}", f"--file={file}")
        if not all(word.isprintable() for word in (*words, installed.folder, head)):
            raise UsageError(f"{installed.target}: a path holds what a unit can't", "rename the folder")
        about = f"inv {task} of {installed.target}"
        made[f"{first}{task}.service"] = f"""{head}
[Unit]
Description=Generalprobe: {about}

[Service]
Type=oneshot
WorkingDirectory={installed.folder.replace("%", "%%")}
ExecStart={_word(words[0])} {" ".join(_word(word.replace("$", "$$")) for word in words[1:])}
UMask=0077
"""
        elapses = "\n".join(f"OnCalendar={one}" for one in calendar(at, installed.zone))
        made[f"{first}{task}.timer"] = f"""{head}
[Unit]
Description=Generalprobe: when {about} begins ({at} {installed.zone})

[Timer]
{elapses}
Persistent=true
RandomizedDelaySec={installed.jitter}

[Install]
WantedBy=timers.target
"""
    return made


def _word(word: str) -> str:
    """Quote a word of ExecStart. In all but the program's own, a dollar sign has to be doubled."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


class Place:
    """Where this user's units are, and the manager that runs them.

    Args:
        folder: of the unit files; the user's own where None, or the system's for root.
        user: ``systemctl --user``; for everybody but root unless told otherwise.
    """

    def __init__(self, folder: Path | None = None, user: bool | None = None) -> None:
        self.user = os.geteuid() != 0 if user is None else user
        own = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        there = Path(os.path.expanduser(own)) / "systemd/user" if self.user else Path("/etc/systemd/system")
        self.folder = folder or there

    def found(self, target: str, inventory: str) -> dict[str, str]:
        """Read our units of a target that are there, by their file names."""
        first, line = stem(target, inventory), mark(target, inventory)
        found = {}
        for path in sorted(self.folder.glob(f"{first}*")):
            if path.suffix in (".service", ".timer") and path.is_file():
                text = path.read_text(errors="replace")
                if text.splitlines()[:1] == [line]:
                    found[path.name] = text
        return found

    def install(self, installed: Installed, made: Mapping[str, str]) -> None:
        """Write our units, switch their timers on, and take away those of tasks that are scheduled no more.

        Raises:
            UsageError: no systemd answers here, or it would not run them.
            StepFailed: it refuses one of them.
        """
        self._answers()
        self.remove(installed.target, installed.inventory, keep=made)
        for name, text in made.items():
            write_whole(self.folder / name, text)
        self._call("daemon-reload")
        self._call("enable", "--now", *(name for name in made if name.endswith(".timer")))
        # One that was there already goes by what it said until it is started again.
        self._call("restart", *(name for name in made if name.endswith(".timer")))

    def remove(self, target: str, inventory: str, keep: Collection[str] = ()) -> list[str]:
        """Switch our timers off and remove our units; gives their names.

        Raises:
            OpsError: systemd refuses; nothing is removed.
        """
        gone = [name for name in self.found(target, inventory) if name not in keep]
        if not gone:
            return []
        if timers := [name for name in gone if name.endswith(".timer")]:
            self._call("disable", "--now", *timers)
        for name in gone:
            (self.folder / name).unlink(missing_ok=True)
        sync_folder(self.folder)
        self._call("daemon-reload")
        return gone

    def _answers(self) -> None:
        instead = "or schedule: {with: cron}"
        if shutil.which("systemctl") is None:
            raise UsageError("there is no systemd here: no program `systemctl`", "schedule: {with: cron}")
        if self.user and LINGER.parent.exists() and not (LINGER / _user()).exists():
            said = f"systemd ends {_user()}'s timers when nobody is logged in"
            raise UsageError(said, f"loginctl enable-linger {_user()}   {instead}")
        try:
            self._call("show", "--property=Version")
        except OpsError as error:
            raise UsageError(f"systemd does not answer here: {error.message}", instead.removeprefix("or ")) from None

    def _call(self, *words: str) -> None:
        call = ["systemctl", *(["--user"] if self.user else []), *words]
        try:
            done = subprocess.run(call, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
        except OSError as error:
            raise UsageError(f"systemctl: {error.strerror}", "schedule: {with: cron}") from None
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
            raise StepFailed(f"{' '.join(call[:3])}: {said[0]}", f"{' '.join(call[:-1] or call)} …")


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name
