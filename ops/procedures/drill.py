"""drill: a backup is restored into a throw-away database, proved, timed, and dropped again."""

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
    """Restores a backup into a database of its own on the test server, proves by fingerprint that it equals what was
    dumped, says how long that took, and drops it again. A backup that was never restored is a hope. Takes the newest
    one that was never proved, unless one is named. Neither production nor the test database is read or written, so
    this works, too, when production is down. With `--beside`, and where there is no test server, the backup's schema
    is restored beside production, too: without rows, with owners and grants, as the role of a rollback.""",
    """If the proof fails, this backup is not what was dumped: `inv backups` says which ones were proved, `inv backup`
    takes a new one. Nothing else was touched; `inv undo` drops the throw-away database.""",
    exclusive=False,
    task="inv drill --backup=latest",
    needs=(Need.BACKUP_TO_PROVE,),
    restores=True,
)

IF_TEST = "Only where the inventory names a test server."
OTHERS = "inv backups   says which backups were proved; inv backup   takes a new one"


@check("What is about to be written is not production", "give the test target a database of its own in the inventory")
def not_production(c: RunInputs) -> Command:
    """A throw-away database beside production would take its space and its locks."""
    given = {"planned": c.test_server.system, "system": c.system, "database": c.database}
    return Query(
        "check_not_production.sql", c.test, "postgres", given | {"name": c.test_server.database, "other": c.names.drill}
    )


@check("The restored database equals what was dumped: every table, sequence and object", OTHERS)
def equals_dumped(c: RunInputs) -> list[Command]:
    """pg_restore can end with 0 and have left something out."""
    return equals_backup(c, c.test, c.names.drill, "restored", owned=False)


@check("The throw-away database is gone", "inv resume")
def is_gone(c: RunInputs) -> Command:
    """It would only fill the disk."""
    return Query("check_gone.sql", c.test, "postgres", {"name": c.names.drill})


def drop_drilled(c: RunInputs) -> Command:
    """The throw-away database goes; it is marked as ours."""
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
    """On the test server, under a name of its own. Its time and its proof stand in the run's journal, and `inv backups`
    shows them."""
    return [
        *created(c, c.names.drill, c.names.drill_marker),
        *restoring(c, c.test, c.names.drill, "restored", owned=False),
    ]


@drill.step(
    "Drop the throw-away database",
    changes="the test server: that database is dropped",
    gates=(not_production,),
    proof=is_gone,
    stays="It was a copy of the backup, and the backup stays.",
    again=True,
    when=lambda c: bool(c.test),
    only=IF_TEST,
)
def drop(c: RunInputs) -> Command:
    """It carries this run's mark; nothing else is dropped."""
    return drop_drilled(c)


drill.include(beside, when=lambda c: c.beside.trial, only="Only with `--beside`, and where there is no test server.")
