"""Define rollback: restore a backup beside production and swap it in, retaining the replaced database."""

from __future__ import annotations

from ops.core.errors import Code
from ops.engine.command import Command, Query, Shell, Tool
from ops.engine.effects import Effect, StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check
from ops.procedures.backup import backup, in_store, kept_safety, safety
from ops.procedures.checks import backup_is_whole, is_production, is_production_server, server_room, take_fingerprint
from ops.procedures.deploy import DEPLOYS, deploy_words
from ops.procedures.freeze import FREEZES, FROZEN, UNFREEZES, freeze_now, no_writers, unfreeze_now
from ops.procedures.promote import settings_are_ours
from ops.procedures.restore_proof import AGAIN, created_beside, equals_backup, restoring
from ops.procedures.rollback_export import delta, shown

# The statistics target of the first of two stages, as in the second stage of vacuumdb --analyze-in-stages.
FIRST_STAGE = "10"
IF_LARGE = "Only for a large database (10 GB and more)."
IF_FREEZES = "Only with `--freeze` or `freeze: always`, and if production is not frozen yet."

rollback = Procedure(
    "rollback",
    "Roll production back to a backup",
    """Restores production from a backup after a faulty release. Restores the backup beside production, proves the
    restored database, and shows which rows were written since the backup and would be set aside. Then takes a safety
    backup of production and swaps the two databases' names within milliseconds. The replaced database is retained. To
    undo release RUN, choose `--backup=before:RUN`; `inv backups` lists all backups. Without a `deploy` command in the
    inventory, the rollback does not deploy the application's former code: deploy it yourself after the swap.""",
    """Before the swap production is not changed, and `inv undo` drops the restored database. After the swap, `inv undo`
    swaps the replaced database back in. The replaced database stays on the server as `…_replaced_…`, and the safety
    backup holds the same rows. A production that was frozen before the rollback stays frozen until `inv unfreeze`.""",
    task="inv rollback --backup=latest",
    afterwards=lambda c: f"inv unfreeze --target={c.target}   because production is still frozen" if c.frozen else "",
    undone_by=lambda c: f"inv undo --run={c.run}   swaps the replaced database back in",
    effects=(Effect.REPLACES, Effect.SAVES, Effect.KEEPS, Effect.SETS_ROWS_ASIDE),
    needs=(Need.PRODUCTION, Need.BESIDE_PRODUCTION, Need.BACKUP_TO_RESTORE),
    restores=True,
    changes_production=True,
    usual_backup="latest",
    compares=True,
)


def shown_state(c: RunInputs) -> str:
    """Return the path of production's fingerprint at the time of the last preview."""
    return safety(c).fingerprint if c.freezes else f"{c.run_folder}/previewed.jsonl"


@check("Production's server has disk space for a copy, if its disk can be measured", "inv status")
def room_beside(c: RunInputs) -> Command:
    """Prevent a full disk, which stops the complete server, including production."""
    return server_room(c, c.target, c.database)


@check(
    "Production's server has the backup's roles, rights, extensions, tablespaces and version", "inv doctor"
)
def restorable(c: RunInputs) -> Command:
    """Detect in advance what would make the restore fail during an incident."""
    return Tool("check-restorable", {"target": c.target, "backup_id": c.backup})


@check("The restored database equals the backup: every table, sequence and object", "inv resume")
def restored_equals_backup(c: RunInputs) -> list[Command]:
    """Detect an incomplete restore: pg_restore can exit with 0 without having restored everything."""
    return equals_backup(c, c.target, c.names.restored, "restored")


@check("The restored database is live, and accepts connections", "inv resume")
def restored_is_live(c: RunInputs) -> Command:
    """Compare the database's comment, which names the run that restored it."""
    given = {"live": c.database, "incoming": c.names.restored, "marker": c.names.restored_marker}
    return Query("check_swapped.sql", c.target, "postgres", given)


@check("Owner, grants, settings and connection limit are those of the live database", "inv resume")
def is_carried(c: RunInputs) -> Command:
    """Compare the properties that belong to a database and do not follow its name."""
    return Query("check_carried.sql", c.target, "postgres", {"source": c.database, "name": c.names.restored})


def advanced(c: RunInputs) -> str:
    """Return the path of the file that records how far the tool advanced the restored sequences."""
    return f"{c.run_folder}/advanced.json"


def drop_restored(c: RunInputs) -> Command:
    """Drop the restored database, which was never live. The drop is refused without this run's mark."""
    return Query(
        "drop_database.sql", c.target, "postgres", {"name": c.names.restored, "marker": c.names.restored_marker}
    )


