"""The tasks of schedules. Imports nothing heavy."""

from pathlib import Path

from ops.cli.namespace.operation import operation


@operation
def schedule(options, target="", inventory="", json=False, plan=False, install=False, remove=False):
    """Show, install or remove the automatic runs of our tasks; exits 5 where not all is as wanted.

    Example: inv schedule
             inv schedule --install --target=lessons --plan
             inv schedule --remove --target=lessons
    """
    from ops.cli.scheduling.installation import go

    return go(options, install, remove)


@operation
def scheduled(options, target="", inventory="", json=False, due=False, look=False, task="", file=""):
    """What cron and systemd call: run what is due, or one task, never two of a kind at once; with a log and an outcome.

    Example: inv scheduled --task=backup --target=lessons
             inv scheduled --due --target=lessons
    """
    from ops.cli.scheduling.entry_point import called

    return called(options, Path(file) if file else None, due, look, task)
