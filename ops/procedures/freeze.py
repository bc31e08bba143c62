"""Freeze production and let it take writes again: as procedures of their own, and as steps of others."""

from __future__ import annotations

from ops.engine.command import Command, Query, Tool
from ops.engine.effects import Effect, StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, check
from ops.procedures.checks import is_production

FROZEN = "production is frozen: reading works, writing is refused"


@check("Nobody could write to a frozen production whom this role can't stop", "inv doctor")
def no_writers(c: RunInputs) -> Command:
    """A prepared transaction, a subscription, a role with a setting of its own, or a session that is not ours to end
    would go on writing. It is looked for before anything is changed, and before anybody's session is ended."""
    return Tool("check-writers", {"target": c.target})


@check("New sessions of production are read-only", "inv resume")
def is_frozen(c: RunInputs) -> Command:
    """A write between the last backup and the migration would be lost by a rollback."""
    return Query("check_frozen.sql", c.target, parameters={"wanted": "on"})


@check("New sessions of production may write", "inv unfreeze")
def takes_writes(c: RunInputs) -> Command:
    """A production that stays read-only is an outage."""
    return Query("check_frozen.sql", c.target, parameters={"wanted": "off"})


def freeze_now(c: RunInputs) -> Command:
    """Production refuses writes."""
    return Query("freeze.sql", c.target, "postgres", parameters={"live": c.database})


def unfreeze_now(c: RunInputs) -> Command:
    """Production takes writes again."""
    return Query("unfreeze.sql", c.target, "postgres", parameters={"live": c.database})


FREEZES = {
    "changes": "production: it refuses writes",
    "does": (StepEffect.FREEZES,),
    "proof": is_frozen,
    "undo": unfreeze_now,
    "again": True,
    "confirm": True,
}
UNFREEZES = {
    "changes": "production: it takes writes",
    "does": (StepEffect.UNFREEZES,),
    "gates": (is_production,),
    "proof": takes_writes,
    "stays": "`inv freeze` makes it read-only again.",
    "again": True,
}

freeze = Procedure(
    "freeze",
    "Freeze production",
    "Makes production refuse writes: reading goes on. For when something eats data and nobody knows yet what.",
    "`inv unfreeze` takes it back at any time.",
    afterwards=lambda c: f"inv unfreeze --target={c.target}   as soon as it may write again",
    effects=(Effect.MINOR,),
    needs=(Need.PRODUCTION,),
    changes_production=True,
)
unfreeze = Procedure(
    "unfreeze",
    "Let production take writes again",
    "Takes a freeze back; also one that a run left behind whose operator has vanished.",
    "It is safe to repeat.",
    effects=(Effect.MINOR,),
    needs=(Need.PRODUCTION,),
    changes_production=True,
)


@freeze.step("Freeze production", gates=(is_production, no_writers), **FREEZES)
def refuse_writes(c: RunInputs) -> Command:
    """Every new session is read-only, and the old ones end."""
    return freeze_now(c)


@unfreeze.step("Let production take writes again", confirm=True, **UNFREEZES)
def take_writes(c: RunInputs) -> Command:
    """New sessions may write again."""
    return unfreeze_now(c)
