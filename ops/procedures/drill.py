"""drill: a backup is restored into a throw-away database, proved, timed, and dropped again."""

from __future__ import annotations

from ops.command import Command, Query, Shell, Tool
from ops.inputs import Inputs
from ops.procedures.backup import backup_is_whole, restore_words
from ops.procedures.clone import room_for_copy
from ops.step import Procedure, check

drill = Procedure(
    "drill",
    "Prove that a backup can be restored",
    """Restores a backup into a database of its own on the test server, proves by fingerprint that it equals what was
    dumped, says how long that took, and drops it again. A backup that was never restored is a hope. Takes the newest
    one that was never proved, unless one is named. Neither production nor the test database is read or written, so
    this works, too, when production is down.""",
    """If the proof fails, this backup is not what was dumped: `inv backups` says which ones were proved, `inv backup`
    takes a new one. Nothing else was touched; `inv undo` drops the throw-away database.""",
    exclusive=False,
    task="inv drill --backup=latest",
)

OTHERS = "inv backups   says which backups were proved; inv backup   takes a new one"


@check("What is about to be written is not production", "give the test target a database of its own in the inventory")
def not_production(c: Inputs) -> Command:
    """A throw-away database beside production would take its space and its locks."""
    given = {"planned": c.test_system, "system": c.system, "database": c.database}
    return Query("check_not_production.sql", c.test, "postgres", given | {"name": c.test_database, "other": c.drilled})


@check("The restored database equals what was dumped: every table, every sequence", OTHERS)
def equals_backup(c: Inputs) -> list[Command]:
    """pg_restore can end with 0 and have left something out."""
    found = f"{c.run_folder}/restored.jsonl"
    return [
        Query("fingerprint.sql", c.test, c.drilled, output=found),
        Tool("same-fingerprint", {"before": c.fingerprint, "after": found}),
    ]


@check("The throw-away database is gone", "inv resume")
def is_gone(c: Inputs) -> Command:
    """It would only fill the disk."""
    return Query("check_gone.sql", c.test, "postgres", {"name": c.drilled})


def drop_drilled(c: Inputs) -> Command:
    """The throw-away database goes; it is marked as ours."""
    return Query("drop_database.sql", c.test, "postgres", {"name": c.drilled, "marker": c.drill_marker})


@drill.step(
    "Restore the backup into a throw-away database",
    gates=(not_production, backup_is_whole, room_for_copy),
    proof=equals_backup,
    undo=drop_drilled,
    again=True,
    on_failure=lambda _: OTHERS,
)
def restore(c: Inputs) -> list[Command]:
    """On the test server, under a name of its own. Its time and its proof stand in the run's journal, and `inv backups`
    shows them."""
    created = {"name": c.drilled, "like": c.test_like, "marker": c.drill_marker, "run": c.run}
    return [
        Query("create_database.sql", c.test, "postgres", created),
        Shell(
            restore_words(c, c.test, c.drilled, owned=False),
            c.test,
            env={"PGOPTIONS": "-c synchronous_commit=off -c maintenance_work_mem=256MB"},
        ),
    ]


@drill.step(
    "Drop the throw-away database",
    gates=(not_production,),
    proof=is_gone,
    stays="It was a copy of the backup, and the backup stays.",
    again=True,
)
def drop(c: Inputs) -> Command:
    """It carries this run's mark; nothing else is dropped."""
    return drop_drilled(c)
