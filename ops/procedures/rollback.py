"""rollback: production becomes again what a backup holds; nothing of what is there now is lost."""

from __future__ import annotations

from ops.core.errors import Code
from ops.engine.command import Command, Query, Shell, Tool
from ops.engine.effects import Effect, StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check
from ops.procedures.backup import backup, in_store, kept_safety, safety
from ops.procedures.checks import backup_is_whole, is_production, is_production_server, server_room
from ops.procedures.deploy import DEPLOYS, deploy_words
from ops.procedures.freeze import FREEZES, FROZEN, UNFREEZES, freeze_now, no_writers, unfreeze_now
from ops.procedures.promote import settings_are_ours
from ops.procedures.restore_proof import AGAIN, created_beside, equals_backup, restoring
from ops.procedures.rollback_export import delta, shown

# How much of each table the first of two stages looks at; as vacuumdb --analyze-in-stages in its second of three.
FIRST_STAGE = "10"
IF_LARGE = "Only of a large database (10 GB)."
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
    effects=(Effect.REPLACES, Effect.SAVES, Effect.KEEPS, Effect.SETS_ROWS_ASIDE),
    needs=(Need.PRODUCTION, Need.BESIDE_PRODUCTION, Need.BACKUP_TO_RESTORE),
    restores=True,
    changes_production=True,
    usual_backup="latest",
    compares=True,
)


def shown_state(c: RunInputs) -> str:
    """The fingerprint of production when that preview was made."""
    return safety(c).fingerprint if c.freezes else f"{c.run_folder}/previewed.jsonl"


@check("There is room for a copy beside production, as far as the server's disk can be seen", "inv status")
def room_beside(c: RunInputs) -> Command:
    """A disk that fills up stops the whole server, and production with it."""
    return server_room(c, c.target, c.database)


@check(
    "Production's server has all that the backup needs: roles, rights, extensions, tablespaces, version", "inv doctor"
)
def restorable(c: RunInputs) -> Command:
    """A restore that stops at the first of them has taken its time, in the middle of an incident."""
    return Tool("check-restorable", {"target": c.target, "backup_id": c.backup})


@check("The restored database equals the backup: every table, sequence and object", "inv resume")
def restored_equals_backup(c: RunInputs) -> list[Command]:
    """What is swapped in must be what was dumped."""
    return equals_backup(c, c.target, c.names.restored, "restored")


@check("The live database is the restored one, and open", "inv resume")
def restored_is_live(c: RunInputs) -> Command:
    """The mark inside the server says which run restored it."""
    given = {"live": c.database, "incoming": c.names.restored, "marker": c.names.restored_marker}
    return Query("check_swapped.sql", c.target, "postgres", given)


@check("Owner, grants, settings and connection limit are those of the live database", "inv resume")
def is_carried(c: RunInputs) -> Command:
    """They belong to a database and not to its name."""
    return Query("check_carried.sql", c.target, "postgres", {"source": c.database, "name": c.names.restored})


def advanced(c: RunInputs) -> str:
    """Where the tool itself set the restored database's sequences."""
    return f"{c.run_folder}/advanced.json"


def drop_restored(c: RunInputs) -> Command:
    """Removes what was restored beside production; it carries this run's mark and was never live."""
    return Query(
        "drop_database.sql", c.target, "postgres", {"name": c.names.restored, "marker": c.names.restored_marker}
    )


def replaced_back(c: RunInputs, *, aside: str) -> list[Command]:
    """Give the replaced database the live name again, with the owner, grants and settings that the live one has by now,
    and with sequences beyond its; that one is kept under the name ``aside``. They do nothing where it was done."""
    return [
        Query("carry_over.sql", c.target, "postgres", {"source": c.database, "name": c.names.replaced}),
        Tool("advance-kept", {"target": c.target, "name": c.names.replaced}),
        Query("swap.sql", c.target, "postgres", {"live": c.database, "incoming": c.names.replaced, "aside": aside}),
    ]


def swap_back(c: RunInputs) -> list[Command]:
    """The replaced database takes the live name again; the restored one is kept aside, with what was written to it, and
    it is told how much that is."""
    told = {"target": c.target, "undone": c.names.undone, "before": c.fingerprint, "advanced": advanced(c)}
    report = {"report": f"{c.run_folder}/undone.jsonl"}
    return [*replaced_back(c, aside=c.names.undone), Tool("loss-undone", told | report)]


