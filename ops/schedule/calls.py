"""``inv scheduled``: which of its kinds was asked for. An error goes to standard error, so that cron mails it."""

from __future__ import annotations

import sys
from pathlib import Path

from ops.console import print_error
from ops.errors import OpsError, UsageError
from ops.main import Options, target_of, world_of
from ops.schedule import running, trial
from ops.schedule.standing import file_of, folder_of


def called(options: Options, file: Path | None, due: bool, look: bool, task: str) -> int:
    """Run what was asked for.

    Args:
        file: what was installed; found by inventory and target where None.
        due: what is due.
        look: nothing, but see whether it could.
        task: this one.

    Returns:
        the exit code.
    """
    try:
        if due + look + bool(task) != 1:
            raise UsageError("inv scheduled: one of --due, --look and --task=TASK", "inv scheduled --task=backup")
        if file is None:
            world = world_of(options)
            file = file_of(folder_of(world, target_of(world, options)))
        if look:
            return trial.look(file)
        return running.all_due(file) if due else running.scheduled(file, task)
    except OpsError as error:
        error.shown = True
        print_error(error, options.json, "scheduled", options.target, sys.stderr)
        raise
