"""What is shown of a run before it begins: its plan, and what a rollback would set aside."""

from __future__ import annotations

from ops import fingerprint, loss
from ops.console import Console
from ops.errors import DONE
from ops.inputs import Inputs
from ops.opened import fingerprint_of
from ops.plan import Plan
from ops.render import plan_text
from ops.world import World


def show_plan(screen: Console, plan: Plan, differs: list[str]) -> int:
    """Show a plan; ``differs`` says in which tables the live database differs from the backup of a rollback."""
    c = plan.inputs
    if screen.as_json:
        screen.show(
            {
                "event": "plan",
                "procedure": plan.procedure.name,
                "target": c.target,
                "digest": plan.digest,
                "inputs": c.model_dump(mode="json"),
                "steps": plan.data(),
                **({"differs": differs} if plan.procedure.name == "rollback" else {}),
            }
        )
        screen.show(
            {
                "event": "outcome",
                "procedure": plan.procedure.name,
                "target": c.target,
                "run": None,
                "outcome": "done",
                "exit": DONE,
                "reason": "only planned; nothing was changed",
                "hint": "",
            }
        )
    else:
        screen.text(plan_text(plan))
        if plan.procedure.name == "rollback":
            said = "\n  ".join(["The live database differs from the backup in", *differs])
            screen.text(said if differs else "The live database equals the backup.")
    return DONE


def glance(world: World, c: Inputs) -> list[str]:
    """In which tables the live database differs from a backup: what a rollback tells first."""
    old, new = fingerprint.read(world.inventory.path(c.fingerprint)), world.private / f"glance-{c.run}.jsonl"
    return loss.glance(old, fingerprint_of(world, c.target, "", str(new)))
