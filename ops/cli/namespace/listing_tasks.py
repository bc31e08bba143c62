"""The tasks that look something up: overview, doctor, hazards, recover, backups, runs, status, environment, tools."""

from ops.cli.namespace.operation import operation
from ops.cli.namespace.usage_errors import EntryTask


def overview(options, target="", json=False, inventory=""):
    """Report the state of each production target in a few lines, and the commands that matter; `inv` alone does this.

    Example: inv
             inv overview --json
    """
    from ops.cli.overview import show

    return show(options)


overview = operation(overview, klass=EntryTask)
overview.is_default = True


@operation
def doctor(options, target="", json=False, all=False, restore=False, inventory=""):
    """Check everything that must be right before the night; changes nothing, and exits 4 where a check failed.

    It prints what is wrong, and with --all what is right, too.
    With --restore it also restores the newest backup's schema beside production, without rows, and drops it again.

    Example: inv doctor
             inv doctor --target=lessons --json
    """
    from dataclasses import replace

    from ops.cli.doctor import show

    return show(replace(options, trial=restore, everything=all))


@operation
def hazards(options, target="", json=False, inventory=""):
    """Say what the pending migrations would do, with production's rows, and how to write it right; changes nothing.

    Example: inv hazards --target=lessons
    """
    from ops.cli.hazard_list import show

    return show(options)


@operation
def recover(options, target="", backup="", json=False, inventory=""):
    """Say what production has lost, which backup still has it, and what to type next; changes nothing.

    Example: inv recover --target=lessons
    """
    from ops.cli.recover import recover as look

    return look(options, backup)


@operation
def backups(options, needs="", target="", json=False, inventory=""):
    """List the backups: id, age, size, rows; or with --needs what another machine needs to restore one of them.

    Example: inv backups --target=lessons
             inv backups --needs=20261123_021500_a1b2
    """
    from ops.cli import listings

    return listings.needed(options, needs) if needs else listings.backups(options)


@operation
def runs(options, target="", json=False, inventory=""):
    """List the runs: what, when, how they ended.

    Example: inv runs
    """
    from ops.cli.listings import runs as listed

    return listed(options)


@operation
def status(options, target="", json=False, inventory=""):
    """Say where we stand: the last run, what it changed, what is kept aside, what to type next.

    Example: inv status --target=lessons
    """
    from ops.cli.status import status as show

    return show(options)


@operation
def environment(options, target="", inventory=""):
    """Print the shell variables that the pages' blocks use, for `eval`; not on a terminal, which shows passwords.

    Example: eval "$(inv environment --target=lessons)"
    """
    from ops.cli.shell_variables import environment as show

    return show(options)


@operation
def tools(options, json=False):
    """List the actions that the pages' blocks call, each as `inv tool.NAME`.

    Example: inv tools
             inv tool.check-room --help
    """
    from ops.cli.namespace.action_tasks import show_actions

    return show_actions(options)
