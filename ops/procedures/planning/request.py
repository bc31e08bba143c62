"""What the command line said of a procedure."""

from __future__ import annotations

from dataclasses import dataclass

from ops.recovery.salvage.resolve import Asked


@dataclass(frozen=True)
class Wanted:
    """What the command line said beside procedure and target.

    ``backup``: an id, ``latest``, ``before:RUN`` or a moment; ``kept``: a kept database; ``draft``: for ``verify``,
    draft declarations for what is refused; ``auto_rollback``: for ``release`` and ``promote``; ``failed_run``: the
    release that is to be taken back; ``freeze``, ``export``: for ``rollback``, freeze production meanwhile, and keep
    what differs as a backup of its own; ``salvage``: the tables that are to come back; ``max_rate``: for ``backup``,
    how much a second is written, instead of what the inventory says; ``no_safety``: for ``railway-restore``, make no
    last dump before; ``incomplete``: for ``rollback``, also to a backup without some tables' rows; ``beside``: for
    ``drill``, try the restore beside production, too.
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