def replaced_back(c: RunInputs, *, aside: str) -> list[Command]:
    """Swap the replaced database back in, and give the live database the name ``aside``.

    The replaced database first gets the owner, grants and settings of the live database, and its sequences are
    advanced beyond the live ones. The commands do nothing if repeated."""
    return [
        Query("carry_over.sql", c.target, "postgres", {"source": c.database, "name": c.names.replaced}),
        Tool("advance-kept", {"target": c.target, "name": c.names.replaced}),
        Query("swap.sql", c.target, "postgres", {"live": c.database, "incoming": c.names.replaced, "aside": aside}),
    ]


def swap_back(c: RunInputs) -> list[Command]:
    """Swap the replaced database back in. The restored database stays on the server under another name.

    The command reports how many rows were written to the restored database."""
    told = {"target": c.target, "undone": c.names.undone, "before": c.fingerprint, "advanced": advanced(c)}
    report = {"report": f"{c.run_folder}/undone.jsonl"}
    return [*replaced_back(c, aside=c.names.undone), Tool("loss-undone", told | report)]


@rollback.step(
    "Take the fingerprint of production",
    takes=Time.DATABASE,
    alike=("verify.after",),
    gates=(is_production, backup_is_whole, settings_are_ours),
    reads=True,
    again=True,
)
def look(c: RunInputs) -> list[Command]:
    """Take the fingerprint of the live database, and list the tables that differ from the backup."""
    found = f"{c.run_folder}/live.jsonl"
    return [
        take_fingerprint(c, c.target, output=found),
        Tool("loss-glance", {"before": c.fingerprint, "after": found}),
    ]


@rollback.step(
    "Restore the backup beside production",
    changes="production's server: a database beside production",
    takes=Time.DATABASE,
    does=(StepEffect.RESTORES,),
    alike=("clone.restore",),
    reports=("excluded",),
    gates=(is_production, backup_is_whole, restorable, room_beside),
    proof=restored_equals_backup,
    undo=drop_restored,
    again=True,
    retries=lambda _: AGAIN,
)
def restore(c: RunInputs) -> list[Command]:
    """Restore the backup into a new database on production's server, with owners and grants.

    Production stays available and is not changed."""
    return [
        created_beside(c, c.names.restored, c.names.restored_marker),
        *restoring(c, c.target, c.names.restored, "restored"),
    ]


@check("Every table has statistics", "inv resume")
def is_analyzed(c: RunInputs) -> Command:
    """Read the statistics of the restored database."""
    return Query("check_analyzed.sql", c.target, c.names.restored)


@rollback.step(
    "Gather statistics of the restored database",
    changes="the restored database: its statistics",
    takes=Time.DATABASE,
    gates=(is_production_server,),
    proof=is_analyzed,
    stays="The statistics belong to the restored database, which is not live.",
    again=True,
)
def analyze(c: RunInputs) -> Command:
    """Gather the planner's statistics before the swap: a restored database has none, and its queries are slow.

    For a large database, this is the first of two stages and samples only a few rows of each table."""
    return Query("analyze.sql", c.target, c.names.restored, {"target": FIRST_STAGE} if c.rollback.large else {})


def counted(c: RunInputs, live: str, report: str) -> dict[str, str]:
    """Return the options of the comparison of the live database with the restored one."""
    return {
        "target": c.target,
        "database": c.names.restored,
        "backup_id": c.backup,
        "before": c.fingerprint,
        "after": live,
        "report": f"{c.run_folder}/{report}.json",
    }


