"""Define delta: the rows that a rollback sets aside, as a backup. A part of rollback with `--export`."""

from __future__ import annotations

from ops.engine.command import Command, Query, Shell, Tool, conninfo
from ops.engine.inputs import RunInputs
from ops.engine.step import Check, Procedure, Time, check, commands
from ops.procedures.backup import dump_reads, dumped, from_dump, in_store, made
from ops.procedures.checks import backup_is_whole, is_production_server
from ops.procedures.restore_proof import created_beside

delta = Procedure(
    "delta",
    "Export the rows that differ as a backup",
    """Copies the rows that were inserted or updated since the backup into a separate database, dumps that database like
    any backup, and drops it.""",
    "The replaced database and the safety backup hold the same rows.",
)


def exported(c: RunInputs) -> RunInputs:
    """Return the inputs of the delta's backup."""
    return c.replace(backup=f"{c.run}_delta", dump={"exclude": (), "rate": 0, "over": ()})


def shown(c: RunInputs) -> str:
    """Return the path of the last preview, which is the recount if the rollback freezes production."""
    return f"{c.run_folder}/{'recount' if c.freezes else 'loss'}.json"


def named(c: RunInputs) -> dict[str, str]:
    """Return the paths of the reports that name the rows that differ."""
    return {"shown": shown(c), "since": f"{c.run_folder}/account.json"}


@check("The delta holds the rows that the preview named", "inv resume")
def delta_is_filled(c: RunInputs) -> Command:
    """Detect an empty table in the delta, which would look like a table without differences."""
    return Tool("check-delta", {"target": c.target, "database": c.names.delta, "report": f"{c.run_folder}/delta.json"})


@check("The delta's database does not exist", "inv resume")
def delta_is_gone(c: RunInputs) -> Command:
    """Detect a database that was not dropped and uses disk space."""
    return Query("check_gone.sql", c.target, "postgres", {"name": c.names.delta})


def _of_delta(found: Check) -> Check:
    """Return a check of a backup, applied to the delta."""
    return Check(f"delta_{found.name}", found.title, found.why, lambda c: commands(found.act, exported(c)), found.hint)


def drop_delta(c: RunInputs) -> Command:
    """Drop the delta's database. The drop is refused without this run's mark."""
    return Query("drop_database.sql", c.target, "postgres", {"name": c.names.delta, "marker": c.names.delta_marker})


@delta.step(
    "Copy the rows that differ",
    changes="production's server: a database for the delta",
    takes=Time.DATABASE,
    gates=(is_production_server,),
    proof=delta_is_filled,
    undo=drop_delta,
    again=True,
)
def fill(c: RunInputs) -> list[Command]:
    """Create a database with the tables of the safety backup, without rows, indexes and triggers, and copy the rows."""
    where = f"--dbname=service={c.target} dbname={conninfo(c.names.delta)}"
    bare = ("--no-owner", "--no-privileges", "--no-comments", "--no-publications", "--no-subscriptions")
    words = ("pg_restore", "--exit-on-error", "--section=pre-data", *bare, "--no-password", where)
    rows = {"target": c.target, "database": c.names.delta, "source": c.names.replaced, "before": c.fingerprint}
    files = {"after": f"{c.run_folder}/replaced.jsonl", "report": f"{c.run_folder}/delta.json"}
    return [
        created_beside(c, c.names.delta, c.names.delta_marker),
        Shell(from_dump(made(c), *words, folder=f"{c.folder}/backups/{c.run}_safety"), c.target),
        Tool("fill-delta", rows | files | named(c)),
    ]


@delta.step(
    "Dump the database and take its fingerprint",
    changes="the store: a new folder, without a manifest yet",
    takes=Time.DATABASE,
    gates=(is_production_server,),
    proof=_of_delta(dump_reads),
    stays="An unfinished dump has a name that ends in `.partial`, and no command uses it.",
    again=True,
)
def dump(c: RunInputs) -> list[Command]:
    """Dump the delta like any backup. `deleted.jsonl` beside the dump lists the keys of deleted rows."""
    folder = exported(c).partial
    service = f"{c.target} dbname={conninfo(c.names.delta)}"
    given = {"service": service, "folder": folder} | dumped(exported(c))
    return [
        Shell(("rm", "-rf", folder), c.target),
        Shell(("install", "-d", "-m", "700", c.folder, f"{c.folder}/backups", folder), c.target),
        Query("dump.sql", c.target, c.names.delta, given),
        Tool("note-deleted", named(c) | {"output": f"{folder}/deleted.jsonl"}),
    ]


@delta.step(
    "Write the manifest",
    changes="the store: the manifest of the delta",
    takes=Time.DATABASE,
    proof=_of_delta(backup_is_whole),
    stays="The delta is a copy of rows that the safety backup also holds.",
    again=True,
)
def seal(c: RunInputs) -> Command:
    """Write the manifest, which names the backup of the delta, so that no rollback offers the delta."""
    given = {"target": c.target, "backup_id": exported(c).backup, "run": c.run, "delta_of": c.backup}
    return Tool("seal-delta", given)


@delta.step(
    "Drop the temporary database",
    changes="production's server: the delta's database is dropped",
    gates=(is_production_server,),
    proof=delta_is_gone,
    stays="The database was a copy of rows that the delta's backup holds.",
    again=True,
)
def drop(c: RunInputs) -> Command:
    """Drop the database with this run's mark, and nothing else."""
    return drop_delta(c)


delta.include(in_store, inputs=exported, prefix="delta-")
