"""freeze and unfreeze, as procedures of their own."""

from __future__ import annotations

from ops.command import Command
from ops.inputs import Inputs
from ops.procedures.backup import is_production
from ops.procedures.promote import freeze_now, is_frozen, takes_writes, unfreeze_now
from ops.step import Procedure

freeze = Procedure(
    "freeze",
    "Freeze production",
    "Makes production refuse writes: reading goes on. For when something eats data and nobody knows yet what.",
    "`inv unfreeze` takes it back at any time.",
    afterwards=lambda c: f"inv unfreeze --target={c.target}   as soon as it may write again",
)
unfreeze = Procedure(
    "unfreeze",
    "Let production take writes again",
    "Takes a freeze back; also one that a run left behind whose operator has vanished.",
    "It is safe to repeat.",
)


@freeze.step("Freeze production", gates=(is_production,), proof=is_frozen, undo=unfreeze_now, again=True, confirm=True)
def refuse_writes(c: Inputs) -> Command:
    """Every new session is read-only, and the old ones end."""
    return freeze_now(c)


@unfreeze.step(
    "Let production take writes again",
    gates=(is_production,),
    proof=takes_writes,
    stays="`inv freeze` makes it read-only again.",
    again=True,
    confirm=True,
)
def take_writes(c: Inputs) -> Command:
    """New sessions may write again."""
    return unfreeze_now(c)
