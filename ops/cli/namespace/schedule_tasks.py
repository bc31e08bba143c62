"""The tasks of schedules."""

from pathlib import Path

from ops.cli.namespace.operation import operation


@operation
def schedule(options, target="", inventory="", json=False, plan=False, install=False, remove=False):
    """Show, install or remove the scheduled runs of tasks; exit 5 if they differ from the inventory.

    Example: inv schedule
             inv schedule --install --target=lessons --plan
             inv schedule --remove --target=lessons
    """
    from ops.cli.scheduling.installation import go

    return go(options, install, remove)


@operation
def scheduled(options, target="", inventory="", json=False, due=False, look=False, task="", file=""):
    """Run scheduled tasks, with a log and an outcome; cron and systemd call this. A task never runs twice at once.

    Example: inv scheduled --task=backup --target=lessons
             inv scheduled --due --target=lessons
    """
    from ops.cli.scheduling.entry_point import called

    return called(options, Path(file) if file else None, due, look, task)
