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
STANZA = "target stanza folder"

# What each tool does, and its options; a test holds them against ops.tools.
TOOLS = {
    "seal": ("Write the manifest of a finished dump and give it its name.", "target backup_id run"),
    "check-streamed": ("Compare a dump that came as a stream with what was sent.", "target backup_id"),
    "volume-glance": ("Say what Railway's backup would take away.", "target volume_backup safety?"),
    "check-volume-backup": ("Say whether Railway still has a backup of that volume.", "target place volume_backup"),
    "check-unstaged": ("Say whether nothing waits in the environment.", "target"),
    "check-alone": ("Say whether no other run is at work.", "target database run"),
    "note-volume": ("Note which volume there is.", "target volume_backup report"),
    "volume-restore": (
        "Ask Railway for its backup in the place of the volume, and wait.",
        "target place volume_backup report database system? timeout? every?",
    ),
    "check-volume-restored": ("Say whether the backup is in place.", "target report database system?"),
    "check-volume-untouched": ("Say whether Railway was not asked.", "target report"),
    "volume-account": ("Say what is live now, against our dumps.", "target report after safety?"),
    "store-backup": ("Send a backup to the remote store.", "target backup_id"),
    "check-stored": ("Say whether the remote store has every file of a backup.", "target backup_id deep?"),
    "check-backup": ("Compare every file of a backup with its manifest.", "target backup_id"),
    "check-room": (
        "Say whether a backup has room where backups are kept, and whose rows stay out.",
        "target backup_id exclude?",
    ),
    "check-server-room": (
        "Say whether a restored copy has room on a server, as far as its disk can be seen.",
        "target server backup_id like?",
    ),
    "check-touched": ("Say whether the pending migrations work on what was not backed up.", "target backup_id"),
    "same-fingerprint": ("Compare two fingerprints.", "before after"),
    "loss-glance": ("Say in which tables a database differs from a backup.", "before after"),
    "loss-preview": (
        "Say which rows of the live database are not in the restored backup.",
        "target database backup_id before after report",
    ),
    "loss-recount": ("Say it again while production is frozen.", "target database backup_id before after report shown"),
    "loss-account": (
        "Say what was written between the preview and the swap.",
        "target replaced before after since shown safety run report",
    ),
    "loss-undone": ("Say what was written to a restored database.", "target undone before report"),
    "fill-delta": (
        "Copy the rows that differ into a database of their own.",
        "target database source before after shown since report",
    ),
    "check-defang": (
        "Say whether the inventory's `defang` fits a clone, and classifies all that looks like personal data.",
        "target test database digest?",
    ),
    "defang": (
        "Do to a clone what the inventory's `defang` says, in one transaction.",
        "target test database marker run report digest?",
    ),
    "check-defanged": ("Prove that a clone is defanged.", "target test database marker before digest?"),
    "check-delta": ("Make sure that a delta holds what was named.", "target database report"),
    "note-deleted": ("Write the keys of deleted rows beside a delta.", "shown since output"),
    "seal-delta": ("Write the manifest of a finished delta and give it its name.", "target backup_id run delta_of"),
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
    "check-health": (
        "Ask a web address, or run a command, until it answers as wanted or the time is up.",
        "target url? command? folder? status? timeout? every?",
    ),
    "check-railway": ("Say whether a target's place on Railway is the one planned for.", "target place"),
    "railway-deploy": ("Deploy on Railway, and wait until it is live.", "target release? back? timeout? every?"),
    "railway-backup": ("Ask Railway for a backup of its own, too.", "target name timeout? every?"),
    "check-railway-backup": ("Say whether Railway lists a backup of its own.", "target name"),
    "railway-lock": ("Keep Railway's own backup of a name for good.", "target name"),
    "railway-schedule": ("Set Railway's automatic backups.", "target kinds?"),
    "check-deployed": ("Say whether Railway's newest deployment is live.", "target release?"),
    "check-kept": ("Say which run kept a database.", "target name"),
    "check-discard": ("Say whether a kept database may be discarded.", "target name"),
    "check-stanza": ("Say whether pgBackRest's stanza is ready for a backup.", f"{STANZA} system"),
    "check-aside": ("Say whether a backup of pgBackRest's can be restored aside.", f"{STANZA} backup_id"),
    "await-stanza": ("Wait until pgBackRest makes no other backup.", f"{STANZA} backup_id"),
    "check-listed": ("Say whether pgBackRest lists a backup, without errors.", f"{STANZA} backup_id"),
    "restore-aside": ("Restore a backup of pgBackRest's aside.", f"{STANZA} run backup_id"),
    "same-schema": ("Compare schema and migrations of what was restored with production's.", "target found"),
    "seal-physical": ("Write the manifest of a backup of pgBackRest's.", f"{STANZA} run backup_id found"),
    "seal-unpacked": ("Write the manifest of a dump made of one.", "target backup_id source run"),
    "clear-aside": ("Remove what was restored aside.", f"{STANZA} run"),
    "check-aside-gone": ("Say whether nothing of a run is left aside.", f"{STANZA} run"),
    "differs-from-kept": ("Say what differs between the live database and a kept one.", "target live kept"),
    "explain-promotion": (
        "Say what production has of a release that did not end well, and what to type.",
        "target name run backup_id frozen",
    ),
    "check-atomic": ("Say whether the first migration that is left is one transaction.", "target database_of"),
    "check-as-before": ("Prove that production is what it was right before a release.", "before after"),
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


def _option(word: str) -> inspect.Parameter:
    """One option; what ends with a question mark may be left out."""
    default = "" if word.endswith("?") else inspect.Parameter.empty
    return inspect.Parameter(word.rstrip("?"), inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)


def _task(name: str, text: str, options: list[str]) -> Task[Any]:
    def body(c: Any, inventory: str = "", **arguments: str) -> None:
        def work(found: Options) -> int:
            from ops.main import call_tool

            return call_tool(name, found, arguments)

        end(name, c, work, inventory=inventory)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    words = [inspect.Parameter("c", kind), *(_option(word) for word in options)]
    body.__signature__ = inspect.Signature([*words, inspect.Parameter("inventory", kind, default="")])  # type: ignore[attr-defined]
    body.__doc__ = text
    made: Task[Any] = task(name=name)(body)
    return made
