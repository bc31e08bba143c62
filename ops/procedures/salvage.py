"""Define salvage: bring lost rows of a table back from a backup, without changing rows written since."""

from __future__ import annotations

import json

from ops.engine.command import Command, Query, Shell, Tool, conninfo
from ops.engine.effects import Effect
from ops.engine.inputs import RunInputs, SalvageInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check
from ops.procedures.backup import backup, from_dump, in_store, jobs, kept_safety, safety
from ops.procedures.checks import backup_is_whole, is_production, take_fingerprint
from ops.procedures.restore_proof import base_entries, base_rows, created_beside
from ops.procedures.trial_beside import SAID
from ops.recovery.salvage.names import COLUMNS, join, schema_and_name

salvage = Procedure(
    "salvage",
    "Bring lost rows back from a backup",
    """Brings back rows that a migration or a person deleted. Restores the tables of the backup into a separate database
    on production's server, compares their rows with the live rows, shows the missing rows, and inserts only those, in
    one transaction. Rows written since the backup are not changed. A missing row whose key or unique value is in use is
    listed and not inserted. A foreign key that was set to NULL when its row was deleted refers to the row again.""",
    """Before "Insert the missing rows" production is not changed. That step is one transaction: either all rows are
    inserted, or none. `inv undo` deletes exactly the inserted rows and sets the restored foreign keys to NULL again. It
    is refused if one of these rows was changed since. The safety backup holds production from before the salvage.""",
    task="inv salvage --backup=ID --table=TABLE",
    undone_by=lambda c: f"inv undo --run={c.run}   deletes exactly the inserted rows",
    effects=(Effect.SAVES, Effect.SALVAGES),
    needs=(Need.PRODUCTION, Need.BESIDE_PRODUCTION, Need.BACKUP_TO_SALVAGE),
    restores=True,
)


def wanted(c: RunInputs) -> SalvageInputs:
    """Return the tables to salvage. A plan always has them."""
    if c.salvage is None:
        raise ValueError("a salvage without tables")
    return c.salvage


def options(c: RunInputs) -> dict[str, str]:
    """Return the options that every action of a salvage gets."""
    found = wanted(c)
    return {
        "target": c.target,
        "backup_id": c.backup,
        "run": c.run,
        "aside": c.names.salvage,
        "tables": join(found.tables),
        "related": join(found.related),
        "linked": join(found.linked),
        "new_keys": "yes" if found.new_keys else "no",
        "values": json.dumps(found.values, ensure_ascii=False),
        "report": c.run_folder,
    }


def columns(c: RunInputs) -> str:
    """Return the path of the list of generated columns that are computed after the rows are restored."""
    return f"{c.run_folder}/{COLUMNS}"


@check("The restored tables equal the backup's", "inv resume")
def tables_equal_backup(c: RunInputs) -> list[Command]:
    """Prove that the rows to insert are the rows of the backup."""
    after, found = f"{c.run_folder}/aside.jsonl", wanted(c)
    names = join((name, name) for name in found.sources)
    return [
        take_fingerprint(c, c.target, c.names.salvage, output=after, objects=True),
        Tool("same-tables", {"before": c.fingerprint, "after": after, "tables": names, "columns": columns(c)}),
    ]


@check("Every row of the backup's tables is live or is listed as not inserted", "inv resume")
def rows_are_back(c: RunInputs) -> Command:
    """Compare the rows: a committed transaction does not prove which rows it inserted."""
    return Tool("salvage-check", options(c))


@check("The database with the restored tables does not exist", "inv resume")
def aside_is_gone(c: RunInputs) -> Command:
    """Detect a database that was not dropped and uses disk space."""
    return Query("check_gone.sql", c.target, "postgres", {"name": c.names.salvage})


def drop_aside(c: RunInputs) -> Command:
    """Drop the restored database, which was never live. The drop is refused without this run's mark."""
    return Query("drop_database.sql", c.target, "postgres", {"name": c.names.salvage, "marker": c.names.salvage_marker})


