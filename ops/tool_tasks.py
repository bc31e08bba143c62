"""The tools as tasks, ``inv tool.NAME``: what a page's block types. Imports nothing heavy, like ``ops.tasks``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from invoke.collection import Collection
from invoke.tasks import Task, task

if TYPE_CHECKING:
    from ops.main import Options

SALVAGE = "target backup_id run aside tables related linked new_keys values report"

# What each tool does, and its options; a test holds them against ops.tools.
TOOLS = {
    "seal": ("Write the manifest of a finished dump and give it its name.", "target backup_id run"),
    "check-backup": ("Compare every file of a backup with its manifest.", "target backup_id"),
    "same-fingerprint": ("Compare two fingerprints.", "before after"),
    "loss-preview": ("Say in which tables the live database differs from a backup.", "target before after"),
    "hazards": ("Say what the pending migrations would do to production.", "target"),
    "check-app": ("Prove from inside the application which database it talks to.", "target database_of"),
    "note-rehearsal": ("Note what a clone is about to be migrated with.", "target test backup_id run"),
    "verdict": (
        "Account for every row of a migrated clone.",
        "target test backup before before_database after report draft",
    ),
    "note-checks": ("Note that the application's own checks passed.", "target report"),
    "time-way-back": ("Note a moment of the way back that is timed.", "report moment"),
    "certify": ("Write a rehearsal's certificate.", "target backup_id report after name"),
    "check-recovery": ("Say how long the way back took in the rehearsal.", "target name"),
    "check-certificate": ("Compare what a certificate is bound to with what is there now.", "target name"),
    "check-window": ("Say whether the maintenance window is open for long enough.", "target name frozen begun"),
    "check-freeze": ("Say whether the rehearsal asks for a freeze that the plan lacks.", "target name frozen"),
    "check-rest": ("Compare the migrations that are left with the rehearsed ones.", "target name"),
    "hold-production": ("Note what production holds before its migrations.", "target name before report"),
    "verify-production": (
        "Compare production with what it held before, as the rehearsal proved.",
        "target name held after frozen",
    ),
    "same-tables": ("Compare some tables of two fingerprints.", "before after tables"),
    "salvage-count": ("Count what a salvage would bring back, and what not.", SALVAGE),
    "salvage-insert": ("Bring a salvage's rows and links back, in one transaction.", SALVAGE + " lock_timeout"),
    "salvage-check": ("Prove that every row is back, or on the list.", SALVAGE),
    "salvage-remove": ("Take away what a salvage brought back.", "target run report lock_timeout"),
}


def end(name: str, context: Any, work: Callable[[Options], int], **given: Any) -> None:
    """Refuse ``--dry``, then hand over and leave with the right exit code."""
    from ops.main import Options, ended

    options = Options(**given)
    if context.config.run.dry:
        print("inv --dry makes every command succeed with empty output, which proves nothing; nothing was changed")
        print(f"Try: inv {name} --plan")
        sys.exit(2)
    ended(lambda: work(options), options, name)


def tool_tasks() -> Collection:
    """All of them, as the collection ``tool``."""
    return Collection("tool", *(_task(name, text, options.split()) for name, (text, options) in TOOLS.items()))


def _task(name: str, text: str, options: list[str]) -> Task[Any]:
    def body(c: Any, inventory: str = "", **arguments: str) -> None:
        def work(found: Options) -> int:
            from ops.main import call_tool

            return call_tool(name, found, arguments)

        end(name, c, work, inventory=inventory)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    words = [inspect.Parameter(word, kind) for word in ("c", *options)]
    body.__signature__ = inspect.Signature([*words, inspect.Parameter("inventory", kind, default="")])  # type: ignore[attr-defined]
    body.__doc__ = text
    made: Task[Any] = task(name=name)(body)
    return made
