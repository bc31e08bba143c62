"""The tasks themselves, for ``ops.tasks``. Imports nothing heavy; neither does ``scheduled`` where nothing is due."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ops.tool_tasks import end

if TYPE_CHECKING:
    from ops.main import Options

HELP = {
    "install": "write what the inventory wants into the crontab, or as timers of systemd, on this machine",
    "remove": "take it out again; logs and outcomes stay",
    "due": "run what is due, and end without a word where nothing is",
    "look": "only say whether it would work as it was called; run nothing",
    "task": "the task to run now, whatever the time",
    "file": "what was installed: schedules/installed.json in the target's folder of the store",
}


# The order of the arguments gives `-i` to the inventory, as everywhere: it must not install.
def schedule(  # type: ignore[no-untyped-def]
    c, target="", inventory="", json=False, plan=False, install=False, remove=False
):
    """Show, install or remove the automatic runs of our tasks; exits 5 where not all is as wanted.

    Example: inv schedule
             inv schedule --install --target=lessons --plan
             inv schedule --remove --target=lessons
    """

    def work(options: Options) -> int:
        from ops.schedule.listing import go

        return go(options, install, remove)

    end("schedule", c, work, target=target, json=json, plan=plan, inventory=inventory)


def scheduled(c, target="", inventory="", json=False, due=False, look=False, task="", file=""):  # type: ignore[no-untyped-def]
    """What cron and systemd call: run what is due, or one task, never two of a kind at once; with a log and an outcome.

    Example: inv scheduled --task=backup --target=lessons
             inv scheduled --due --target=lessons
    """
    if due and file and _nothing(file):
        return

    def work(options: Options) -> int:
        from ops.schedule.calls import called

        return called(options, Path(file) if file else None, due, look, task)

    end("scheduled", c, work, target=target, json=json, inventory=inventory)


def _nothing(file: str) -> bool:
    """Nothing is due. What can't be read is said by what comes next."""
    from ops.errors import OpsError
    from ops.schedule.kept import anything_due

    try:
        return not anything_due(Path(file))
    except (OpsError, OSError):
        return False
