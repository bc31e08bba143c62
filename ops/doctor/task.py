"""The task itself, for ``ops.tasks``. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.tool_tasks import end

if TYPE_CHECKING:
    from ops.main import Options


def doctor(c, target="", json=False, inventory=""):  # type: ignore[no-untyped-def]
    """Check everything that must be right before the night; changes nothing, and exits 4 where a check failed.

    Example: inv doctor
             inv doctor --target=lessons --json
    """

    def work(options: Options) -> int:
        from ops.doctor.listing import show

        return show(options)

    end("doctor", c, work, target=target, json=json, inventory=inventory)
