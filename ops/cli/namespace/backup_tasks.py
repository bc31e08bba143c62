"""The tasks that look after backups: check-backups, prune-backups, pin, unpin. Imports nothing heavy."""

from ops.cli.namespace.operation import operation


@operation
def check_backups(options, target="", deep=False, metrics="", json=False, inventory=""):
    """Say in a line whether backups are fresh, whole and proved; exit 4 where not; tells who wants to know.

    Example: inv check-backups
             inv check-backups --metrics=/var/lib/node_exporter/generalprobe.prom
    """
    from ops.cli.check_backups import check_backups as check

    return check(options, deep, metrics)


@operation
def prune_backups(options, target="", confirm="", json=False, plan=False, inventory=""):
    """Say which backups stay, by the inventory's `keep`, and which may go, and why; with --confirm remove those.

    Example: inv prune-backups --plan
             inv prune-backups --target=lessons --confirm=lessons
    """
    from ops.cli.prune_backups import prune

    return prune(options)


@operation
def pin(options, backup, target="", json=False, reason="", inventory=""):
    """Keep a backup whatever retention says, until `inv unpin`; Railway's own backup of that name, too.

    Example: inv pin latest --reason="before the season"
    """
    from ops.cli.prune_backups import set_pin

    return set_pin(options, backup, pinned=True)


@operation
def unpin(options, backup, target="", json=False, inventory=""):
    """Let retention decide about a backup again.

    Example: inv unpin 20261123_021500_a1b2
    """
    from ops.cli.prune_backups import set_pin

    return set_pin(options, backup, pinned=False)
