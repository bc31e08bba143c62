"""rollback: production becomes again what a backup holds; nothing of what is there now is lost."""

from __future__ import annotations

from ops.command import Command, Query, Shell, Tool
from ops.inputs import Inputs
from ops.procedures.backup import backup, backup_is_whole, is_production, restore_words
from ops.procedures.promote import deploy_words, is_healthy
from ops.step import Procedure, check

rollback = Procedure(
    "rollback",
    "Roll production back to a backup",
    """Brings production back to what a backup holds, after a release that went wrong. Says first what is different
    now, backs the present state up, restores the backup beside production, proves it, and then exchanges the two by
    name within milliseconds. What was live is kept.""",
    """Until the swap production is untouched, and `inv undo` removes what was restored beside it. After the swap,
    `inv undo` swaps back. What was live before is kept as `…_replaced_…`, and a safety backup of it was taken.""",
    task="inv rollback --backup=latest",
    afterwards=lambda c: (
        f"inv unfreeze --target={c.target}   since production is still frozen"
        if c.frozen
        else "inv undo   swaps the replaced database back in"
    ),
)


def safety(c: Inputs) -> Inputs:
    """The inputs of the safety backup."""
    return c.model_copy(update={"backup": f"{c.run}_safety"})


@check("The restored database equals the backup: every table, every sequence", "inv resume")
def restored_equals_backup(c: Inputs) -> list[Command]:
    """What is swapped in must be what was dumped."""
    found = f"{c.run_folder}/restored.jsonl"
    return [
        Query("fingerprint.sql", c.target, c.restored, output=found),
        Tool("same-fingerprint", {"before": c.fingerprint, "after": found}),
    ]


@check("The live database is the restored one, and open", "inv resume")
def restored_is_live(c: Inputs) -> Command:
    """The mark inside the server says which run restored it."""
    given = {"live": c.database, "incoming": c.restored, "marker": c.restored_marker}
    return Query("check_swapped.sql", c.target, "postgres", given)


@check("The server is the one that was planned for", "inv status")
def is_production_server(c: Inputs) -> Command:
    """Asked on another database of the server: the live one may be closed by a swap that was interrupted."""
    given = {"system": c.system, "database": c.database}
    return Query("check_identity.sql", c.target, "postgres", given)


@check("Owner, grants, settings and connection limit are those of the live database", "inv resume")
def is_carried(c: Inputs) -> Command:
    """They belong to a database and not to its name."""
    return Query("check_carried.sql", c.target, "postgres", {"source": c.database, "name": c.restored})


def drop_restored(c: Inputs) -> Command:
    """Removes what was restored beside production; it carries this run's mark and was never live."""
    return Query("drop_database.sql", c.target, "postgres", {"name": c.restored, "marker": c.restored_marker})


def swap_back(c: Inputs) -> Command:
    """The replaced database takes the live name again; the restored one is kept aside, with what was written to it."""
    aside = c.restored.replace("_restored_", "_undone_")
    return Query("swap.sql", c.target, "postgres", {"live": c.database, "incoming": c.replaced, "aside": aside})


@rollback.step("Look at what is there now", gates=(is_production, backup_is_whole), reads=True, again=True)
def look(c: Inputs) -> Command:
    """Takes the fingerprint of the live database."""
    return Query("fingerprint.sql", c.target, output=f"{c.run_folder}/live.jsonl")


@rollback.step("Show what differs from the backup", reads=True, again=True)
def preview(c: Inputs) -> Command:
    """What was written since that backup is not in it. It is not lost: the live database is kept aside; but it will
    not be live."""
    return Tool("loss-preview", {"target": c.target, "before": c.fingerprint, "after": f"{c.run_folder}/live.jsonl"})


rollback.include(backup, inputs=safety, prefix="safety-", label="Safety backup: ")


@rollback.step(
    "Restore the backup beside production",
    gates=(is_production, backup_is_whole),
    proof=restored_equals_backup,
    undo=drop_restored,
    again=True,
    confirm=True,
)
def restore(c: Inputs) -> list[Command]:
    """Into a database of its own on production's server, with owners and grants. Production goes on meanwhile."""
    created = {"name": c.restored, "like": c.database, "marker": c.restored_marker, "run": c.run}
    words = restore_words(c, c.target, c.restored)
    return [Query("create_database.sql", c.target, "postgres", created), Shell(words, c.target)]


@rollback.step(
    "Carry over grants and settings",
    gates=(is_production_server,),
    proof=is_carried,
    stays="They are settings of the database that was restored beside production.",
    again=True,
)
def carry_over(c: Inputs) -> Command:
    """Grants, connection limit and per-database settings do not follow a name."""
    return Query("carry_over.sql", c.target, "postgres", {"source": c.database, "name": c.restored})


@rollback.step(
    "Swap it in",
    gates=(is_production_server,),
    proof=restored_is_live,
    undo=swap_back,
    again=True,
    confirm=True,
    data="the restored database is live, and the former one is kept aside",
)
def swap(c: Inputs) -> Command:
    """Closes the live database to new sessions, ends the old ones, and exchanges the names in one transaction.
    Clients are away for milliseconds, whatever the size."""
    return Query("swap.sql", c.target, "postgres", {"live": c.database, "incoming": c.restored, "aside": c.replaced})


@rollback.step(
    "Deploy the release that belongs to the backup",
    proof=is_healthy,
    stays="Deploy the other release again by your own deploy command after `inv undo`.",
    again=True,
    when=lambda c: bool(c.deploy) and bool(c.release),
    only="Only where the inventory has a `deploy` command and the manifest a commit.",
)
def deploy(c: Inputs) -> Command:
    """The old schema needs the old code."""
    return deploy_words(c)
