"""The tasks for existing backups: check-backups, prune-backups, pin and unpin."""

from ops.cli.namespace.operation import operation


@operation
def check_backups(options, target="", deep=False, metrics="", json=False, inventory=""):
    """Report whether the backups are fresh, intact and proved; notify, and exit 4, if one of them is not.

    Example: inv check-backups
             inv check-backups --metrics=/var/lib/node_exporter/generalprobe.prom
    """
    from ops.cli.check_backups import check_backups as check

    return check(options, deep, metrics)


@operation
def prune_backups(options, target="", confirm="", json=False, plan=False, inventory=""):
    """List which backups the inventory's `keep` retains, and why; remove the other backups after a confirmation.

    Example: inv prune-backups --plan
             inv prune-backups --target=lessons --confirm=lessons
    """
    from ops.cli.prune_backups import prune

    return prune(options)


@operation
def pin(options, backup, target="", json=False, reason="", inventory=""):
    """Retain a backup until `inv unpin`, whatever `keep` says; also lock Railway's own backup of that name.

    Example: inv pin latest --reason="before the season"
    """
    from ops.cli.prune_backups import set_pin

    return set_pin(options, backup, pinned=True)


@operation
def unpin(options, backup, target="", json=False, inventory=""):
    """Remove a backup's pin, so that `keep` applies to the backup again.

    Example: inv unpin 20261123_021500_a1b2
    """
    from ops.cli.prune_backups import set_pin

    return set_pin(options, backup, pinned=False)
