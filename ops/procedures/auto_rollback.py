"""auto-rollback: a release that failed takes production back by itself, and proves that nothing was lost."""

from __future__ import annotations

from ops.command import Command, Query, Tool
from ops.inputs import Inputs
from ops.procedures.backup import is_production
from ops.procedures.promote import takes_writes, unfreeze_now
from ops.procedures.rollback import rollback
from ops.step import Procedure

auto_rollback = Procedure(
    "auto-rollback",
    "Take a failed release back",
    """What `inv release --auto-rollback` does by itself when production was migrated and something is wrong: a whole
    rollback to the last backup of that release, which was taken while production was frozen. It then proves row for row
    that production is what it was right before the migrations, and lets it take writes again. Only where the release
    froze production before its last backup: otherwise rows could be lost, and a person decides.""",
    """Production stays frozen until this has come to its end, so nothing is lost meanwhile: `inv resume` goes on with
    it. After the swap, `inv undo` swaps the migrated database back.""",
    task="inv release --auto-rollback",
    afterwards=lambda c: f"inv status --target={c.target}   then mend what failed, and release again",
)
auto_rollback.include(rollback)


@auto_rollback.step("Take the fingerprint of production once more", reads=True, again=True)
def look_again(c: Inputs) -> Command:
    """What every table holds now that it is back."""
    return Query("fingerprint.sql", c.target, output=f"{c.run_folder}/production-again.jsonl")


@auto_rollback.step("Prove that production is what it was before the release", reads=True, again=True)
def prove(c: Inputs) -> Command:
    """Every table, row for row, and every sequence, against the fingerprint that the release took of production right
    before its migrations: nothing was lost."""
    before = f"{c.folder}/runs/{c.failed_run}/production-before.jsonl"
    return Tool("check-as-before", {"before": before, "after": f"{c.run_folder}/production-again.jsonl"})


@auto_rollback.step(
    "Let production take writes again",
    gates=(is_production,),
    proof=takes_writes,
    stays="`inv freeze` makes it read-only again.",
    again=True,
)
def unfreeze(c: Inputs) -> Command:
    """It is as before; users can go on."""
    return unfreeze_now(c)
