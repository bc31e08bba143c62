"""rollback-to-replaced and discard-replaced: what becomes of a database that a rollback has kept."""

from __future__ import annotations

from ops.engine.command import Command, Query, Shell, Tool
from ops.engine.effects import Effect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check
from ops.procedures.backup import backup, in_store, kept_safety, safety
from ops.procedures.checks import is_production, is_production_server
from ops.procedures.deploy import deploy_words, is_healthy
from ops.procedures.rollback import replaced_back

to_replaced = Procedure(
    "rollback-to-replaced",
    "Swap a replaced database back in",
    """Makes a database live again that a rollback has replaced and kept, when its `inv undo` is past: it turns out days
    later that what was replaced was right. Says table by table what differs, backs the present state up, gives the kept
    one the live one's owner, grants and settings, and exchanges the two by name within milliseconds. What was written
    since the rollback is not in the kept one: it stays in what was live until then, which is kept in turn, and in the
    safety backup.""",
    """Until the swap production is untouched, and `inv undo` closes the kept database again. After the swap, `inv undo`
    swaps back.""",
    task="inv rollback --to-replaced=$KEPT",
    afterwards=lambda c: f"inv undo --target={c.target}   swaps back; {c.names.replaced} is kept",
    effects=(Effect.REPLACES, Effect.SAVES, Effect.KEEPS),
    needs=(Need.PRODUCTION, Need.KEPT_TO_SWAP_IN),
    changes_production=True,
)

discard = Procedure(
    "discard-replaced",
    "Remove a replaced database",
    """Removes one database that a rollback has replaced and kept, when nobody will want it back: only by its exact
    name, typed again, only when it has been kept for as long as the inventory's `keep_replaced` says, and only while
    nobody is connected. Nothing else is touched; the backups stay.""",
    """A check that does not hold changes nothing. Once it is dropped, nothing brings it back but a backup: the safety
    backup of the run that replaced it holds what was live then (`inv backups`).""",
    task="inv discard-replaced $KEPT",
    word=lambda c: c.kept.name,
    needs=(Need.PRODUCTION, Need.KEPT_TO_DISCARD),
)


def _given(c: RunInputs) -> dict[str, str]:
    return {"name": c.kept.name, "oid": c.kept.oid, "live": c.database}


@check("The kept database is the one that was planned for, and nobody is connected to it", "inv status")
def kept_is_there(c: RunInputs) -> Command:
    """A name says little: the number of the database on its server tells whether it is still the same one."""
    return Query("check_kept.sql", c.target, "postgres", _given(c))


@check("A run of this target has kept it", "inv status")
def kept_is_ours(c: RunInputs) -> Command:
    """Somebody's own database may have such a name."""
    return Tool("check-kept", {"target": c.target, "name": c.kept.name})


@check("It is kept for long enough, and no run needs it", "inv status")
def may_be_discarded(c: RunInputs) -> Command:
    """Most mistakes are seen within days."""
    return Tool("check-discard", {"target": c.target, "name": c.kept.name})


@check("The kept database is closed to connections", "inv resume")
def kept_is_closed(c: RunInputs) -> Command:
    """What is written to it, nobody would look for."""
    return Query("check_closed.sql", c.target, "postgres", {"name": c.kept.name})


@check("Its fingerprint is taken, and it is closed to connections again", "inv resume")
def kept_was_seen(c: RunInputs) -> list[Command]:
    """Left open, somebody could write to it."""
    return [
        Shell(("test", "-s", f"{c.run_folder}/kept.jsonl"), c.target),
        Query("check_closed.sql", c.target, "postgres", {"name": c.kept.name}),
    ]


@check("Owner, grants, settings, connection limit and comment are those of the live database", "inv resume")
def kept_has_settings(c: RunInputs) -> Command:
    """They belong to a database and not to its name, and may have changed since."""
    return Query("check_carried.sql", c.target, "postgres", {"source": c.database, "name": c.kept.name})


@check("The live database is the kept one, and open", "inv resume")
def kept_is_live(c: RunInputs) -> Command:
    """Its number on the server tells."""
    return Query("check_live.sql", c.target, "postgres", {"live": c.database, "oid": c.kept.oid})


@check("It is gone", "inv resume")
def kept_is_gone(c: RunInputs) -> Command:
    """A drop that was interrupted is none."""
    return Query("check_gone.sql", c.target, "postgres", {"name": c.kept.name})


@check("No sequence of the kept database gives out a number again", "inv resume")
def kept_gives_new_numbers(c: RunInputs) -> Command:
    """Two orders would have the same number."""
    return Tool("check-kept-sequences", {"target": c.target, "name": c.kept.name})


def close_kept(c: RunInputs) -> Command:
    """Closes it, and ends who is connected."""
    return Query("close_kept.sql", c.target, "postgres", _given(c))


def forget_kept(c: RunInputs) -> list[Command]:
    """The kept database is closed to connections again, if it was left open, and what was seen of it is forgotten."""
    return [close_kept(c), Shell(("rm", "-f", f"{c.run_folder}/kept.jsonl"), c.target)]


