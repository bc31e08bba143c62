"""``inv scheduled``: choose what to run. Errors are printed to standard error, so that cron mails them."""

from __future__ import annotations

import sys
from pathlib import Path

from ops.cli.console import print_error
from ops.cli.options import Options, open_session, target_of
from ops.cli.scheduling import preflight
from ops.core.errors import OpsError, UsageError
from ops.schedule import task_runner
from ops.schedule.drift import file_of


def called(options: Options, file: Path | None, due: bool, look: bool, task: str) -> int:
    """Run scheduled tasks.

    Args:
        options: the options of the command line.
        file: the installed schedule; None: find the file by inventory and target.
        due: run the tasks that are due; with ``task``, only that task.
        look: only check whether the schedule would work.
        task: the task to run.

    Returns:
        the exit code.

    Raises:
        OpsError: the error has been printed.
    """
    try:
        if look + (due or bool(task)) != 1:
            raise UsageError("inv scheduled: give one of --due, --look and --task=TASK", "inv scheduled --task=backup")
        if file is None:
            session = open_session(options)
            file = file_of(session, target_of(session, options))
        if look:
            return preflight.look(file)
        return task_runner.all_due(file, task) if due else task_runner.scheduled(file, task)
    except OpsError as error:
        error.shown = True
        print_error(error, options.json, "scheduled", options.target, sys.stderr)
        raise
