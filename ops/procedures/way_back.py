"""The way back, tried and timed on the test server before it is needed: restore, proof, swap. A part of verify."""

from __future__ import annotations

from ops.command import Command, Query, Shell, Tool
from ops.inputs import Inputs
from ops.procedures.backup import backup_is_whole, restore_words
from ops.procedures.clone import not_production, room_for_copy
from ops.step import Procedure, check

way_back = Procedure(
    "way-back",
    "Prove the way back",
    """Does on the test server what a rollback does on production: restores the backup beside the migrated database,
    proves it, swaps it in, and tells how long that took.""",
    "The migrated clone and the backup stay as they are.",
)


def moment(c: Inputs, name: str) -> Command:
    """Notes that a moment of it is now."""
    return Tool("time-way-back", {"report": f"{c.run_folder}/way-back.json", "moment": name})


@check("The restored database equals the backup: every table, every sequence", "inv resume")
def restored_equals_backup(c: Inputs) -> list[Command]:
    """A way back that leads somewhere else is none. The proof is a part of it, so it is timed, too; and a restore whose
    time was not noted, since it was interrupted, is done again."""
    found = f"{c.run_folder}/roundtrip.jsonl"
    return [
        Shell(("grep", "-q", '"restored"', f"{c.run_folder}/way-back.json"), c.test),
        moment(c, "proof-begun"),
        Query("fingerprint.sql", c.test, c.roundtrip, output=found),
        Tool("same-fingerprint", {"before": c.fingerprint, "after": found}),
        moment(c, "proved"),
    ]


@check("The swap was made, and the migrated clone has its name again and is open", "inv resume")
def clone_is_back(c: Inputs) -> list[Command]:
    """It is looked at after the rehearsal, and others may work with it. It has its name before the swap, too: only what
    the swap wrote tells that there was one."""
    marker = f"generalprobe clone of {c.target}, run {c.backup}"
    given = {"live": c.test_database, "incoming": c.migrated, "marker": marker}
    written = Shell(("test", "-s", f"{c.run_folder}/swapped-back.txt"), c.test)
    return [written, Query("check_swapped.sql", c.test, "postgres", given)]


@check("What was restored beside the clone is gone", "inv resume")
def is_gone(c: Inputs) -> Command:
    """It would only fill the disk."""
    return Query("check_gone.sql", c.test, "postgres", {"name": c.roundtrip})


def swap_back(c: Inputs) -> Command:
    """The migrated clone takes its name again; nothing happens where it has it."""
    given = {"live": c.test_database, "incoming": c.migrated, "aside": c.roundtrip}
    return Query("swap.sql", c.test, "postgres", given, output=f"{c.run_folder}/swapped-back.txt")


def drop_roundtrip(c: Inputs) -> list[Command]:
    """The migrated clone takes its name again, if it had lost it, and what was restored beside it goes."""
    given = {"name": c.roundtrip, "marker": c.roundtrip_marker}
    return [swap_back(c), Query("drop_database.sql", c.test, "postgres", given)]


@way_back.step(
    "Restore the backup beside the migrated clone",
    gates=(not_production, backup_is_whole, room_for_copy),
    proof=restored_equals_backup,
    undo=drop_roundtrip,
    again=True,
)
def restore(c: Inputs) -> list[Command]:
    """The rollback, rehearsed: the same restore as it would do, without the shortcuts that a throw-away clone may take,
    timed from its first command to its proof."""
    created = {"name": c.roundtrip, "like": c.test_like, "marker": c.roundtrip_marker, "run": c.run}
    words = restore_words(c, c.test, c.roundtrip, owned=False)
    return [
        moment(c, "restore-begun"),
        Query("create_database.sql", c.test, "postgres", created),
        Shell(words, c.test),
        moment(c, "restored"),
    ]


@way_back.step(
    "Swap it in for the migrated clone, and back",
    gates=(not_production,),
    proof=clone_is_back,
    stays="The migrated clone has its own name again afterwards.",
    again=True,
)
def swap(c: Inputs) -> list[Command]:
    """The rollback's own exchange of names, away from a migrated database, and for how long clients are away. In
    between, the restored database is proved to be the live one; then the migrated clone gets its name back."""
    given = {"live": c.test_database, "incoming": c.roundtrip, "aside": c.migrated}
    live = {"live": c.test_database, "incoming": c.roundtrip, "marker": c.roundtrip_marker}
    # First to where it begins, if it was interrupted in between; else this does nothing.
    return [
        swap_back(c),
        Query("swap.sql", c.test, "postgres", given, output=f"{c.run_folder}/swapped-in.txt"),
        Query("check_swapped.sql", c.test, "postgres", live),
        swap_back(c),
    ]


@way_back.step(
    "Drop what was restored beside the clone",
    gates=(not_production,),
    proof=is_gone,
    stays="It was a copy of the backup, and the backup stays.",
    again=True,
)
def drop(c: Inputs) -> Command:
    """It carries this run's mark; nothing else is dropped."""
    given = {"name": c.roundtrip, "marker": c.roundtrip_marker}
    return Query("drop_database.sql", c.test, "postgres", given)
