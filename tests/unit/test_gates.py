"""Every step that changes a database looks first whether it is the one planned for: asked of the definitions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ops.command import Query, Secret, Shell
from ops.plan import PlannedStep
from ops.procedures.catalog import PROCEDURES
from tests.unit.test_step_plan import shipped

# What each gate is given that only the planned server has.
IDENTITY = {"check_identity.sql": "system", "check_clone.sql": "system", "check_not_production.sql": "planned"}
# It refuses by itself what does not carry the mark of this run.
GUARDED = {"drop_database.sql"}
# They look at no database.
FILES_ONLY = {"rm", "install", "test", "grep", "mkdir"}


def touched(step: PlannedStep) -> Iterator[str]:
    """The targets whose server a step's commands work on, but for what refuses by itself."""
    for command in step.commands:
        if isinstance(command, Query) and command.file not in GUARDED:
            yield command.target
        if isinstance(command, Shell) and command.words not in (step.inputs.deploy, step.inputs.health):
            secrets = [value.target for value in command.env.values() if isinstance(value, Secret)]
            yield from secrets or ([] if command.words[0] in FILES_ONLY else [command.target])


def looked_at(step: PlannedStep) -> set[str]:
    """The targets whose server a gate compares with the planned one."""
    c, found = step.inputs, set()
    for command in (command for gate in step.gates for command in gate.commands):
        if isinstance(command, Query) and command.file in IDENTITY:
            planned = c.test_system if command.target == c.test else c.system
            if planned and command.parameters[IDENTITY[command.file]] == planned:
                found.add(command.target)
    return found


def unguarded(step: PlannedStep) -> set[str]:
    return set() if step.step.reads else set(touched(step)) - looked_at(step)


@pytest.mark.parametrize("situation", ["as on the page", "with everything", "not frozen", "defanged"])
@pytest.mark.parametrize("name", PROCEDURES)
def test_a_step_that_changes_a_database_has_a_gate_on_its_server(name: str, situation: str) -> None:
    assert {step.name: unguarded(step) for step in shipped(name, "lessons", situation).steps if unguarded(step)} == {}


@pytest.mark.parametrize("name", PROCEDURES)
def test_what_the_application_does_to_a_clone_asks_for_the_clones_mark(name: str) -> None:
    for step in shipped(name, "lessons").steps:
        c = step.inputs
        writes = (
            not step.step.reads
            and c.test
            and any(isinstance(command, Shell) and Secret(c.test) in command.env.values() for command in step.commands)
        )
        files = {command.file for gate in step.gates for command in gate.commands if isinstance(command, Query)}
        assert not writes or "check_clone.sql" in files, step.name


def test_a_step_without_its_gate_is_found() -> None:
    from dataclasses import replace

    steps = shipped("release", "lessons", "with everything").steps
    found = [step.name for step in steps if not unguarded(step) and unguarded(replace(step, gates=()))]
    assert {"clone.restore", "clone.swap", "migrate-test.migrate", "promote.freeze", "promote.migrate"} <= set(found)
