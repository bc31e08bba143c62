"""Where a run can be struck: every command of every step, gate, proof and way back, as the procedures say it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ops.engine.command import Command, show
from ops.engine.plan import Plan, PlannedStep
from ops.procedures.catalog import PROCEDURES
from tests.faults.draw import drawn

PHASES = ("before", "during", "after")
# What befalls a run, by what has to be there for it: nothing, or a mount (and so root).
BLOWS = ("kill", "int", "cut", "term", "restart-fast", "hup", "restart-immediate", "crowd")
MOUNTED = ("full", "readonly", "disk")
# A signal in the middle of a program is another thing than one between two of them; a full disk is not.
DURING = ("kill", "int", "cut", "restart-immediate", "term", "restart-fast", "hup")
# They need a stage of their own, which has pgBackRest and a server that it knows.
PHYSICAL = ("backup-pgbackrest", "drill-pgbackrest", "unpack")
# Railway is in no stage; tests/system/railway/test_restore.py strikes it.
ELSEWHERE = (*PHYSICAL, "railway-restore")
# Where production itself changes: these steps of these procedures.
ON_PRODUCTION = ("promote", "rollback", "auto-rollback", "rollback-to-replaced", "freeze", "unfreeze")
CHANGES = ("freeze", "refuse_writes", "migrate", "carry_over", "swap", "unfreeze", "take_writes")


@dataclass(frozen=True)
class Place:
    """One command of a run. ``role`` is ``do``, ``undo`` or the name of a check."""

    step: str
    role: str
    index: int

    def __str__(self) -> str:
        return f"{self.step}/{self.role}/{self.index}"

    @property
    def key(self) -> str:
        """What is struck once: in the selection a check counts once, whichever steps ask for it."""
        whole = everything() or self.role in ("do", "undo")
        return str(self) if whole else f"{self.role}/{self.index}"

    @classmethod
    def read(cls, text: str) -> Place:
        """A place as it was written."""
        step, role, index = text.split("/")
        return cls(step, role, int(index))


def everything() -> bool:
    """Whether the whole cross product is asked for, and not the selection: one blow at each place."""
    return drawn().everything


def changes_production(place: Place) -> bool:
    """Whether production itself changes there: such a place is struck with every commit."""
    part, _, step = place.step.rpartition(".")
    return place.role == "do" and part in ON_PRODUCTION and step in CHANGES


def available() -> tuple[str, ...]:
    """The blows that this machine can deal."""
    return (*BLOWS, *MOUNTED) if os.geteuid() == 0 else BLOWS


def blow_at(place: Place, phase: str, only: str = "") -> str:
    """Which blow falls there: the one that is asked for, else one by the commit's hash; empty for none."""
    draw = drawn()
    if phase == "during" and only and only not in DURING:
        return ""
    key = f"{place.key} {phase}"
    if not everything() and place.role not in ("do", "undo") and phase != draw.turn(place.key, ("before", "after")):
        return ""
    # The commands of a way back are drawn with their test, and what is asked for by name is not drawn at all.
    if not only and place.role != "undo" and not changes_production(place) and not draw.takes(key):
        return ""
    return only or draw.pick(key, DURING if phase == "during" else available())


def of_step(planned: PlannedStep) -> dict[str, tuple[Command, ...]]:
    """A step's commands by role."""
    found = {"do": planned.commands, "undo": planned.undo}
    for check in (*planned.gates, *([planned.proof] if planned.proof else [])):
        found[check.check.name] = check.commands
    return found


def places(plan: Plan, *, undo: bool = False) -> Iterator[Place]:
    """Every place of a plan, on the way on or on the way back."""
    for planned in plan.steps:
        for role, commands in of_step(planned).items():
            if (role == "undo") == undo:
                yield from (Place(planned.name, role, index) for index in range(len(commands)))


class Counting:
    """Tells at which place a run is, by what it executes; a command that is executed again is no new place."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, str, str]] = Counter()

    def place(self, plan: Plan, step: str, key: str, command: Command) -> Place | None:
        """The place of a command that is about to run, or None where it ran before in this process."""
        role = "do" if key == step else "undo" if key == f"undo-{step}" else key
        text = show(command)
        turn = self.seen[step, role, text]
        self.seen[step, role, text] += 1
        planned = next((p for p in plan.steps if p.name == step), None)
        commands = of_step(planned).get(role, ()) if planned else ()
        same = [index for index, one in enumerate(commands) if show(one) == text]
        if not commands:
            # What a resume asks of steps that are done, before it comes to a step.
            return Place(step, role, 0) if turn == 0 else None
        return Place(step, role, same[turn]) if turn < len(same) else None


def chosen() -> list[str]:
    """The procedures whose steps no procedure before them has: to strike those strikes every command of all."""
    known: set[str] = set()
    names = []
    for name, procedure in PROCEDURES.items():
        if name in ELSEWHERE:
            continue
        steps = {step.name for step, _ in procedure.entries}
        if everything() or steps - known:
            names.append(name)
        known |= steps
    return names


def takes_back(name: str) -> list[str]:
    """The steps of a procedure after which an undo has something to say: what it takes back, or why it can't."""
    return [step.name for step, _ in PROCEDURES[name].entries if step.undo or step.final]
