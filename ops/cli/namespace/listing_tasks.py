"""The tasks that only read: overview, doctor, hazards, recover, backups, runs, status, environment, tools."""

from ops.cli.namespace.operation import operation
from ops.cli.namespace.usage_errors import EntryTask


def overview(options, target="", json=False, inventory=""):
    """Report the state of each production target, and list the most used commands; `inv` without a task runs this.

    Example: inv
             inv overview --json
    """
    from ops.cli.overview import show

    return show(options)


overview = operation(overview, klass=EntryTask)
overview.is_default = True


@operation
def doctor(options, target="", json=False, all=False, restore=False, inventory=""):
    """Check everything that a release and a rollback need; change nothing; exit 4 if a check fails.

    Prints the problems; with --all, also the checks that passed.
    With --restore, also restores the newest backup's schema next to production, without rows, and drops it.

    Example: inv doctor
             inv doctor --target=lessons --json
    """
    from dataclasses import replace

    from ops.cli.doctor import show

    return show(replace(options, trial=restore, everything=all))


@operation
def hazards(options, target="", json=False, inventory=""):
    """Report what the pending migrations would do to production's rows and users, and how to correct them.

    Changes nothing.

    Example: inv hazards --target=lessons
    """
    from ops.cli.hazard_list import show

    return show(options)


@operation
def recover(options, target="", backup="", json=False, inventory=""):
    """Report which rows production lost, which backup contains them, and what to type next; change nothing.

    Example: inv recover --target=lessons
    """
    from ops.cli.recover import recover as look

    return look(options, backup)


@operation
def backups(options, needs="", target="", json=False, inventory=""):
    """List the backups with age, size and rows; with --needs, report what another machine needs to restore one.

    Example: inv backups --target=lessons
             inv backups --needs=20261123_021500_a1b2
    """
    from ops.cli import listings

    return listings.needed(options, needs) if needs else listings.backups(options)


@operation
def runs(options, target="", json=False, inventory=""):
    """List the runs with their outcomes.

    Example: inv runs
    """
    from ops.cli.listings import runs as listed

    return listed(options)


@operation
def status(options, target="", json=False, inventory=""):
    """Report what the last run did, the current state, the kept databases, and what to type next.

    Example: inv status --target=lessons
    """
    from ops.cli.status import status as show

    return show(options)


@operation
def environment(options, target="", inventory=""):
    """Print the shell variables that the commands of the runbooks use, for `eval`; refused on a terminal.

    The output contains passwords.

    Example: eval "$(inv environment --target=lessons)"
    """
    from ops.cli.shell_variables import environment as show

    return show(options)


@operation
def tools(options, json=False):
    """List the actions that the commands of the runbooks call, each as `inv tool.NAME`.

    Example: inv tools
             inv tool.check-room --help
    """
    from ops.cli.namespace.action_tasks import show_actions

    return show_actions(options)
