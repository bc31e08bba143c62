"""The tasks that look after backups: drill, check-backups, prune-backups, pin, unpin. Imports nothing heavy."""

from __future__ import annotations

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
