"""Define freeze and unfreeze, as procedures and as steps of other procedures."""

from __future__ import annotations

from ops.engine.command import Command, Query, Tool
from ops.engine.effects import Effect, StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, check
from ops.procedures.checks import is_production

FROZEN = "production is frozen: it serves reads and refuses writes"


@check("The role in production's address can stop every session that could write to a frozen production", "inv doctor")
def no_writers(c: RunInputs) -> Command:
    """Detect writers that a freeze does not stop, before anything is changed and before any session is ended.

    These are prepared transactions, subscriptions, roles with their own setting, and sessions that this role
    may not end."""
    return Tool("check-writers", {"target": c.target})


@check("New sessions of production are read-only", "inv resume")
def is_frozen(c: RunInputs) -> Command:
    """Detect a production that still takes writes: a rollback would lose a write after the last backup."""
    return Query("check_frozen.sql", c.target, parameters={"wanted": "on"})


@check("New sessions of production may write", "inv unfreeze")
def takes_writes(c: RunInputs) -> Command:
    """Detect a production that is still read-only, which is an outage."""
    return Query("check_frozen.sql", c.target, parameters={"wanted": "off"})


def freeze_now(c: RunInputs) -> Command:
    """Make production refuse writes."""
    return Query("freeze.sql", c.target, "postgres", parameters={"live": c.database})


def unfreeze_now(c: RunInputs) -> Command:
    """Let production take writes again."""
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
    "changes": "production: it takes writes again",
    "does": (StepEffect.UNFREEZES,),
    "gates": (is_production,),
    "proof": takes_writes,
    "stays": "`inv freeze` makes production read-only again.",
    "again": True,
}

freeze = Procedure(
    "freeze",
    "Freeze production",
    "Makes production refuse writes; reading still works. Use it while rows disappear and the cause is unknown.",
    "`inv unfreeze` lifts the freeze at any time.",
    afterwards=lambda c: f"inv unfreeze --target={c.target}   when production may take writes again",
    effects=(Effect.MINOR,),
    needs=(Need.PRODUCTION,),
    changes_production=True,
)
unfreeze = Procedure(
    "unfreeze",
    "Let production take writes again",
    "Lifts a freeze, also the freeze of a run that was never finished.",
    "The command can be repeated safely.",
    effects=(Effect.MINOR,),
    needs=(Need.PRODUCTION,),
    changes_production=True,
)


@freeze.step("Freeze production", gates=(is_production, no_writers), **FREEZES)
def refuse_writes(c: RunInputs) -> Command:
    """Make every new session read-only, and end the present sessions."""
    return freeze_now(c)


@unfreeze.step("Let production take writes again", confirm=True, **UNFREEZES)
def take_writes(c: RunInputs) -> Command:
    """Let new sessions write again."""
    return unfreeze_now(c)
