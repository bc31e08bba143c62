"""The way back, tried and timed on the test server before it is needed: restore, proof, swap. A part of verify."""

from __future__ import annotations

from ops.engine.command import Command, Query, Shell, Tool
from ops.engine.inputs import RunInputs
from ops.engine.step import Procedure, Time, check
from ops.procedures.checks import backup_is_whole
from ops.procedures.clone import created, not_production, room_for_copy
from ops.procedures.restore_proof import AGAIN, equals_backup, restoring

way_back = Procedure(
    "way-back",
    "Prove the way back",
    """Does on the test server what a rollback does on production: restores the backup beside the migrated database,
    proves it, swaps it in, and tells how long that took.""",
    "The migrated clone and the backup stay as they are.",
)


def moment(c: RunInputs, name: str) -> Command:
    """Notes that a moment of it is now."""
    return Tool("time-way-back", {"report": f"{c.run_folder}/way-back.json", "moment": name})


@check("The restored database equals the backup: every table, sequence and object", "inv resume")
def restored_equals_backup(c: RunInputs) -> list[Command]:
    """A way back that leads somewhere else is none. The proof is a part of it, so it is timed, too; and a restore whose
    time was not noted, since it was interrupted, is done again."""
    return [
        Shell(("grep", "-q", '"restored"', f"{c.run_folder}/way-back.json"), c.test),
        moment(c, "proof-begun"),
        *equals_backup(c, c.test, c.names.roundtrip, "roundtrip", owned=False),
        moment(c, "proved"),
    ]


@check("The swap was made, and the migrated clone has its name again and is open", "inv resume")
def clone_is_back(c: RunInputs) -> list[Command]:
    """It is looked at after the rehearsal, and others may work with it. It has its name before the swap, too: only what
    the swap wrote tells that there was one."""
    marker = f"generalprobe clone of {c.target}, run {c.backup}"
    given = {"live": c.test_server.database, "incoming": c.names.migrated, "marker": marker}
    written = Shell(("test", "-s", f"{c.run_folder}/swapped-back.txt"), c.test)
    return [written, Query("check_swapped.sql", c.test, "postgres", given)]


@check("What was restored beside the clone is gone", "inv resume")
def is_gone(c: RunInputs) -> Command:
    """It would only fill the disk."""
    return Query("check_gone.sql", c.test, "postgres", {"name": c.names.roundtrip})


def swap_back(c: RunInputs, output: str = "swapped-back.txt") -> Command:
    """The migrated clone takes its name again; nothing happens where it has it."""
    given = {"live": c.test_server.database, "incoming": c.names.migrated, "aside": c.names.roundtrip}
    return Query("swap.sql", c.test, "postgres", given, output=f"{c.run_folder}/{output}")


def swap_in(c: RunInputs, output: str = "swapped-in.txt") -> Command:
    """The database beside the migrated clone takes its name."""
    given = {"live": c.test_server.database, "incoming": c.names.roundtrip, "aside": c.names.migrated}
    return Query("swap.sql", c.test, "postgres", given, output=f"{c.run_folder}/{output}")


def drop_roundtrip(c: RunInputs) -> list[Command]:
    """The migrated clone takes its name again, if it had lost it, and what was restored beside it goes."""
    given = {"name": c.names.roundtrip, "marker": c.names.roundtrip_marker}
    return [swap_back(c), Query("drop_database.sql", c.test, "postgres", given)]


@way_back.step(
    "Restore the backup beside the migrated clone",
    changes="the test server: a database beside the clone",
    takes=Time.DATABASE,
    gates=(not_production, backup_is_whole, room_for_copy),
    proof=restored_equals_backup,
    undo=drop_roundtrip,
    again=True,
    retries=lambda _: AGAIN,
)
def restore(c: RunInputs) -> list[Command]:
    """The rollback, rehearsed: the same restore as it would do, without the shortcuts that a throw-away clone may take,
    timed from its first command to its proof."""
    return [
        moment(c, "restore-begun"),
        *created(c, c.names.roundtrip, c.names.roundtrip_marker),
        *restoring(c, c.test, c.names.roundtrip, "roundtrip", owned=False),
        Query("analyze.sql", c.test, c.names.roundtrip),
        moment(c, "restored"),
    ]


@way_back.step(
    "Swap it in for the migrated clone, and back",
    changes="the test server: two names, and back",
    gates=(not_production,),
    proof=clone_is_back,
    stays="The migrated clone has its own name again afterwards.",
    again=True,
)
def swap(c: RunInputs) -> list[Command]:
    """The rollback's own exchange of names, away from a migrated database, and for how long clients are away. In
    between, the restored database is proved to be the live one; then the migrated clone gets its name back."""
    live = {"live": c.test_server.database, "incoming": c.names.roundtrip, "marker": c.names.roundtrip_marker}
    # First to where it begins, if it was interrupted in between; else this does nothing.
    return [swap_back(c), swap_in(c), Query("check_swapped.sql", c.test, "postgres", live), swap_back(c)]


@way_back.step(
    "Drop what was restored beside the clone",
    changes="the test server: the database beside the clone is dropped",
    gates=(not_production,),
    proof=is_gone,
    stays="It was a copy of the backup, and the backup stays.",
    again=True,
)
def drop(c: RunInputs) -> Command:
    """It carries this run's mark; nothing else is dropped."""
    given = {"name": c.names.roundtrip, "marker": c.names.roundtrip_marker}
    return Query("drop_database.sql", c.test, "postgres", given)
