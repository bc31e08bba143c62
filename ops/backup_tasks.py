"""The tasks that look after backups: drill, unpack, check-backups, prune-backups, pin, unpin. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ops.tool_tasks import end

if TYPE_CHECKING:
    from ops.main import Options


def drill(c, backup="", target="", json=False, plan=False, reason="", inventory=""):  # type: ignore[no-untyped-def]
    """Restore a backup into a throw-away database and prove it: the newest that was never proved, unless one is named.

    Example: inv drill
             inv drill --backup=latest --target=lessons
    """

    def work(options: Options) -> int:
        from ops.main import start

        return start("drill", options, backup)

    end("drill", c, work, target=target, json=json, plan=plan, reason=reason, inventory=inventory)


def unpack(c, backup="latest", target="", json=False, plan=False, reason="", inventory=""):  # type: ignore[no-untyped-def]
    """Make a dump of one of pgBackRest's backups, for a rollback or a salvage: the newest, unless one is named.

    Example: inv unpack
             inv unpack --backup=20261123_021500_a1b2_pgbackrest
    """

    def work(options: Options) -> int:
        from ops.main import start

        return start("unpack", options, backup)

    end("unpack", c, work, target=target, json=json, plan=plan, reason=reason, inventory=inventory)


def prune_backups(c, target="", confirm="", json=False, plan=False, inventory=""):  # type: ignore[no-untyped-def]
    """Say which backups stay, by the inventory's `keep`, and which may go, and why; with --confirm remove those.

    Example: inv prune-backups --plan
             inv prune-backups --target=lessons --confirm=lessons
    """

    def work(options: Options) -> int:
        from ops.pruning import prune

        return prune(options)

    end("prune-backups", c, work, target=target, confirm=confirm, json=json, plan=plan, inventory=inventory)


def _pinning(pinned: bool, backup: str) -> Callable[[Options], int]:
    def work(options: Options) -> int:
        from ops.pruning import set_pin

        return set_pin(options, backup, pinned)

    return work


def pin(c, backup, target="", json=False, reason="", inventory=""):  # type: ignore[no-untyped-def]
    """Keep a backup whatever retention says, until `inv unpin`; Railway's own backup of that name, too.

    Example: inv pin latest --reason="before the season"
    """
    end("pin", c, _pinning(True, backup), target=target, json=json, reason=reason, inventory=inventory)


def unpin(c, backup, target="", json=False, inventory=""):  # type: ignore[no-untyped-def]
    """Let retention decide about a backup again.

    Example: inv unpin 20261123_021500_a1b2
    """
    end("unpin", c, _pinning(False, backup), target=target, json=json, inventory=inventory)


def check_backups(c, target="", deep=False, metrics="", json=False, inventory=""):  # type: ignore[no-untyped-def]
    """Say in a line whether backups are fresh, whole and proved; exit 4 where not; tells who wants to know.

    Example: inv check-backups
             inv check-backups --metrics=/var/lib/node_exporter/generalprobe.prom
    """

    def work(options: Options) -> int:
        from ops.checked import check_backups as check

        return check(options, deep, metrics)

    end("check-backups", c, work, target=target, json=json, inventory=inventory)
