"""delta: what a rollback sets aside, as a backup of its own; a part of rollback, with `--export`."""

from __future__ import annotations

from ops.engine.command import Command, Query, Shell, Tool, conninfo
from ops.engine.inputs import RunInputs
from ops.engine.step import Check, Procedure, Time, check, commands
from ops.procedures.backup import dump_reads, dumped, from_dump, in_store, made
from ops.procedures.checks import backup_is_whole, is_production_server
from ops.procedures.restore_proof import created_beside

delta = Procedure(
    "delta",
    "Keep what differs as a backup of its own",
    """Copies the rows that were inserted or updated since the backup into a database of their own, dumps that like any
    backup, and drops it again.""",
    "The replaced database and the safety backup hold all of it, too.",
)


def exported(c: RunInputs) -> RunInputs:
    """The inputs of the delta's own backup."""
    return c.replace(backup=f"{c.run}_delta", dump={"exclude": (), "rate": 0, "over": ()})


def shown(c: RunInputs) -> str:
    """The preview that counts: the last one, under the freeze where this run froze."""
    return f"{c.run_folder}/{'recount' if c.freezes else 'loss'}.json"


def named(c: RunInputs) -> dict[str, str]:
    """Where it stands which rows differ."""
    return {"shown": shown(c), "since": f"{c.run_folder}/account.json"}


@check("The delta holds the rows that were named", "inv resume")
def delta_is_filled(c: RunInputs) -> Command:
    """An empty table in it would be taken for a table in which nothing differs."""
    return Tool("check-delta", {"target": c.target, "database": c.names.delta, "report": f"{c.run_folder}/delta.json"})


@check("The delta's own database is gone", "inv resume")
def delta_is_gone(c: RunInputs) -> Command:
    """It would only fill the disk."""
    return Query("check_gone.sql", c.target, "postgres", {"name": c.names.delta})


def _of_delta(found: Check) -> Check:
    """A backup's check, of the delta."""
    return Check(f"delta_{found.name}", found.title, found.why, lambda c: commands(found.act, exported(c)), found.hint)


def drop_delta(c: RunInputs) -> Command:
    """The delta's own database goes; it is marked as ours."""
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
    """Into a database with the tables of the safety backup, and without its rows, indexes and triggers."""
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
    "Dump it, with its fingerprint",
    changes="the store: a new folder, without a manifest yet",
    takes=Time.DATABASE,
    gates=(is_production_server,),
    proof=_of_delta(dump_reads),
    stays="A half-written dump ends in `.partial`; nothing takes it for a backup.",
    again=True,
)
def dump(c: RunInputs) -> list[Command]:
    """Like any backup. The keys of the rows that were deleted stand beside it, in `deleted.jsonl`."""
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
    "Seal it with its manifest",
    changes="the store: the delta gets its manifest",
    takes=Time.DATABASE,
    proof=_of_delta(backup_is_whole),
    stays="It is a copy of rows that the safety backup holds, too, and harms nobody.",
    again=True,
)
def seal(c: RunInputs) -> Command:
    """The manifest says of which backup it is a delta, so that nobody is offered it for a rollback."""
    given = {"target": c.target, "backup_id": exported(c).backup, "run": c.run, "delta_of": c.backup}
    return Tool("seal-delta", given)


@delta.step(
    "Drop the database of the delta",
    changes="production's server: the delta's database is dropped",
    gates=(is_production_server,),
    proof=delta_is_gone,
    stays="It was a copy of rows that the delta's backup holds.",
    again=True,
)
def drop(c: RunInputs) -> Command:
    """It carries this run's mark; nothing else is dropped."""
    return drop_delta(c)


delta.include(in_store, inputs=exported, prefix="delta-")