@rollback.step(
    "Look at what is there now",
    takes=Time.DATABASE,
    gates=(is_production, backup_is_whole, settings_are_ours),
    reads=True,
    again=True,
)
def look(c: RunInputs) -> list[Command]:
    """Takes the fingerprint of the live database, and says in which tables it differs from the backup: the first
    glance, before the backup is restored."""
    found = f"{c.run_folder}/live.jsonl"
    return [
        Query("fingerprint.sql", c.target, output=found),
        Tool("loss-glance", {"before": c.fingerprint, "after": found}),
    ]


@rollback.step(
    "Restore the backup beside production",
    changes="production's server: a database beside production",
    takes=Time.DATABASE,
    does=(StepEffect.RESTORES,),
    reports=("excluded",),
    gates=(is_production, backup_is_whole, restorable, room_beside),
    proof=restored_equals_backup,
    undo=drop_restored,
    again=True,
    retries=lambda _: AGAIN,
)
def restore(c: RunInputs) -> list[Command]:
    """Into a database of its own on production's server, with owners and grants. Production goes on meanwhile, and
    nothing about it is changed."""
    return [
        created_beside(c, c.names.restored, c.names.restored_marker),
        *restoring(c, c.target, c.names.restored, "restored"),
    ]


@check("Statistics were gathered of every table", "inv resume")
def is_analyzed(c: RunInputs) -> Command:
    """Asked of the restored database itself."""
    return Query("check_analyzed.sql", c.target, c.names.restored)


@rollback.step(
    "Gather the restored database's statistics",
    changes="the restored database: its statistics",
    takes=Time.DATABASE,
    gates=(is_production_server,),
    proof=is_analyzed,
    stays="They are statistics of the database that was restored beside production.",
    again=True,
)
def analyze(c: RunInputs) -> Command:
    """A restore brings none, and without them a query of a moment can take minutes: they are gathered before the swap,
    not by users waiting after it. Of a large database the first of two stages: a little of each table."""
    return Query("analyze.sql", c.target, c.names.restored, {"target": FIRST_STAGE} if c.rollback.large else {})


def counted(c: RunInputs, live: str, report: str) -> dict[str, str]:
    """What the comparison of the live database with the restored one is told."""
    return {
        "target": c.target,
        "database": c.names.restored,
        "backup_id": c.backup,
        "before": c.fingerprint,
        "after": live,
        "report": f"{c.run_folder}/{report}.json",
    }


@rollback.step("Show what would be set aside", takes=Time.DATABASE, reads=True, again=True, reports=("loss",))
def preview(c: RunInputs) -> list[Command]:
    """Compares the live database with the restored one, row by row where a table differs: what was inserted, updated
    and deleted since that backup, with keys; and all else as `pg_dump` tells it: owners, grants, default privileges,
    policies, comments. It is not lost, since the live database is kept aside; but it will not be
    live. All keys are in the run's folder: `loss.json`, and `loss/`."""
    live = f"{c.run_folder}/previewed.jsonl"
    return [
        Query("snapshot.sql", c.target, output=f"{c.run_folder}/since.txt"),
        Query("fingerprint.sql", c.target, output=live),
        Tool("name-followers", {"target": c.target}),
        # Where pg_dump runs beside the database, the one here may be too old.
        *([] if c.dump.over else [Tool("compare-schemas", {"target": c.target, "database": c.names.restored})]),
        Tool("loss-preview", counted(c, live, "loss")),
    ]


@rollback.step(
    "Freeze production",
    gates=(is_production, no_writers),
    meanwhile=FROZEN,
    when=lambda c: c.freezes,
    only=IF_FREEZES,
    **FREEZES,
)
def freeze(c: RunInputs) -> Command:
    """Every new session is read-only and the old ones end: nothing can be written any more that the safety backup does
    not hold."""
    return freeze_now(c)


rollback.include(backup, inputs=safety, prefix="safety-", label="Safety backup: ")


@rollback.step(
    "Count again under the freeze",
    takes=Time.DATABASE,
    reads=True,
    again=True,
    fact="RECOUNT",
    when=lambda c: c.freezes,
    only=IF_FREEZES,
)
def recount(c: RunInputs) -> Command:
    """What was written between the preview and the freeze was not shown. Where there is any, it is told now, and the
    name is asked for again."""
    more = {"shown": f"{c.run_folder}/loss.json"}
    return Tool("loss-recount", counted(c, safety(c).fingerprint, "recount") | more)


