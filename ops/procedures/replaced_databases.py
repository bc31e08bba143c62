"""Define rollback-to-replaced and discard-replaced: swap a kept database back in, or drop it."""

from __future__ import annotations

from ops.engine.command import Command, Query, Shell, Tool
from ops.engine.effects import Effect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check
from ops.procedures.backup import backup, in_store, kept_safety, safety
from ops.procedures.checks import is_production, is_production_server, take_fingerprint
from ops.procedures.deploy import deploy_words, is_healthy
from ops.procedures.rollback import replaced_back

to_replaced = Procedure(
    "rollback-to-replaced",
    "Swap a replaced database back in",
    """Makes a kept database live again, if a rollback turns out to be wrong and can no longer be undone with `inv
    undo`. Shows the differences of each table, takes a safety backup of production, copies the live database's owner,
    grants and settings to the kept database, and swaps the two databases' names within milliseconds. The kept database
    has no rows written since the rollback. Those rows stay in the safety backup and in the former live database, which
    is retained in turn.""",
    """Before the swap production is not changed, and `inv undo` closes the kept database again. After the swap, `inv
    undo` swaps the former live database back in.""",
    task="inv rollback --to-replaced=$KEPT",
    undone_by=lambda c: f"inv undo --run={c.run}   swaps the database back in that was live before",
    effects=(Effect.REPLACES, Effect.SAVES, Effect.KEEPS),
    needs=(Need.PRODUCTION, Need.KEPT_TO_SWAP_IN),
    changes_production=True,
)

discard = Procedure(
    "discard-replaced",
    "Drop a replaced database",
    """Drops one kept database that is no longer needed. The operator types the exact name again. The database must be
    older than the inventory's `keep_replaced`, and no session may be connected to it. Nothing else is changed; the
    backups stay.""",
    """A check that does not hold changes nothing. A dropped database can be restored only from a backup: the safety
    backup of the run that replaced the database holds its state at that time (`inv backups`).""",
    task="inv discard-replaced $KEPT",
    word=lambda c: c.kept.name,
    needs=(Need.PRODUCTION, Need.KEPT_TO_DISCARD),
)


def _given(c: RunInputs) -> dict[str, str]:
    return {"name": c.kept.name, "oid": c.kept.oid, "live": c.database}


@check("The kept database is the planned one, and no session is connected to it", "inv status")
def kept_is_there(c: RunInputs) -> Command:
    """Compare the oid on the server: a database's name can be reused."""
    return Query("check_kept.sql", c.target, "postgres", _given(c))


@check("A run of this target replaced the database", "inv status")
def kept_is_ours(c: RunInputs) -> Command:
    """Refuse another program's database with a similar name."""
    return Tool("check-kept", {"target": c.target, "name": c.kept.name})


@check("The kept database is old enough, and no run needs it", "inv status")
def may_be_discarded(c: RunInputs) -> Command:
    """Wait some days before a drop: most mistakes are noticed within days."""
    return Tool("check-discard", {"target": c.target, "name": c.kept.name})


@check("The kept database is closed to connections", "inv resume")
def kept_is_closed(c: RunInputs) -> Command:
    """Prevent writes to a kept database, for which no person would search."""
    return Query("check_closed.sql", c.target, "postgres", {"name": c.kept.name})


@check("The fingerprint is taken, and the kept database is closed to connections again", "inv resume")
def kept_was_seen(c: RunInputs) -> list[Command]:
    """Detect a kept database that stays open: somebody could write to it."""
    return [
        Shell(("test", "-s", f"{c.run_folder}/kept.jsonl"), c.target),
        Query("check_closed.sql", c.target, "postgres", {"name": c.kept.name}),
    ]


@check("Owner, grants, settings, connection limit and comment are those of the live database", "inv resume")
def kept_has_settings(c: RunInputs) -> Command:
    """Compare the properties that do not follow a database's name and may have changed since the rollback."""
    return Query("check_carried.sql", c.target, "postgres", {"source": c.database, "name": c.kept.name})


@check("The kept database is live, and accepts connections", "inv resume")
def kept_is_live(c: RunInputs) -> Command:
    """Compare the oid of the live database."""
    return Query("check_live.sql", c.target, "postgres", {"live": c.database, "oid": c.kept.oid})


@check("The kept database does not exist", "inv resume")
def kept_is_gone(c: RunInputs) -> Command:
    """Detect an interrupted drop."""
    return Query("check_gone.sql", c.target, "postgres", {"name": c.kept.name})


@check("No sequence of the kept database issues a number twice", "inv resume")
def kept_gives_new_numbers(c: RunInputs) -> Command:
    """Prevent two rows with the same number."""
    return Tool("check-kept-sequences", {"target": c.target, "name": c.kept.name})


def close_kept(c: RunInputs) -> Command:
    """Close the kept database to connections, and end its sessions."""
    return Query("close_kept.sql", c.target, "postgres", _given(c))


def forget_kept(c: RunInputs) -> list[Command]:
    """Close the kept database to connections again, and remove its fingerprint from the run's folder."""
    return [close_kept(c), Shell(("rm", "-f", f"{c.run_folder}/kept.jsonl"), c.target)]


