"""Write, enable and disable systemd timers.

The name and the first line of a unit show that this module wrote it. The syntax is that of systemd.timer(5),
systemd.time(7) and systemd.service(5) of version 252.
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
    """Return the first line of each unit of a target."""
    return f"# Generalprobe {target} {inventory}: written by `inv schedule --install`, removed by --remove"


def stem(target: str, inventory: str) -> str:
    """Return the prefix of the names of a target's units, which is unique to the target and the inventory."""
    return f"generalprobe-{hashlib.sha256(inventory.encode()).hexdigest()[:8]}-{target}-"


def calendar(at: str, zone: str) -> list[str]:
    """Convert cron's five fields to systemd calendar expressions; the timer elapses at each of them.

    All values are listed, so that cron's stars and steps keep their meaning. If both a day of the month and a weekday
    are given, cron requires one of them and systemd both, so there are two expressions.
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
    """Return the texts of a service and a timer for each task, by file name.

    Args:
        file: the path of the file with the schedule.

    Raises:
        UsageError: systemd can't run the commands.
    """
    head, first = mark(installed.target, installed.inventory), stem(installed.target, installed.inventory)
    made = {}
    for task, at in installed.tasks.items():
        words = (*installed.inv, "scheduled", f"--task={task}", f"--file={file}")
        if not all(word.isprintable() for word in (*words, installed.folder, head)):
            raise UsageError(f"{installed.target}: a path has a character that no unit may have", "rename the folder")
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
    """Quote a word of ExecStart. Except in the program's path, the caller must double dollar signs."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


class Place:
    """The folder of this user's units, and the manager that runs them.

    Args:
        folder: the folder of the unit files; None: the user's folder, or the system's folder for root.
        user: True to use ``systemctl --user``; None: True except for root.
    """

    def __init__(self, folder: Path | None = None, user: bool | None = None) -> None:
        self.user = os.geteuid() != 0 if user is None else user
        own = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        there = Path(os.path.expanduser(own)) / "systemd/user" if self.user else Path("/etc/systemd/system")
        self.folder = folder or there

    def found(self, target: str, inventory: str) -> dict[str, str]:
        """Return the installed units of a target, by file name."""
        first, line = stem(target, inventory), mark(target, inventory)
        found = {}
        for path in sorted(self.folder.glob(f"{first}*")):
            if path.suffix in (".service", ".timer") and path.is_file():
                text = path.read_text(errors="replace")
                if text.splitlines()[:1] == [line]:
                    found[path.name] = text
        return found

    def install(self, installed: Installed, made: Mapping[str, str]) -> None:
        """Write the units, enable their timers, and remove the units of tasks that are no longer scheduled.

        Args:
            installed: the schedule.
            made: the units, by file name.

        Raises:
            UsageError: systemd does not answer, or would not run the timers.
            StepFailed: systemd refused a unit.
        """
        self._answers()
        self.remove(installed.target, installed.inventory, keep=made)
        for name, text in made.items():
            write_whole(self.folder / name, text)
        self._call("daemon-reload")
        self._call("enable", "--now", *(name for name in made if name.endswith(".timer")))
        # A timer that was running already uses its old text until it is restarted.
        self._call("restart", *(name for name in made if name.endswith(".timer")))

    def remove(self, target: str, inventory: str, keep: Collection[str] = ()) -> list[str]:
        """Disable the timers of a target and remove its units; return their names.

        Args:
            target: the target.
            inventory: the absolute path of the inventory.
            keep: the names of units that are not removed.

        Raises:
            OpsError: systemd refused; nothing was removed.
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
            raise UsageError("systemd is not installed: there is no program `systemctl`", "schedule: {with: cron}")
        if self.user and LINGER.parent.exists() and not (LINGER / _user()).exists():
            said = f"systemd stops the timers of {_user()} when {_user()} logs out"
            raise UsageError(said, f"loginctl enable-linger {_user()}   {instead}")
        try:
            self._call("show", "--property=Version")
        except OpsError as error:
            raise UsageError(f"systemd does not answer: {error.message}", instead.removeprefix("or ")) from None

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
