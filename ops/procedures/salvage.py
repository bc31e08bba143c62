"""salvage: lost rows of a table come back from a backup; what was written since stays as it is."""

from __future__ import annotations

import json

from ops.engine.command import Command, Query, Shell, Tool, conninfo
from ops.engine.effects import Effect
from ops.engine.inputs import RunInputs, SalvageInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check
from ops.procedures.backup import backup, from_dump, in_store, jobs, kept_safety, safety
from ops.procedures.checks import backup_is_whole, is_production
from ops.procedures.restore_proof import created_beside
from ops.procedures.trial_beside import SAID
from ops.recovery.salvage.names import join, schema_and_name

salvage = Procedure(
    "salvage",
    "Bring lost rows back from a backup",
    """Brings back rows that a migration or a person deleted: restores the backup beside production, lays its rows
    beside the live ones, shows what would come back, and inserts only what is missing, in one transaction. What was
    written since stays as it is; a row whose key or value another one has is listed and left alone. Links that were
    emptied when their row went lead to it again.""",
    """Until "Bring them back" production is untouched. That step is one transaction: it has come to its end, or nothing
    of it is there. `inv undo` takes away exactly the rows that came and empties the links again, unless somebody has
    changed them since; a safety backup was taken before.""",
    task="inv salvage --backup=ID --table=TABLE",
    afterwards=lambda c: f"inv undo --run={c.run}   takes away again exactly what came back",
    effects=(Effect.SAVES, Effect.SALVAGES),
    needs=(Need.PRODUCTION, Need.BESIDE_PRODUCTION, Need.BACKUP_TO_SALVAGE),
    restores=True,
)


def wanted(c: RunInputs) -> SalvageInputs:
    """The tables; a plan without them can't be."""
    if c.salvage is None:
        raise ValueError("a salvage without tables")
    return c.salvage


def options(c: RunInputs) -> dict[str, str]:
    """What every tool of a salvage is told."""
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


@check("The restored tables equal the backup's", "inv resume")
def tables_equal_backup(c: RunInputs) -> list[Command]:
    """What is inserted must be what was dumped."""
    after, found = f"{c.run_folder}/aside.jsonl", wanted(c)
    names = join((name, name) for name in found.sources)
    return [
        Query("fingerprint.sql", c.target, c.names.salvage, {"objects": "yes"}, output=after),
        Tool("same-tables", {"before": c.fingerprint, "after": after, "tables": names}),
    ]


@check("Every row of the backup's tables is live, or on the list of those that stay out", "inv resume")
def rows_are_back(c: RunInputs) -> Command:
    """A transaction that ended says nothing of what it did."""
    return Tool("salvage-check", options(c))


@check("What was restored beside production is gone", "inv resume")
def aside_is_gone(c: RunInputs) -> Command:
    """It would only fill the disk."""
    return Query("check_gone.sql", c.target, "postgres", {"name": c.names.salvage})


def drop_aside(c: RunInputs) -> Command:
    """Removes what was restored beside production; it carries this run's mark and was never live."""
    return Query("drop_database.sql", c.target, "postgres", {"name": c.names.salvage, "marker": c.names.salvage_marker})


def remove(c: RunInputs) -> Command:
    """Deletes exactly the rows that came back, by their keys, and empties the links again; refused where somebody has
    changed one since, or leads to it."""
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
    """Into a database of its own on production's server: the tables that are needed, with their rows; no index and no
    trigger. Whatever else can't be made there is named, and left out."""
    where = f"--dbname=service={c.target} dbname={conninfo(c.names.salvage)}"
    bare = ("--no-owner", "--no-privileges", "--no-comments", "--no-publications", "--no-subscriptions")
    words = ("pg_restore", *bare, "--no-security-labels", "--no-password", where)
    found, place = wanted(c).sources, {"server": c.target, "database": c.names.salvage, "before": c.fingerprint}
    said, names = f"{c.run_folder}/aside.txt", join((name, name) for name in found)
    rows: list[tuple[str, ...]] = [
        ("--section=data", f"--schema={schema}", f"--table={name}")
        for schema, name in map(schema_and_name, dict.fromkeys(found))
    ]
    return [
        created_beside(c, c.names.salvage, c.names.salvage_marker),
        Shell(("sh", "-c", SAID, "try", said, *from_dump(c, *words, "--section=pre-data")), c.target),
        Tool("need-tables", {**place, "said": said, "tables": names}),
        Tool("loosen-checks", {**place, "report": f"{c.run_folder}/aside.checks"}),
        *(
            Shell(from_dump(c, *words, "--exit-on-error", *one), c.target)
            for one in rows or [("--section=data", *jobs(c))]
        ),
    ]


@salvage.step("Count what would come back", takes=Time.DATABASE, gates=(is_production,), reads=True, again=True)
def count(c: RunInputs) -> Command:
    """Lays the backup's rows beside the live ones: which are missing, whose key another row has, which links were
    emptied. The server lets this session change nothing. All of it stands in `salvage.json` in the run's folder."""
    return Tool("salvage-count", options(c))


@salvage.step(
    "Bring them back",
    changes="production: the missing rows",
    takes=Time.DATABASE,
    gates=(is_production,),
    proof=rows_are_back,
    undo=remove,
    again=True,
    confirm=True,
    retries=lambda c: c.locks.retries,
    data="the rows that were missing are back in production",
)
def bring(c: RunInputs) -> Command:
    """One transaction: the tables take no other writes while it decides once more and inserts; their own triggers and
    rules rest, foreign keys are checked, sequences go up to the highest key. Never more than was shown. What did not
    come back stands in `left-out.jsonl`."""
    return Tool("salvage-insert", {**options(c), "lock_timeout": f"{c.locks.timeout:g}"})


@salvage.step(
    "Drop what was restored beside production",
    changes="production's server: the database beside production is dropped",
    gates=(is_production,),
    proof=aside_is_gone,
    stays="It was a copy of the backup, and the backup stays.",
    again=True,
)
def drop(c: RunInputs) -> Command:
    """It carries this run's mark; nothing else is dropped."""
    return drop_aside(c)


salvage.include(in_store, inputs=kept_safety, prefix="safety-", label="Safety backup: ")