def swap_kept_back(c: RunInputs) -> list[Command]:
    """Swap the former live database back in, with the present settings. The kept database is retained as before."""
    return replaced_back(c, aside=c.kept.name)


@to_replaced.step(
    "Take the fingerprint of production",
    takes=Time.DATABASE,
    gates=(is_production, kept_is_ours),
    reads=True,
    again=True,
)
def look(c: RunInputs) -> Command:
    """Record the contents of every table of the live database."""
    return take_fingerprint(c, c.target, output=f"{c.run_folder}/live.jsonl")


@to_replaced.step(
    "Take the fingerprint of the kept database",
    changes="the kept database: open for reading during the step",
    takes=Time.DATABASE,
    gates=(is_production_server, kept_is_there, kept_is_ours),
    proof=kept_was_seen,
    undo=forget_kept,
    again=True,
)
def look_at_kept(c: RunInputs) -> list[Command]:
    """Open the kept database for reading, take its fingerprint, and close it again.

    A kept database is closed to connections so that no session writes to it."""
    return [
        Query("open_kept.sql", c.target, "postgres", _given(c)),
        take_fingerprint(c, c.target, c.kept.name, output=f"{c.run_folder}/kept.jsonl"),
        close_kept(c),
    ]


@to_replaced.step("Show the differences", reads=True, again=True)
def compare(c: RunInputs) -> Command:
    """List for each table the rows that were written since the rollback and would no longer be live."""
    given = {"live": f"{c.run_folder}/live.jsonl", "kept": f"{c.run_folder}/kept.jsonl"}
    return Tool("differs-from-kept", {"target": c.target, **given})


to_replaced.include(backup, inputs=safety, prefix="safety-", label="Safety backup: ")


@to_replaced.step(
    "Copy owner, grants and settings to the kept database",
    changes="the kept database: its owner, grants and settings",
    gates=(is_production_server, kept_is_there, kept_is_ours),
    proof=kept_has_settings,
    stays="The settings belong to the kept database, which is not live.",
    again=True,
)
def carry_over(c: RunInputs) -> Command:
    """Copy the live database's owner, grants, connection limit, settings and comment to the kept database.

    They may have changed since the rollback. A freeze is a setting, so it is copied, too."""
    return Query("carry_over.sql", c.target, "postgres", {"source": c.database, "name": c.kept.name})


@to_replaced.step(
    "Advance the kept database's sequences beyond the live ones",
    changes="the kept database: its sequences",
    gates=(is_production_server, kept_is_there, kept_is_ours),
    proof=kept_gives_new_numbers,
    stays="The sequences belong to the kept database, which is not live.",
    again=True,
)
def advance(c: RunInputs) -> Command:
    """Advance each sequence of the kept database beyond the live one.

    Numbers that were issued since the rollback are known to customers, so they must not be issued again. If users
    can write until the swap, each sequence skips 1,000 more numbers; a sequence that issued none since the rollback
    is not changed. The kept database is opened for this step."""
    return Tool("advance-kept", {"target": c.target, "name": c.kept.name})


@to_replaced.step(
    "Swap the kept database in",
    changes="production: the kept database becomes live",
    gates=(is_production_server, kept_is_there, kept_is_ours),
    proof=kept_is_live,
    undo=swap_kept_back,
    again=True,
    confirm=True,
    data="the kept database is live again, and the former live database is retained",
)
def swap(c: RunInputs) -> Command:
    """Close the live database to new sessions, end the present sessions, and exchange both names in one transaction.

    Clients are disconnected for milliseconds, independent of the size. If you run this command by hand and it is
    interrupted, run it again: production may be closed until the command has finished."""
    return Query(
        "swap.sql", c.target, "postgres", {"live": c.database, "incoming": c.kept.name, "aside": c.names.replaced}
    )


@to_replaced.step(
    "Deploy the release that belongs to the kept database",
    changes="the application: the earlier release runs",
    takes=Time.APPLICATION,
    proof=is_healthy,
    stays="After `inv undo`, deploy the other release with your own deploy command.",
    again=True,
    when=lambda c: c.deploys and bool(c.deploy.commit),
    only="Only if the inventory has a `deploy` command, and the safety backup of the replacing run names a commit.",
)
def deploy(c: RunInputs) -> Command:
    """Deploy the commit that the safety backup of the replacing run names."""
    return deploy_words(c, back=True)


to_replaced.include(in_store, inputs=kept_safety, prefix="safety-", label="Safety backup: ")


@discard.step(
    "Drop the kept database",
    changes="production's server: the kept database is dropped",
    gates=(is_production_server, kept_is_there, kept_is_closed, may_be_discarded),
    proof=kept_is_gone,
    final="A dropped database cannot be recovered. The safety backup of the replacing run holds its state at that "
    "time. Rows written to the database afterwards are lost.",
    data="a kept database was dropped; the live database is unchanged",
    untouched=kept_is_there,
    again=True,
    confirm=True,
)
def drop(c: RunInputs) -> Command:
    """Drop this database only, identified by its name and its oid, and only while it is closed to connections."""
    return Query("drop_kept.sql", c.target, "postgres", _given(c))