@rollback.step("Show what the rollback would set aside", takes=Time.DATABASE, reads=True, again=True, reports=("loss",))
def preview(c: RunInputs) -> list[Command]:
    """Compare the live database with the restored one, row by row in tables that differ.

    List the rows that were inserted, updated and deleted since the backup, with their keys, and the differences that
    `pg_dump` shows: owners, grants, default privileges, policies, comments. After the swap these rows are not live.
    They stay in the replaced database. All keys are in the run's folder, in `loss.json` and `loss/`."""
    live = f"{c.run_folder}/previewed.jsonl"
    return [
        Query("snapshot.sql", c.target, output=f"{c.run_folder}/since.txt"),
        take_fingerprint(c, c.target, output=live),
        Tool("name-followers", {"target": c.target}),
        # With pg_dump beside the database, the pg_dump on this machine may be too old.
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
    """Make every new session read-only, and end the present sessions.

    No session can write a row that the safety backup does not contain."""
    return freeze_now(c)


rollback.include(backup, inputs=safety, prefix="safety-", label="Safety backup: ")


@rollback.step(
    "Compare again under the freeze",
    takes=Time.DATABASE,
    reads=True,
    again=True,
    fact="RECOUNT",
    when=lambda c: c.freezes,
    only=IF_FREEZES,
)
def recount(c: RunInputs) -> Command:
    """Count the rows that were written between the preview and the freeze.

    If there are any, report them and ask again for the target's name."""
    more = {"shown": f"{c.run_folder}/loss.json"}
    return Tool("loss-recount", counted(c, safety(c).fingerprint, "recount") | more)


@check("No sequence of the restored database issues a number twice", "inv resume")
def gives_new_numbers(c: RunInputs) -> Command:
    """Prevent two rows with the same number."""
    return Tool("check-sequences", {"target": c.target, "database": c.names.restored, "shown": shown(c)})


@rollback.step(
    "Advance the restored sequences beyond the live ones",
    changes="the restored database: its sequences",
    gates=(is_production_server,),
    proof=gives_new_numbers,
    stays="The sequences belong to the restored database, which is not live.",
    again=True,
)
def advance(c: RunInputs) -> Command:
    """Advance each sequence of the restored database beyond the live one.

    Numbers that were issued since the backup are known to customers, so they must not be issued again. If users can
    write until the swap, each sequence skips 1,000 more numbers; a sequence that issued none since the backup is not
    changed."""
    ahead = "no" if c.read_only else "yes"
    given = {"target": c.target, "database": c.names.restored, "shown": shown(c), "ahead": ahead, "report": advanced(c)}
    return Tool("advance-sequences", given)


@rollback.step(
    "Copy grants and settings to the restored database",
    changes="the restored database: its grants and settings",
    gates=(is_production_server,),
    proof=is_carried,
    stays="The settings belong to the restored database, which is not live.",
    again=True,
)
def carry_over(c: RunInputs) -> Command:
    """Copy the grants, the connection limit and the database settings of the live database.

    They belong to a database and do not follow its name. A freeze is such a setting, so it is copied, too."""
    return Query("carry_over.sql", c.target, "postgres", {"source": c.database, "name": c.names.restored})


@rollback.step(
    "Swap the restored database in",
    changes="production: the restored database becomes live",
    gates=(is_production_server,),
    proof=restored_is_live,
    undo=swap_back,
    again=True,
    confirm=True,
    doubted=lambda codes: codes.get("RECOUNT", Code.AS_SHOWN) != Code.AS_SHOWN,
    data="the restored database is live, and the replaced database is retained",
)
def swap(c: RunInputs) -> Command:
    """Close the live database to new sessions, end the present sessions, and exchange both names in one transaction.

    Clients are disconnected for milliseconds, independent of the size. If you run this command by hand and it is
    interrupted, run it again: production may be closed until the command has finished."""
    return Query(
        "swap.sql", c.target, "postgres", {"live": c.database, "incoming": c.names.restored, "aside": c.names.replaced}
    )


@rollback.step("Count the rows written between preview and swap", takes=Time.DATABASE, reads=True, again=True)
def account(c: RunInputs) -> Command:
    """Count the rows that were written after the preview, and report how to bring them back.

    These rows were not in the preview. They are in the replaced database, which is opened while this step reads it."""
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
    stays="After `inv undo`, deploy the other release with your own deploy command.",
    when=lambda c: c.deploys and bool(c.deploy.commit),
    only="Only if the inventory has a `deploy` command and the manifest names a commit.",
    **DEPLOYS,
)
def deploy(c: RunInputs) -> Command:
    """Deploy the old code, which fits the old schema."""
    return deploy_words(c, back=True)


@rollback.step(
    "Let production take writes again",
    ends=FROZEN,
    when=lambda c: c.freezes,
    only=IF_FREEZES,
    **UNFREEZES,
)
def unfreeze(c: RunInputs) -> Command:
    """Lift the freeze at the end of the rollback."""
    return unfreeze_now(c)


@check("Every table has full statistics", "inv resume")
def is_fully_analyzed(c: RunInputs) -> Command:
    """Read the statistics of the live database."""
    return Query("check_analyzed.sql", c.target, parameters={"beyond": FIRST_STAGE})


@rollback.step(
    "Gather full statistics of production",
    changes="production: its statistics",
    takes=Time.DATABASE,
    gates=(is_production,),
    proof=is_fully_analyzed,
    stays="New statistics change no row.",
    again=True,
    when=lambda c: c.rollback.large,
    only=IF_LARGE,
)
def analyze_fully(c: RunInputs) -> Command:
    """Run the second stage in parallel jobs. The tables stay available to users."""
    where = f"--dbname=service={c.target}"
    return Shell(("vacuumdb", "--analyze-only", "--quiet", f"--jobs={c.jobs}", "--no-password", where), c.target)


rollback.include(in_store, inputs=kept_safety, prefix="safety-", label="Safety backup: ")
rollback.include(delta, when=lambda c: c.rollback.export, label="Delta: ", only="Only with `--export`.")
