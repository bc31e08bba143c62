"""Define the rehearsal of a rollback on the test server: restore, proof, swap, each timed. A part of verify."""

from __future__ import annotations

from ops.engine.command import Command, Query, Shell, Tool
from ops.engine.inputs import RunInputs
from ops.engine.step import Procedure, Time, check
from ops.procedures.checks import backup_is_whole
from ops.procedures.clone import created, not_production, room_for_copy
from ops.procedures.restore_proof import AGAIN, equals_backup, restoring

way_back = Procedure(
    "way-back",
    "Rehearse the rollback",
    """Does on the test server what a rollback does on production: restores the backup beside the migrated database,
    proves the restored database, swaps it in, and reports the time.""",
    "The migrated clone and the backup are not changed.",
)


def moment(c: RunInputs, name: str) -> Command:
    """Return the command that records the present time under a name."""
    return Tool("time-way-back", {"report": f"{c.run_folder}/way-back.json", "moment": name})


@check("The restored database equals the backup: every table, sequence and object", "inv resume")
def restored_equals_backup(c: RunInputs) -> list[Command]:
    """Prove the restored database, and record the time of the proof as a part of the recovery time.

    An interrupted restore has no recorded time, so it is repeated."""
    return [
        Shell(("grep", "-q", '"restored"', f"{c.run_folder}/way-back.json"), c.test),
        moment(c, "proof-begun"),
        *equals_backup(c, c.test, c.names.roundtrip, "roundtrip", owned=False),
        moment(c, "proved"),
    ]


@check("The swap was made, and the migrated clone has its name back and accepts connections", "inv resume")
def clone_is_back(c: RunInputs) -> list[Command]:
    """Check that the clone, which is still needed, has its name back.

    The clone has its name before the swap, too, so the output of the swap proves that the swap was made."""
    marker = f"generalprobe clone of {c.target}, run {c.backup}"
    given = {"live": c.test_server.database, "incoming": c.names.migrated, "marker": marker}
    written = Shell(("test", "-s", f"{c.run_folder}/swapped-back.txt"), c.test)
    return [written, Query("check_swapped.sql", c.test, "postgres", given)]


@check("The database beside the clone does not exist", "inv resume")
def is_gone(c: RunInputs) -> Command:
    """Detect a database that was not dropped and uses disk space."""
    return Query("check_gone.sql", c.test, "postgres", {"name": c.names.roundtrip})


def swap_back(c: RunInputs, output: str = "swapped-back.txt") -> Command:
    """Give the migrated clone its name back; does nothing if the clone has it."""
    given = {"live": c.test_server.database, "incoming": c.names.migrated, "aside": c.names.roundtrip}
    return Query("swap.sql", c.test, "postgres", given, output=f"{c.run_folder}/{output}")


def swap_in(c: RunInputs, output: str = "swapped-in.txt") -> Command:
    """Give the database beside the migrated clone the clone's name."""
    given = {"live": c.test_server.database, "incoming": c.names.roundtrip, "aside": c.names.migrated}
    return Query("swap.sql", c.test, "postgres", given, output=f"{c.run_folder}/{output}")


def drop_roundtrip(c: RunInputs) -> list[Command]:
    """Give the migrated clone its name back, and drop the database beside the clone."""
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
    """Restore the backup as a rollback does, and time it from the first command to the proof.

    The restore takes none of the shortcuts that are allowed for a throw-away clone."""
    return [
        moment(c, "restore-begun"),
        *created(c, c.names.roundtrip, c.names.roundtrip_marker),
        *restoring(c, c.test, c.names.roundtrip, "roundtrip", owned=False),
        Query("analyze.sql", c.test, c.names.roundtrip),
        moment(c, "restored"),
    ]


@way_back.step(
    "Swap the restored database in, then the migrated clone",
    changes="the test server: two database names, twice",
    gates=(not_production,),
    proof=clone_is_back,
    stays="The migrated clone has its own name after the step.",
    again=True,
)
def swap(c: RunInputs) -> list[Command]:
    """Swap names as a rollback does, and time how long clients are disconnected.

    After the first swap, prove that the restored database has the clone's name. Then give the migrated clone its
    name back."""
    live = {"live": c.test_server.database, "incoming": c.names.roundtrip, "marker": c.names.roundtrip_marker}
    # The first command undoes a swap that was interrupted halfway; otherwise it does nothing.
    return [swap_back(c), swap_in(c), Query("check_swapped.sql", c.test, "postgres", live), swap_back(c)]


@way_back.step(
    "Drop the database restored beside the clone",
    changes="the test server: the restored database is dropped",
    gates=(not_production,),
    proof=is_gone,
    stays="The database was a copy of the backup, and the backup stays.",
    again=True,
)
def drop(c: RunInputs) -> Command:
    """Drop the database with this run's mark, and nothing else."""
    given = {"name": c.names.roundtrip, "marker": c.names.roundtrip_marker}
    return Query("drop_database.sql", c.test, "postgres", given)
