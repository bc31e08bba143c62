"""rollback: production becomes again what a backup holds; nothing of what is there now is lost."""

from __future__ import annotations

from collections.abc import Sequence

from ops.command import Command, Query, Shell, Tool
from ops.inputs import Inputs
from ops.procedures.backup import (
    backup,
    backup_is_whole,
    in_store,
    is_production,
    is_production_server,
    restore_words,
    server_room,
)
from ops.procedures.delta import delta, shown
from ops.procedures.health import deploy_words, is_healthy
from ops.procedures.promote import FROZEN, freeze_now, is_frozen, takes_writes, unfreeze_now
from ops.procedures.swapped import replaced_back
from ops.step import Procedure, check, commands
from ops.tools.loss import AS_SHOWN

IF_FREEZES = "Only with `--freeze`, or with `freeze: always` in the inventory, and where production is not frozen yet."

rollback = Procedure(
    "rollback",
    "Roll production back to a backup",
    """Brings production back to what a backup holds, after a release that went wrong. Restores the backup beside
    production, proves it, says exactly which rows were written since and would be set aside, backs the present state
    up, and then exchanges the two by name within milliseconds. What was live is kept.""",
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
    return c.whole(f"{c.run}_safety")


def kept_safety(c: Inputs) -> Inputs:
    """The same when it goes into the store."""
    return safety(c).model_copy(update={"remote": c.remote})


def shown_state(c: Inputs) -> str:
    """The fingerprint of production when that preview was made."""
    return safety(c).fingerprint if c.freezes else f"{c.run_folder}/previewed.jsonl"


@check("There is room for a copy beside production, as far as the server's disk can be seen", "inv status")
def room_beside(c: Inputs) -> Command:
    """A disk that fills up stops the whole server, and production with it."""
    return server_room(c, c.target, c.database)


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


@check("Owner, grants, settings and connection limit are those of the live database", "inv resume")
def is_carried(c: Inputs) -> Command:
    """They belong to a database and not to its name."""
    return Query("check_carried.sql", c.target, "postgres", {"source": c.database, "name": c.restored})


@check("The application is healthy", "look at the application's log, then inv resume")
def is_healthy_again(c: Inputs) -> Sequence[Command]:
    """A deploy command can end with 0 and leave an application that does not start."""
    return commands(is_healthy.act, c.model_copy(update={"frozen": c.frozen or c.freezes}))


def drop_restored(c: Inputs) -> Command:
    """Removes what was restored beside production; it carries this run's mark and was never live."""
    return Query("drop_database.sql", c.target, "postgres", {"name": c.restored, "marker": c.restored_marker})


def swap_back(c: Inputs) -> list[Command]:
    """The replaced database takes the live name again; the restored one is kept aside, with what was written to it, and
    it is told how much that is."""
    told = {"target": c.target, "undone": c.undone, "before": c.fingerprint, "report": f"{c.run_folder}/undone.jsonl"}
    return [*replaced_back(c, aside=c.undone), Tool("loss-undone", told)]


@rollback.step("Look at what is there now", gates=(is_production, backup_is_whole), reads=True, again=True)
def look(c: Inputs) -> list[Command]:
    """Takes the fingerprint of the live database, and says in which tables it differs from the backup: the first
    glance, before the backup is restored."""
    found = f"{c.run_folder}/live.jsonl"
    return [
        Query("fingerprint.sql", c.target, output=found),
        Tool("loss-glance", {"before": c.fingerprint, "after": found}),
    ]


@rollback.step(
    "Restore the backup beside production",
    gates=(is_production, backup_is_whole, room_beside),
    proof=restored_equals_backup,
    undo=drop_restored,
    again=True,
)
def restore(c: Inputs) -> list[Command]:
    """Into a database of its own on production's server, with owners and grants. Production goes on meanwhile, and
    nothing about it is changed."""
    created = {"name": c.restored, "like": c.database, "marker": c.restored_marker, "run": c.run}
    words = restore_words(c, c.target, c.restored)
    return [Query("create_database.sql", c.target, "postgres", created), Shell(words, c.target)]


def counted(c: Inputs, live: str, report: str) -> dict[str, str]:
    """What the comparison of the live database with the restored one is told."""
    return {
        "target": c.target,
        "database": c.restored,
        "backup_id": c.backup,
        "before": c.fingerprint,
        "after": live,
        "report": f"{c.run_folder}/{report}.json",
    }


@rollback.step("Show what would be set aside", reads=True, again=True)
def preview(c: Inputs) -> list[Command]:
    """Compares the live database with the restored one, row by row where a table differs: what was inserted, updated
    and deleted since that backup, with keys. It is not lost, since the live database is kept aside; but it will not be
    live. All keys are in the run's folder: `loss.json`, and `loss/`."""
    live = f"{c.run_folder}/previewed.jsonl"
    return [
        Query("snapshot.sql", c.target, output=f"{c.run_folder}/since.txt"),
        Query("fingerprint.sql", c.target, output=live),
        Tool("loss-preview", counted(c, live, "loss")),
    ]


@rollback.step(
    "Freeze production",
    gates=(is_production,),
    proof=is_frozen,
    undo=unfreeze_now,
    again=True,
    confirm=True,
    meanwhile=FROZEN,
    when=lambda c: c.freezes,
    only=IF_FREEZES,
)
def freeze(c: Inputs) -> Command:
    """Every new session is read-only and the old ones end: nothing can be written any more that the safety backup does
    not hold."""
    return freeze_now(c)


rollback.include(backup, inputs=safety, prefix="safety-", label="Safety backup: ")


@rollback.step(
    "Count again under the freeze", reads=True, again=True, fact="RECOUNT", when=lambda c: c.freezes, only=IF_FREEZES
)
def recount(c: Inputs) -> Command:
    """What was written between the preview and the freeze was not shown. Where there is any, it is told now, and the
    name is asked for again."""
    more = {"shown": f"{c.run_folder}/loss.json"}
    return Tool("loss-recount", counted(c, safety(c).fingerprint, "recount") | more)


@rollback.step(
    "Carry over grants and settings",
    gates=(is_production_server,),
    proof=is_carried,
    stays="They are settings of the database that was restored beside production.",
    again=True,
)
def carry_over(c: Inputs) -> Command:
    """Grants, connection limit and per-database settings do not follow a name; neither does a freeze."""
    return Query("carry_over.sql", c.target, "postgres", {"source": c.database, "name": c.restored})


@rollback.step(
    "Swap it in",
    gates=(is_production_server,),
    proof=restored_is_live,
    undo=swap_back,
    again=True,
    confirm=True,
    doubted=lambda facts: "RECOUNT" in facts and not facts["RECOUNT"].startswith(AS_SHOWN),
    data="the restored database is live, and the former one is kept aside",
)
def swap(c: Inputs) -> Command:
    """Closes the live database to new sessions, ends the old ones, and exchanges the names in one transaction.
    Clients are away for milliseconds, whatever the size. If it is cut off by hand, run it again: production may be
    closed until then, and it finishes what is left."""
    return Query("swap.sql", c.target, "postgres", {"live": c.database, "incoming": c.restored, "aside": c.replaced})


@rollback.step("Account for what was written until the swap", reads=True, again=True)
def account(c: Inputs) -> Command:
    """What was written after the preview was not shown, and is not live: it is in the replaced database. That is opened
    for as long as it is read; what is found is counted and named, and how to bring it back."""
    return Tool(
        "loss-account",
        {
            "target": c.target,
            "replaced": c.replaced,
            "before": c.fingerprint,
            "after": shown_state(c),
            "since": f"{c.run_folder}/since.txt",
            "shown": shown(c),
            "safety": safety(c).fingerprint,
            "run": c.run,
            "report": f"{c.run_folder}/account.json",
        },
    )


@rollback.step(
    "Deploy the release that belongs to the backup",
    proof=is_healthy_again,
    stays="Deploy the other release again by your own deploy command after `inv undo`.",
    again=True,
    when=lambda c: c.deploys and bool(c.release),
    only="Only where the inventory has a `deploy` command and the manifest a commit.",
)
def deploy(c: Inputs) -> Command:
    """The old schema needs the old code."""
    return deploy_words(c, back=True)


@rollback.step(
    "Let production take writes again",
    gates=(is_production,),
    proof=takes_writes,
    stays="`inv freeze` makes it read-only again.",
    again=True,
    ends=FROZEN,
    when=lambda c: c.freezes,
    only=IF_FREEZES,
)
def unfreeze(c: Inputs) -> Command:
    """The way back is through."""
    return unfreeze_now(c)


rollback.include(in_store, inputs=kept_safety, prefix="safety-", label="Safety backup: ")
rollback.include(delta, when=lambda c: c.export, label="Delta: ", only="Only with `--export`.")
