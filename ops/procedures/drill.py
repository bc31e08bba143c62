"""Define drill: restore a backup into a throw-away database, prove and time the restore, drop the database."""

from __future__ import annotations

from ops.engine.command import Command, Query
from ops.engine.effects import StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check
from ops.procedures.checks import backup_is_whole
from ops.procedures.clone import copy_fits, created, room_for_copy
from ops.procedures.restore_proof import AGAIN, equals_backup, restoring
from ops.procedures.trial_beside import beside

drill = Procedure(
    "drill",
    "Prove that a backup can be restored",
    """Restores a backup into a throw-away database on the test server, proves by fingerprint that the database equals
    the backup, reports the time, and drops the database. Without `--backup`, the drill takes the newest unproved
    backup. Neither production nor the test database is read or written, so the drill also works while production is
    down. With `--beside`, or without a test server, the backup's schema is also restored beside production: without
    rows, with owners and grants, as the role of a rollback.""",
    """If the proof fails, the backup cannot be trusted: `inv backups` lists the proved backups, `inv backup` takes a
    new one. Nothing else was changed. `inv undo` drops the throw-away database.""",
    exclusive=False,
    task="inv drill --backup=latest",
    needs=(Need.BACKUP_TO_PROVE,),
    restores=True,
)

IF_TEST = "Only if the inventory names a test server."
OTHERS = "inv backups   lists the proved backups; inv backup   takes a new one"


@check("The test target is not production", "give the test target a database of its own in the inventory")
def not_production(c: RunInputs) -> Command:
    """Prevent a drill on production's server, which would use production's disk space and locks."""
    given = {"planned": c.test_server.system, "system": c.system, "database": c.database}
    return Query(
        "check_not_production.sql", c.test, "postgres", given | {"name": c.test_server.database, "other": c.names.drill}
    )


@check("The restored database equals the backup: every table, sequence and object", OTHERS)
def equals_dumped(c: RunInputs) -> list[Command]:
    """Detect an incomplete restore: pg_restore can exit with 0 without having restored everything."""
    return equals_backup(c, c.test, c.names.drill, "restored", owned=False)


@check("The throw-away database does not exist", "inv resume")
def is_gone(c: RunInputs) -> Command:
    """Detect a throw-away database that was not dropped and uses disk space."""
    return Query("check_gone.sql", c.test, "postgres", {"name": c.names.drill})


def drop_drilled(c: RunInputs) -> Command:
    """Drop the throw-away database. The drop is refused without this run's mark."""
    return Query("drop_database.sql", c.test, "postgres", {"name": c.names.drill, "marker": c.names.drill_marker})


@drill.step(
    "Restore the backup into a throw-away database",
    changes="the test server: a throw-away database",
    takes=Time.DATABASE,
    does=(StepEffect.RESTORES, StepEffect.DRILLS),
    reports=("excluded",),
    gates=(not_production, backup_is_whole, room_for_copy, copy_fits),
    proof=equals_dumped,
    undo=drop_drilled,
    again=True,
    retries=lambda _: AGAIN,
    on_failure=lambda _: OTHERS,
    when=lambda c: bool(c.test),
    only=IF_TEST,
)
def restore(c: RunInputs) -> list[Command]:
    """Restore the backup into a throw-away database on the test server.

    The journal of the run records the time of the restore and the proof; `inv backups` shows both."""
    return [
        *created(c, c.names.drill, c.names.drill_marker),
        *restoring(c, c.test, c.names.drill, "restored", owned=False),
    ]


@drill.step(
    "Drop the throw-away database",
    changes="the test server: that database is dropped",
    gates=(not_production,),
    proof=is_gone,
    stays="The database was a copy of the backup, and the backup stays.",
    again=True,
    when=lambda c: bool(c.test),
    only=IF_TEST,
)
def drop(c: RunInputs) -> Command:
    """Drop the database with this run's mark, and nothing else."""
    return drop_drilled(c)


drill.include(beside, when=lambda c: c.beside.trial, only="Only with `--beside`, or without a test server.")
