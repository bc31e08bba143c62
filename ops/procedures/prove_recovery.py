"""Define the rehearsal of a rollback on the test server: restore, proof, swap, each timed. A part of verify."""

from __future__ import annotations

from ops.engine.command import Command, Query, Shell
from ops.engine.inputs import RunInputs
from ops.engine.step import Procedure, Time, check
from ops.procedures.checks import backup_is_whole
from ops.procedures.clone import created, moment, not_production, room_for_copy
from ops.procedures.restore_proof import AGAIN, equals_backup, restoring

way_back = Procedure(
    "way-back",
    "Rehearse the rollback",
    """Does on the test server what a rollback does on production: restores the backup beside the migrated database,
    proves the restored database, swaps it in, and reports the time.""",
    "The migrated clone and the backup are not changed.",
)


swap_trial = Procedure("way-back", "Rehearse the swap of a rollback", "Part of every rehearsal.", "")


def stand_in(c: RunInputs) -> tuple[str, str]:
    """Return the name and the mark of the database that is swapped in: the backup, restored beside the migrated clone.

    In a release that is the copy from before the migrations: the release restored, proved and timed the same files."""
    if c.release.clones:
        return c.names.before, c.names.before_marker
    return c.names.roundtrip, c.names.roundtrip_marker


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


@check("The second database on the test server does not exist", "inv resume")
def is_gone(c: RunInputs) -> Command:
    """Detect a database that was not dropped and uses disk space."""
    return Query("check_gone.sql", c.test, "postgres", {"name": c.names.roundtrip})


def swap_back(c: RunInputs, aside: str, output: str = "swapped-back.txt") -> Command:
    """Give the migrated clone its name back; does nothing if the clone has it.

    Args:
        aside: the name that the other database gets back.
    """
    given = {"live": c.test_server.database, "incoming": c.names.migrated, "aside": aside}
    return Query("swap.sql", c.test, "postgres", given, output=f"{c.run_folder}/{output}")


def swap_in(c: RunInputs, incoming: str, output: str = "swapped-in.txt") -> Command:
    """Give a database beside the migrated clone the clone's name."""
    given = {"live": c.test_server.database, "incoming": incoming, "aside": c.names.migrated}
    return Query("swap.sql", c.test, "postgres", given, output=f"{c.run_folder}/{output}")


def drop_roundtrip(c: RunInputs) -> list[Command]:
    """Give the migrated clone its name back, and drop the second database on the test server."""
    given = {"name": c.names.roundtrip, "marker": c.names.roundtrip_marker}
    return [swap_back(c, c.names.roundtrip), Query("drop_database.sql", c.test, "postgres", given)]


def give_back(c: RunInputs) -> list[Command]:
    """Give the migrated clone its name back, and remove the record of the swap."""
    forgotten = Shell(("rm", "-f", f"{c.run_folder}/swapped-back.txt"), c.test)
    return [swap_back(c, stand_in(c)[0], "given-back.txt"), forgotten]


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
    """Restore the backup as a rollback does, and time it from the first command to the proof."""
    return [
        moment(c, "restore-begun"),
        *created(c, c.names.roundtrip, c.names.roundtrip_marker),
        *restoring(c, c.test, c.names.roundtrip, "roundtrip", owned=False),
        Query("analyze.sql", c.test, c.names.roundtrip),
        moment(c, "restored"),
    ]


@swap_trial.step(
    "Swap the restored database in, then the migrated clone",
    changes="the test server: two database names, twice",
    gates=(not_production,),
    proof=clone_is_back,
    undo=give_back,
    again=True,
)
def swap(c: RunInputs) -> list[Command]:
    """Swap names on the test server as a rollback does on production, and time how long clients are disconnected.

    After the first swap, prove that the restored, unmigrated database has the test database's name. Then give the
    migrated clone this name back. Production is not changed."""
    name, marker = stand_in(c)
    live = {"live": c.test_server.database, "incoming": name, "marker": marker}
    # The first command undoes a swap that was interrupted halfway; otherwise it does nothing.
    there = Query("check_swapped.sql", c.test, "postgres", live)
    return [swap_back(c, name), swap_in(c, name), there, swap_back(c, name)]


way_back.include(swap_trial)


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
