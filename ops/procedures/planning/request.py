"""Hold the request of the command line for a procedure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops.recovery.salvage.resolve import Asked


@dataclass(frozen=True)
class Wanted:
    """Hold the request of the command line, besides procedure and target.

    Args:
        backup: an id, ``latest``, ``before:RUN`` or a moment.
        kept: a kept database.
        draft: for ``verify``: draft declarations for refused losses.
        auto_rollback: for ``release`` and ``promote``: roll a failed release back.
        failed_run: the release to roll back.
        freeze: for ``rollback``: freeze production.
        export: for ``rollback``: export the rows that differ as a backup.
        salvage: the tables to salvage.
        max_rate: for ``backup``: the bytes to write per second, instead of the inventory's rate.
        no_safety: for ``railway-restore``: make no safety backup.
        incomplete: for ``rollback``: accept a backup with excluded tables.
        beside: for ``drill``: try a restore beside production, too.
    """

    backup: str = ""
    kept: str = ""
    draft: bool = False
    auto_rollback: bool = False
    failed_run: str = ""
    freeze: bool = False
    export: bool = False
    salvage: Asked | None = None
    max_rate: str = ""
    no_safety: bool = False
    incomplete: bool = False
    beside: bool = False