def remove(c: RunInputs) -> Command:
    """Delete the inserted rows by their keys, and clear the restored links.

    The undo is refused if one of these rows was changed since, or if a newer row refers to one."""
    given = {"target": c.target, "run": c.run, "report": c.run_folder, "lock_timeout": f"{c.locks.timeout:g}"}
    return Tool("salvage-remove", given)


salvage.include(backup, inputs=safety, prefix="safety-", label="Safety backup: ")


@salvage.step(
    "Restore the tables beside production",
    changes="production's server: a database beside production",
    takes=Time.DATABASE,
    reports=("excluded",),
    gates=(is_production, backup_is_whole),
    proof=tables_equal_backup,
    undo=drop_aside,
    again=True,
)
def restore(c: RunInputs) -> list[Command]:
    """Restore the tables with their rows into a separate database on production's server. Production is not changed.

    No index and no trigger is restored. Objects that cannot be created there are left out and named. Generated columns
    that call functions are computed afterwards; a table whose column cannot be computed is restored without it."""
    where = f"--dbname=service={c.target} dbname={conninfo(c.names.salvage)}"
    bare = ("--no-owner", "--no-privileges", "--no-comments", "--no-publications", "--no-subscriptions")
    words = ("pg_restore", *bare, "--no-security-labels", "--no-password", where)
    found, place = wanted(c).sources, {"server": c.target, "database": c.names.salvage, "before": c.fingerprint}
    said = f"{c.run_folder}/aside.txt"
    chosen = {"tables": join((name, name) for name in found), "columns": columns(c)}
    rows: list[tuple[str, ...]] = [
        ("--section=data", f"--schema={schema}", f"--table={name}")
        for schema, name in map(schema_and_name, dict.fromkeys(found))
    ]
    return [
        created_beside(c, c.names.salvage, c.names.salvage_marker),
        Shell(("sh", "-c", SAID, "try", said, *from_dump(c, *words, "--section=pre-data")), c.target),
        Tool("need-tables", {**place, "said": said, **chosen}),
        Tool("loosen-checks", {**place, "report": f"{c.run_folder}/aside.checks"}),
        *base_entries(c, c.target, "aside"),
        *(
            command
            for one in rows or [("--section=data", *jobs(c))]
            for command in (
                Shell(from_dump(c, *words, "--exit-on-error", *one), c.target),
                base_rows(c, c.target, "aside", *words[1:], "--exit-on-error", *one),
            )
        ),
        Tool("compute-columns", {**place, **chosen}),
    ]


@salvage.step("Count the missing rows", takes=Time.DATABASE, gates=(is_production,), reads=True, again=True)
def count(c: RunInputs) -> Command:
    """Compare the backup's rows with the live rows, in a read-only session.

    List the missing rows, the rows whose key is in use, and the foreign keys that were set to NULL. Read this list,
    `salvage.json` in the run's folder, before the next step inserts the rows."""
    return Tool("salvage-count", options(c))


@salvage.step(
    "Insert the missing rows",
    changes="production: the missing rows",
    takes=Time.DATABASE,
    gates=(is_production,),
    proof=rows_are_back,
    undo=remove,
    again=True,
    confirm=True,
    retries=lambda c: c.locks.retries,
    data="the missing rows are back in production",
)
def bring(c: RunInputs) -> Command:
    """Insert the rows that "Count the missing rows" listed, in one transaction. Insert no other rows.

    The tables refuse other writes during the transaction. A listed row that is live again is not inserted. Triggers and
    rules of the tables are disabled, foreign keys are checked, and sequences are advanced to the highest key. Rows
    that were not inserted are listed in `left-out.jsonl`."""
    return Tool("salvage-insert", {**options(c), "lock_timeout": f"{c.locks.timeout:g}"})


@salvage.step(
    "Drop the restored database",
    changes="production's server: the restored database is dropped",
    gates=(is_production,),
    proof=aside_is_gone,
    stays="The database was a copy of the backup, and the backup stays.",
    again=True,
)
def drop(c: RunInputs) -> Command:
    """Drop the database with this run's mark, and nothing else."""
    return drop_aside(c)


salvage.include(in_store, inputs=kept_safety, prefix="safety-", label="Safety backup: ")
