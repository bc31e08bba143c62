"""The tasks that look something up: hazards, backups, runs, status, environment. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ops.tool_tasks import end

if TYPE_CHECKING:
    from ops.main import Options


def _listing(name: str) -> Callable[[Options], int]:
    def work(options: Options) -> int:
        from ops import listings

        return int(getattr(listings, name)(options))

    return work


def hazards(c, target="", json=False, inventory=""):  # type: ignore[no-untyped-def]
    """Say what the pending migrations would do, with production's rows, and how to write it right; changes nothing.

    Example: inv hazards --target=lessons
    """

    def work(options: Options) -> int:
        from ops.hazards.listing import show

        return show(options)

    end("hazards", c, work, target=target, json=json, inventory=inventory)


def backups(c, target="", json=False, inventory=""):  # type: ignore[no-untyped-def]
    """List the backups: id, age, size, rows.

    Example: inv backups --target=lessons
    """
    end("backups", c, _listing("backups"), target=target, json=json, inventory=inventory)


def runs(c, target="", json=False, inventory=""):  # type: ignore[no-untyped-def]
    """List the runs: what, when, how they ended.

    Example: inv runs
    """
    end("runs", c, _listing("runs"), target=target, json=json, inventory=inventory)


def status(c, target="", json=False, inventory=""):  # type: ignore[no-untyped-def]
    """Say where we stand: the last run, what it changed, what is kept aside, what to type next.

    Example: inv status --target=lessons
    """
    end("status", c, _listing("status"), target=target, json=json, inventory=inventory)


def environment(c, target="", inventory=""):  # type: ignore[no-untyped-def]
    """Print the shell variables that the pages' blocks use; eval it. Passwords stay in a private file.

    Example: eval "$(inv environment --target=lessons)"
    """
    end("environment", c, _listing("environment"), target=target, inventory=inventory)