@check("No sequence of the restored database gives out a number again", "inv resume")
def gives_new_numbers(c: RunInputs) -> Command:
    """Two orders would have the same number."""
    return Tool("check-sequences", {"target": c.target, "database": c.names.restored, "shown": shown(c)})


@rollback.step(
    "Advance its sequences beyond the live ones",
    changes="the restored database: its sequences",
    gates=(is_production_server,),
    proof=gives_new_numbers,
    stays="They are sequences of the database that was restored beside production.",
    again=True,
)
def advance(c: RunInputs) -> Command:
    """Numbers that were given out since the backup are known to customers, and stand in what was set aside. Where users
    go on writing until the swap, a thousand more of each are passed over; one that gave none since is left as it is."""
    ahead = "no" if c.read_only else "yes"
    given = {"target": c.target, "database": c.names.restored, "shown": shown(c), "ahead": ahead, "report": advanced(c)}
    return Tool("advance-sequences", given)


@rollback.step(
    "Carry over grants and settings",
    changes="the restored database: its grants and settings",
    gates=(is_production_server,),
    proof=is_carried,
    stays="They are settings of the database that was restored beside production.",
    again=True,
)
def carry_over(c: RunInputs) -> Command:
    """Grants, connection limit and per-database settings do not follow a name; neither does a freeze."""
    return Query("carry_over.sql", c.target, "postgres", {"source": c.database, "name": c.names.restored})


@rollback.step(
    "Swap it in",
    changes="production: the restored database is live, the former one is kept",
    gates=(is_production_server,),
    proof=restored_is_live,
    undo=swap_back,
    again=True,
    confirm=True,
    doubted=lambda codes: codes.get("RECOUNT", Code.AS_SHOWN) != Code.AS_SHOWN,
    data="the restored database is live, and the former one is kept aside",
)
def swap(c: RunInputs) -> Command:
    """Closes the live database to new sessions, ends the old ones, and exchanges the names in one transaction.
    Clients are away for milliseconds, whatever the size. If it is cut off by hand, run it again: production may be
    closed until then, and it finishes what is left."""
    return Query(
        "swap.sql", c.target, "postgres", {"live": c.database, "incoming": c.names.restored, "aside": c.names.replaced}
    )


@rollback.step("Account for what was written until the swap", takes=Time.DATABASE, reads=True, again=True)
def account(c: RunInputs) -> Command:
    """What was written after the preview was not shown, and is not live: it is in the replaced database. That is opened
    for as long as it is read; what is found is counted and named, and how to bring it back."""
    return Tool(
        "loss-account",
        {
            "target": c.target,
            "replaced": c.names.replaced,
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
    changes="the application: the earlier release runs",
    stays="Deploy the other release again by your own deploy command after `inv undo`.",
    when=lambda c: c.deploys and bool(c.deploy.commit),
    only="Only where the inventory has a `deploy` command and the manifest a commit.",
    **DEPLOYS,
)
def deploy(c: RunInputs) -> Command:
    """The old schema needs the old code."""
    return deploy_words(c, back=True)


@rollback.step(
    "Let production take writes again",
    ends=FROZEN,
    when=lambda c: c.freezes,
    only=IF_FREEZES,
    **UNFREEZES,
)
def unfreeze(c: RunInputs) -> Command:
    """The way back is through."""
    return unfreeze_now(c)


@check("Statistics were gathered of every table, in full detail", "inv resume")
def is_fully_analyzed(c: RunInputs) -> Command:
    """Asked of the live database itself."""
    return Query("check_analyzed.sql", c.target, parameters={"beyond": FIRST_STAGE})


@rollback.step(
    "Gather its statistics in full detail",
    changes="production: its statistics",
    takes=Time.DATABASE,
    gates=(is_production,),
    proof=is_fully_analyzed,
    stays="They are statistics, and the live database goes on meanwhile.",
    again=True,
    when=lambda c: c.rollback.large,
    only=IF_LARGE,
)
def analyze_fully(c: RunInputs) -> Command:
    """The second stage, several tables at once: users work on meanwhile, and no table is blocked."""
    where = f"--dbname=service={c.target}"
    return Shell(("vacuumdb", "--analyze-only", "--quiet", f"--jobs={c.jobs}", "--no-password", where), c.target)


rollback.include(in_store, inputs=kept_safety, prefix="safety-", label="Safety backup: ")
rollback.include(delta, when=lambda c: c.rollback.export, label="Delta: ", only="Only with `--export`.")
