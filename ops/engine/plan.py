"""Bind a procedure to a target: the exact commands and their digest. This module does no I/O."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from ops.engine.command import Command, Tool, facts, show
from ops.engine.inputs import RunInputs
from ops.engine.registry import TOOLS, WATCHES, misnamed
from ops.engine.step import Check, Procedure, Step, commands


@dataclass(frozen=True)
class PlannedCheck:
    """A check with its commands."""

    check: Check
    commands: tuple[Command, ...]


@dataclass(frozen=True)
class PlannedStep:
    """A step with its commands for given inputs."""

    step: Step
    inputs: RunInputs
    commands: tuple[Command, ...]
    gates: tuple[PlannedCheck, ...]
    proof: PlannedCheck | None
    undo: tuple[Command, ...]
    untouched: PlannedCheck | None
    repeatable: tuple[PlannedCheck, ...] = ()

    @property
    def name(self) -> str:
        """The journal's key."""
        return self.step.name

    @property
    def quoted(self) -> str:
        """The step's title within a sentence for people."""
        return f'"{self.step.title}"'

    def data(self) -> dict[str, object]:
        """Return the step as data for the journal and ``--plan``; it contains no secret."""
        return {
            "step": self.name,
            "title": self.step.title,
            "gates": [_check(gate) for gate in self.gates],
            "commands": [show(command) for command in self.commands],
            "proof": _check(self.proof) if self.proof else None,
            "undo": [show(command) for command in self.undo] or self.step.final or self.step.stays or None,
        }


@dataclass(frozen=True)
class Plan:
    """The steps of a run. Two plans with the same digest run the same commands in the same order."""

    procedure: Procedure
    inputs: RunInputs
    steps: tuple[PlannedStep, ...]

    def data(self) -> list[dict[str, object]]:
        """Return all steps as data."""
        return [step.data() for step in self.steps]

    @property
    def step_effects(self) -> dict[str, list[str]]:
        """The names of the steps that have each ``StepEffect``."""
        found: dict[str, list[str]] = {}
        for planned in self.steps:
            for effect in planned.step.does:
                found.setdefault(effect, []).append(planned.name)
        return found

    @property
    def digest(self) -> str:
        """sha256 of the steps as data."""
        return hashlib.sha256(json.dumps(self.data(), sort_keys=True).encode()).hexdigest()

    @property
    def confirms(self) -> bool:
        """True if a step requires the operator's confirmation."""
        return any(planned.step.confirm for planned in self.steps)

    @property
    def word(self) -> str:
        """The word that the operator types to confirm."""
        return self.procedure.word(self.inputs)


def make_plan(procedure: Procedure, inputs: RunInputs, *, checked: bool = True) -> Plan:
    """Bind a procedure to inputs and check it.

    Args:
        checked: all actions are imported, so names and options are held against them.

    Raises:
        ValueError: a definition is wrong (see ``faults``): a bug in this project, not an error in the operator's input.
    """
    plan = Plan(procedure, inputs, tuple(_bind(step, given) for step, given in procedure.steps(inputs)))
    if checked and (wrong := faults(plan)):
        raise ValueError(f"{procedure.name}: " + "; ".join(wrong))
    return plan


def faults(plan: Plan) -> list[str]:
    """Return the errors in the definitions, one sentence each: names, proofs, undo, prose, facts, actions."""
    wrong = []
    seen: set[str] = set()
    known: set[str] = set()
    for planned in plan.steps:
        step, name = planned.step, planned.name
        if name in seen:
            wrong.append(f"{name} is defined twice")
        seen.add(name)
        if not step.why or not step.title:
            wrong.append(f"{name} has no prose")
        if not step.reads and planned.proof is None:
            wrong.append(f"{name} has no proof")
        ways = [way for way in (step.undo, step.final, step.stays, step.reads) if way]
        if len(ways) != 1:
            wrong.append(f"{name} needs one of undo, final, stays and reads; it has {len(ways)}")
        used = [*planned.commands, *(command for gate in planned.gates for command in gate.commands)]
        missing = {fact for command in used for fact in facts(command)} - known
        wrong.extend(f"{name} uses {fact} before any step has found it" for fact in sorted(missing))
        if step.fact:
            known.add(step.fact)
        wrong.extend(f"{name}: {said}" for said in _misnamed(planned))
    return wrong


def _misnamed(planned: PlannedStep) -> list[str]:
    """Return the unknown names and options of the actions that a step calls."""
    step, asked = planned.step, [planned.proof, planned.untouched, *planned.gates, *planned.repeatable]
    used = [*planned.commands, *planned.undo, *commands(step.explain, planned.inputs)]
    used += [command for one in asked if one for command in one.commands]
    said = [misnamed(TOOLS, command.name, command.options) for command in used if isinstance(command, Tool)]
    if step.watch:
        watch = step.watch(planned.inputs)
        said.append(misnamed(WATCHES, watch.name, watch.options))
    return list(dict.fromkeys(filter(None, said)))


def _bind(step: Step, inputs: RunInputs) -> PlannedStep:
    return PlannedStep(
        step,
        inputs,
        commands(step.act, inputs),
        # A gate without commands does not apply to these inputs.
        tuple(gate for gate in (_planned(one, inputs) for one in step.gates) if gate.commands),
        _planned(step.proof, inputs) if step.proof else None,
        commands(step.undo, inputs),
        _planned(step.untouched, inputs) if step.untouched else None,
        tuple(_planned(one, inputs) for one in step.repeatable),
    )


def _planned(one: Check, inputs: RunInputs) -> PlannedCheck:
    return PlannedCheck(one, commands(one.act, inputs))


def _check(planned: PlannedCheck) -> dict[str, object]:
    return {
        "name": planned.check.name,
        "title": planned.check.title,
        "commands": [show(command) for command in planned.commands],
    }