def swap_kept_back(c: RunInputs) -> list[Command]:
    """What was live until then takes its name again, with the settings of now; the kept one is kept as before."""
    return replaced_back(c, aside=c.kept.name)


@to_replaced.step(
    "Look at what is there now",
    takes=Time.DATABASE,
    gates=(is_production, kept_is_ours),
    reads=True,
    again=True,
)
def look(c: RunInputs) -> Command:
    """Takes the fingerprint of the live database."""
    return Query("fingerprint.sql", c.target, output=f"{c.run_folder}/live.jsonl")


@to_replaced.step(
    "Look at the kept database",
    changes="the kept database: open for the time of the step",
    takes=Time.DATABASE,
    gates=(is_production_server, kept_is_there, kept_is_ours),
    proof=kept_was_seen,
    undo=forget_kept,
    again=True,
)
def look_at_kept(c: RunInputs) -> list[Command]:
    """A kept database is closed to connections, so that nobody writes to it. For its fingerprint it is opened for a
    moment, for reading only, and closed again."""
    return [
        Query("open_kept.sql", c.target, "postgres", _given(c)),
        Query("fingerprint.sql", c.target, c.kept.name, output=f"{c.run_folder}/kept.jsonl"),
        close_kept(c),
    ]


@to_replaced.step("Show what differs", reads=True, again=True)
def compare(c: RunInputs) -> Command:
    """Says for each table what would not be live any more: what was written since the rollback."""
    given = {"live": f"{c.run_folder}/live.jsonl", "kept": f"{c.run_folder}/kept.jsonl"}
    return Tool("differs-from-kept", {"target": c.target, **given})


to_replaced.include(backup, inputs=safety, prefix="safety-", label="Safety backup: ")


@to_replaced.step(
    "Carry over owner, grants and settings",
    changes="the kept database: its owner, grants and settings",
    gates=(is_production_server, kept_is_there, kept_is_ours),
    proof=kept_has_settings,
    stays="They are settings of a database that is kept aside.",
    again=True,
)
def carry_over(c: RunInputs) -> Command:
    """What was changed on the live database since the rollback holds for the kept one, too: a new grant, a freeze."""
    return Query("carry_over.sql", c.target, "postgres", {"source": c.database, "name": c.kept.name})


@to_replaced.step(
    "Advance its sequences beyond the live ones",
    changes="the kept database: its sequences",
    gates=(is_production_server, kept_is_there, kept_is_ours),
    proof=kept_gives_new_numbers,
    stays="They are sequences of a database that is kept aside.",
    again=True,
)
def advance(c: RunInputs) -> Command:
    """Numbers that were given out since the rollback are known to customers, and stand in what is set aside. Where
    users go on writing until the swap, a thousand more of each are passed over; one that gave none since is left as it
    is. The kept database is opened for that moment."""
    return Tool("advance-kept", {"target": c.target, "name": c.kept.name})


@to_replaced.step(
    "Swap it in",
    changes="production: the kept database is live, the former one is kept",
    gates=(is_production_server, kept_is_there, kept_is_ours),
    proof=kept_is_live,
    undo=swap_kept_back,
    again=True,
    confirm=True,
    data="the kept database is live again, and the one that was live until then is kept aside",
)
def swap(c: RunInputs) -> Command:
    """Closes the live database to new sessions, ends the old ones, and exchanges the names in one transaction.
    Clients are away for milliseconds, whatever the size. If it is cut off by hand, run it again: production may be
    closed until then, and it finishes what is left."""
    return Query(
        "swap.sql", c.target, "postgres", {"live": c.database, "incoming": c.kept.name, "aside": c.names.replaced}
    )


@to_replaced.step(
    "Deploy the release that belongs to it",
    changes="the application: the earlier release runs",
    takes=Time.APPLICATION,
    proof=is_healthy,
    stays="Deploy the other release again by your own deploy command after `inv undo`.",
    again=True,
    when=lambda c: c.deploys and bool(c.deploy.commit),
    only="Only where the inventory has a `deploy` command, and the safety backup of the run that replaced it a commit.",
)
def deploy(c: RunInputs) -> Command:
    """The code that was there when the database was replaced, by the manifest of that run's safety backup."""
    return deploy_words(c, back=True)


to_replaced.include(in_store, inputs=kept_safety, prefix="safety-", label="Safety backup: ")


@discard.step(
    "Remove the kept database",
    changes="production's server: the kept database is dropped",
    gates=(is_production_server, kept_is_there, kept_is_closed, may_be_discarded),
    proof=kept_is_gone,
    final="A database that was dropped is gone. The safety backup of the run that replaced it holds what was live "
    "then; what was written to it afterwards is nowhere else.",
    data="a kept database was removed; the live one is untouched",
    untouched=kept_is_there,
    again=True,
    confirm=True,
)
def drop(c: RunInputs) -> Command:
    """Only this one, by its name and its number on the server, and only while it is closed. Nothing else is touched."""
    return Query("drop_kept.sql", c.target, "postgres", _given(c))
