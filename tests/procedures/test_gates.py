"""Every step that changes a database looks first whether it is the one planned for: asked of the definitions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ops.engine.command import Query, Secret, Shell, Tool
from ops.engine.plan import PlannedStep
from ops.engine.step import commands
from ops.procedures.catalog import PROCEDURES
from ops.procedures.promote import rollback_hint
from tests.procedures.test_catalog import shipped

# What each gate is given that only the planned server has.
IDENTITY = {"check_identity.sql": "system", "check_clone.sql": "system", "check_not_production.sql": "planned"}
# It refuses by itself what does not carry the mark of this run.
GUARDED = {"drop_database.sql"}
# They look at no database.
FILES_ONLY = {"rm", "install", "test", "grep", "mkdir"}


def touched(step: PlannedStep) -> Iterator[str]:
    """The targets whose server a step's commands work on, but for what refuses by itself."""
    own = (step.inputs.deploy.command, step.inputs.health.command if step.inputs.health else ())
    for command in step.commands:
        if isinstance(command, Query) and command.file not in GUARDED:
            yield command.target
        if isinstance(command, Shell) and command.words not in own:
            secrets = [value.target for value in command.env.values() if isinstance(value, Secret)]
            yield from secrets or ([] if command.words[0] in FILES_ONLY else [command.target])


def looked_at(step: PlannedStep) -> set[str]:
    """The targets whose server a gate compares with the planned one."""
    c, found = step.inputs, set()
    for command in (command for gate in step.gates for command in gate.commands):
        if isinstance(command, Query) and command.file in IDENTITY:
            planned = c.test_server.system if command.target == c.test else c.system
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


# What is asked right before production is changed; each has tests of what it refuses.
ASKED = (
    "is_production backup_is_whole certificate_holds way_back_is_proved app_talks_to_production settings_are_ours",
    {
        "promote.freeze": "window_is_open losses_are_declared room_for_last no_writers",
        "promote.migrate": "window_still_open freeze_as_measured rest_is_rehearsed losses_are_declared nothing_written",
    },
)


@pytest.mark.parametrize("situation", ["with everything", "not frozen"])
@pytest.mark.parametrize("name", ["release", "promote"])
def test_production_is_changed_only_when_all_of_this_was_asked(name: str, situation: str) -> None:
    steps = {step.name: step for step in shipped(name, "lessons", situation).steps}
    assert ("promote.freeze" in steps) == (situation == "with everything")
    for step, more in ASKED[1].items():
        if step in steps:
            asked = {gate.check.name for gate in steps[step].gates}
            assert asked == {*ASKED[0].split(), *more.split()}, step
    migrate = steps["promote.migrate"]
    # Before a lock is waited for again, and before an interrupted run goes on.
    assert [one.check.name for one in migrate.repeatable] == ["is_atomic", "only_indexes", "is_as_before"]
    assert migrate.untouched and migrate.step.again
    left = [command.name if isinstance(command, Tool) else "" for command in migrate.untouched.commands]
    assert left[-1] == ("check-as-before" if migrate.inputs.frozen else "check-atomic")


@pytest.mark.parametrize("situation", ["with everything", "not frozen"])
@pytest.mark.parametrize("name", ["release", "promote"])
def test_whether_production_is_frozen_is_told_as_planned(name: str, situation: str) -> None:
    """A freeze lets what nobody could have written be compared whole, and the last backup be the way back."""
    plan = shipped(name, "lessons", situation)
    frozen = plan.inputs.frozen
    gates = [command for step in plan.steps for gate in step.gates for command in gate.commands]
    every = [*gates, *(command for step in plan.steps for command in step.commands)]
    told = {one.name: one.options["frozen"] for one in every if isinstance(one, Tool) and "frozen" in one.options}
    assert set(told) == {"check-window", "check-freeze", "hold-production", "verify-production"}
    assert set(told.values()) == {"yes" if frozen else "no"}
    last = f"{plan.inputs.run}_last" if frozen else plan.inputs.backup
    assert rollback_hint(plan.inputs) == f"inv rollback --target=lessons --backup={last}"
    explained = next(step.step.explain for step in plan.steps if step.name == "promote.migrate")
    assert explained
    assert [getattr(one, "options", {}).get("backup_id") for one in commands(explained, plan.inputs)] == [last]


def test_a_step_without_its_gate_is_found() -> None:
    from dataclasses import replace

    steps = shipped("release", "lessons", "with everything").steps
    found = [step.name for step in steps if not unguarded(step) and unguarded(replace(step, gates=()))]
    assert {"clone.restore", "clone.swap", "migrate-test.migrate", "promote.freeze", "promote.migrate"} <= set(found)
