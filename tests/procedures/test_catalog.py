"""Steps and plans: each shipped definition is complete, each kind of mistake is found, a digest tells plans apart."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ops.cli import all_actions  # noqa: F401
from ops.cli.runbooks import pages
from ops.engine.command import Fact, Query, Secret, Shell, Tool
from ops.engine.effects import StepEffect
from ops.engine.hooks import HOOKS
from ops.engine.inputs import PHYSICAL, DefangInputs, HealthInputs, RunInputs
from ops.engine.old_journals import EFFECTS, STEP_EFFECTS
from ops.engine.plan import Plan, PlannedStep, faults, make_plan
from ops.engine.step import Check, Procedure, Step, Time, Watch, check, commands
from ops.infra.session.session import Session
from ops.inventory.load import load
from ops.procedures.catalog import PROCEDURES
from ops.procedures.planning.bind import bind
from ops.procedures.planning.page_inputs import Page

ROOT = Path(__file__).parents[2]
SHIPPED = load(ROOT / "inventory.yaml")
SITUATIONS: dict[str, dict[str, Any]] = {
    "as on the page": {},
    "not frozen": {"freezes": False},
    "with everything": {
        "frozen": True,
        "freezes": True,
        "rollback": {"export": True},
        "test_server": {"tidy": ("old",), "exists": False},
        "deploy": {"command": ("./deploy.sh",), "commit": "abc"},
        "health": HealthInputs(command=("curl", "x"), timeout=0),
        "release": {"pending": ("a.0002",), "checks": (("check",),)},
    },
    "defanged": {"defang": DefangInputs(digest="d"), "test": "lessons-test@rehearsal"},
    "with nothing": {"freezes": False, "release": {"checks": ()}, "deploy": {"command": (), "commit": ""}},
}
C = RunInputs(run="r1", target="shop", database="shop", store="backups", backup="b1")


def shipped(procedure: str, target: str, situation: str = "as on the page") -> Plan:
    inputs = bind(Page(Session(SHIPPED, {}), target), PROCEDURES[procedure])
    return make_plan(PROCEDURES[procedure], inputs.replace(**SITUATIONS[situation]))


@pytest.mark.parametrize("test", ["", ", test: t"])
def test_a_target_without_an_app_has_every_page(tmp_path: Path, test: str) -> None:
    groups = f'{{production: {{hosts: {{shop: {{database: "env:A", store: s{test}}}}}}}, '
    groups += 'test: {hosts: {t: {database: "env:B"}}}}'
    (tmp_path / "inventory.yaml").write_text(f"all: {{children: {groups}}}\n")
    made = pages(Session(load(tmp_path / "inventory.yaml"), {}), "shop")
    asking = {name for name, text in made.items() if ': "${APP:?the inventory has no app: add it' in text}
    assert asking == {"migrate-test.md", "verify.md", "release.md", "promote.md"}
    assert all(("${MANAGE}" in text) == (name in asking) for name, text in made.items())


def test_an_old_journal_says_by_its_name_what_todays_header_says() -> None:
    assert {name: one.effects for name, one in PROCEDURES.items() if one.effects} == EFFECTS
    steps = [step for one in PROCEDURES.values() for step, _ in one.entries]
    assert {effect: {step.name for step in steps if effect in step.does} for effect in StepEffect} == STEP_EFFECTS


@pytest.mark.parametrize("name", PROCEDURES)
def test_what_a_step_names_is_registered(name: str) -> None:
    for step, _ in PROCEDURES[name].entries:
        assert set(step.reports) <= set(HOOKS.reports)
    asked = [command for planned in shipped(name, "lessons").steps for command in planned.commands]
    assert {command.failure for command in asked if isinstance(command, Shell)} <= set(HOOKS.failures)


# What reads or writes all rows, or all files of a backup.
ROWS = {"dump.sql", "fingerprint.sql", "copy_database.sql", "analyze.sql"}
FILES = {"check-backup", "store-backup", "verdict", "same-tables"}
PROGRAMS = {"pg_restore", "pg_dump", "vacuumdb"}


def lasts(planned: PlannedStep) -> bool:
    """Whether a step takes longer the larger the database is, by its commands, gates and proof."""
    checks = [*planned.gates, *([planned.proof] if planned.proof else [])]
    for command in [*planned.commands, *(command for one in checks for command in one.commands)]:
        name = command.file if isinstance(command, Query) else command.name if isinstance(command, Tool) else ""
        if isinstance(command, Tool) and command.options.get("backup_id", "").endswith(PHYSICAL):
            continue  # Its rows stay with pgBackRest; the store has two small files of it.
        words = command.words if isinstance(command, Shell) else ()
        if name in ROWS | FILES or (PROGRAMS & set(map(str, words)) and "--list" not in words):
            return True
    return False


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", PROCEDURES)
def test_a_step_says_what_it_changes_and_how_long_it_takes(name: str, situation: str) -> None:
    for planned in shipped(name, "lessons", situation).steps:
        assert bool(planned.step.changes) != planned.step.reads, planned.name
        assert not lasts(planned) or planned.step.takes != Time.SECONDS, planned.name


def test_similar_steps_exist() -> None:
    steps = {step.name: step for one in PROCEDURES.values() for step, _ in one.entries}
    named = {(step.name, alike) for step in steps.values() for alike in step.alike}
    assert len(named) > 10
    for name, alike in sorted(named):
        assert alike in steps and alike != name, (name, alike)
        assert steps[alike].takes == steps[name].takes, (name, alike)


def true(_: RunInputs) -> Shell:
    """It holds."""
    return Shell(("true",), "")


HOLDS = Check("holds", "It holds", "Otherwise nothing does.", true)
GOOD = Step("p.good", "Do it", "It is to be done.", true, proof=HOLDS, undo=true)


def procedure(*steps: Step) -> Procedure:
    made = Procedure("p", "P", "What for.", "What then.")
    made.entries = [(step, lambda c: c) for step in steps]
    return made


def wrong(*steps: Step) -> list[str]:
    try:
        return faults(make_plan(procedure(*steps), C))
    except ValueError as error:
        return re.split("; (?=p[.])", str(error).removeprefix("p: "))


def uses(*names: str) -> Any:
    return lambda _: [Shell(("echo", Fact(name)), "") for name in names]


def calls(name: str, **options: str) -> Any:
    return lambda _: Tool(name, options)


# --- completeness ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("target", SHIPPED.production)
@pytest.mark.parametrize("name", PROCEDURES)
def test_every_shipped_procedure_is_complete(name: str, target: str, situation: str) -> None:
    plan = shipped(name, target, situation)
    assert plan.steps
    assert faults(plan) == []
    checks = [check for step in plan.steps for check in (*step.gates, step.proof, step.untouched) if check]
    assert all(found.check.title and found.check.why and found.commands for found in checks)
    assert all(step.commands for step in plan.steps)
    assert PROCEDURES[name].purpose and PROCEDURES[name].failure


@pytest.mark.parametrize("name", PROCEDURES)
def test_a_step_with_undo_has_commands_that_take_it_back(name: str) -> None:
    assert all(step.undo for step in shipped(name, "lessons", "with everything").steps if step.step.undo)


@pytest.mark.parametrize("name", PROCEDURES)
def test_a_step_that_may_be_left_out_says_when(name: str) -> None:
    always = {planned.name for planned in shipped(name, "lessons", "with nothing").steps}
    assert all(step.only for step, _ in PROCEDURES[name].entries if step.name not in always)


@pytest.mark.parametrize("name", PROCEDURES)
def test_a_plan_names_no_secret(name: str) -> None:
    assert "://" not in json.dumps(shipped(name, "lessons").data())


# --- faults ----------------------------------------------------------------------------------------------------------

FAULTS = {
    "no prose": ([replace(GOOD, why="")], "p.good has no prose"),
    "no title": ([replace(GOOD, title="")], "p.good has no prose"),
    "no proof": ([replace(GOOD, proof=None)], "p.good has no proof"),
    "two ways back": ([replace(GOOD, final="Never.")], "p.good needs one of undo, final, stays and reads; it has 2"),
    "reads and undoes": ([replace(GOOD, reads=True)], "p.good needs one of undo, final, stays and reads; it has 2"),
    "no way back": ([replace(GOOD, undo=None)], "p.good needs one of undo, final, stays and reads; it has 0"),
    "twice": ([GOOD, GOOD], "p.good is defined twice"),
    "fact": ([replace(GOOD, act=uses("ROWS"))], "p.good uses ROWS before any step has found it"),
    "an action": ([replace(GOOD, act=calls("check-bakup"))], "p.good: 'check-bakup' does not exist"),
    "an option": (
        [replace(GOOD, proof=Check("asks", "It holds", "Why.", calls("check-backup", target="a", backup="b")))],
        "p.good: check-backup: missing a required argument: 'backup_id'",
    ),
    "one option more": (
        [replace(GOOD, undo=calls("check-backup", target="a", backup_id="b", deap="yes"))],
        "p.good: check-backup: got an unexpected keyword argument 'deap'",
    ),
    "what explains": ([replace(GOOD, explain=lambda _: Tool("explain"))], "p.good: 'explain' does not exist"),
    "what watches": ([replace(GOOD, watch=lambda _: Watch("locks"))], "p.good: 'locks' does not exist"),
    "its own fact": ([replace(GOOD, act=uses("ROWS"), fact="ROWS")], "p.good uses ROWS before any step has found it"),
    "later fact": (
        [replace(GOOD, act=uses("ROWS")), replace(GOOD, name="p.b", fact="ROWS")],
        "p.good uses ROWS before any step has found it",
    ),
}


@pytest.mark.parametrize(("steps", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_mistake_in_a_definition_is_found(steps: list[Step], fault: str) -> None:
    assert wrong(*steps) == [fault]


def test_all_mistakes_are_told_at_once() -> None:
    assert wrong(GOOD, replace(GOOD, why="", proof=None, undo=None, act=uses("A", "B"))) == [
        "p.good is defined twice",
        "p.good has no prose",
        "p.good has no proof",
        "p.good needs one of undo, final, stays and reads; it has 0",
        "p.good uses A before any step has found it",
        "p.good uses B before any step has found it",
    ]


def test_no_plan_is_made_of_a_wrong_definition() -> None:
    with pytest.raises(ValueError, match="^p: p.good has no proof; p.good needs one of undo, .* it has 0$"):
        make_plan(procedure(replace(GOOD, proof=None, undo=None)), C)


@pytest.mark.parametrize(
    "step",
    [
        GOOD,
        replace(GOOD, undo=None, final="Never."),
        replace(GOOD, undo=None, stays="Harmless."),
        replace(GOOD, undo=None, proof=None, reads=True),
    ],
)
def test_one_way_back_is_right(step: Step) -> None:
    assert wrong(step) == []


def test_a_fact_that_an_earlier_step_found_is_right() -> None:
    assert wrong(replace(GOOD, name="p.a", fact="ROWS"), replace(GOOD, act=uses("ROWS"))) == []


# --- digest ----------------------------------------------------------------------------------------------------------


def digest(shell: Shell) -> str:
    found = replace(GOOD, name="p.found", fact="a")
    return make_plan(procedure(found, replace(GOOD, act=lambda _: shell)), C).digest


words = st.lists(st.text(max_size=5), min_size=1, max_size=5)


@given(words, words)
@example(["a"], ["A"])
@example(["a b"], ["a", "b"])
def test_two_plans_with_the_same_digest_have_the_same_words(one: list[str], two: list[str]) -> None:
    assert (digest(Shell(tuple(one), "")) == digest(Shell(tuple(two), ""))) == (one == two)


@given(words, st.data())
def test_the_digest_changes_when_any_word_changes(given_words: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(given_words) - 1))
    other = data.draw(st.text(max_size=5).filter(lambda word: word != given_words[place]))
    changed = [*given_words[:place], other, *given_words[place + 1 :]]
    assert digest(Shell(tuple(given_words), "")) != digest(Shell(tuple(changed), ""))


def test_the_digest_sees_folder_environment_and_output() -> None:
    plain = Shell(("a",), "")
    others = [
        replace(plain, folder="b"),
        replace(plain, output="b"),
        replace(plain, env={"A": "b"}),
        replace(plain, env={"A": "c"}),
        replace(plain, env={"A": Fact("a")}),
        replace(plain, env={"A": Secret("a")}),
        replace(plain, words=(Fact("a"),)),
        replace(plain, words=("$a",)),
        replace(plain, words=('"$a"',)),
    ]
    assert len({digest(shell) for shell in (plain, *others)}) == 1 + len(others)


@pytest.mark.parametrize(
    "changed",
    [
        {"gates": (HOLDS,)},
        {"proof": replace(HOLDS, act=lambda _: Shell(("false",), ""))},
        {"title": "Do that"},
        {"undo": lambda _: Shell(("false",), "")},
        {"undo": None, "final": "Never."},
        {"name": "p.other"},
    ],
)
def test_the_digest_sees_gates_proof_and_undo(changed: dict[str, Any]) -> None:
    one, two = (make_plan(procedure(step), C).digest for step in (GOOD, replace(GOOD, **changed)))
    assert one != two


def test_the_digest_sees_the_order_of_steps() -> None:
    other = replace(GOOD, name="p.b")
    assert make_plan(procedure(GOOD, other), C).digest != make_plan(procedure(other, GOOD), C).digest


def test_the_digest_is_the_same_in_another_process() -> None:
    plan = shipped("release", "lessons")
    code = """if True:
        import sys
        from ops.cli import all_actions
        from ops.engine.inputs import RunInputs
        from ops.engine.plan import make_plan
        from ops.procedures.release import release
        print(make_plan(release, RunInputs.model_validate_json(sys.argv[1])).digest)
    """
    env = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", code, plan.inputs.model_dump_json()]
    told = subprocess.run(words, env=env, capture_output=True, text=True)
    assert told.stdout.strip() == plan.digest, told.stderr


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", PROCEDURES)
def test_inputs_that_went_through_a_journal_make_the_same_plan(name: str, situation: str) -> None:
    plan = shipped(name, "lessons", situation)
    again = RunInputs.model_validate(json.loads(json.dumps(plan.inputs.model_dump(mode="json"), ensure_ascii=False)))
    assert again == plan.inputs
    assert make_plan(PROCEDURES[name], again).digest == plan.digest


# --- include ---------------------------------------------------------------------------------------------------------


def part() -> Procedure:
    made = Procedure("part", "Part", "What for.", "What then.")

    @made.step("First do this", proof=HOLDS, undo=true)
    def first(c: RunInputs) -> Shell:
        """It comes
        first."""
        return Shell(("first", c.backup), c.target)

    @made.step("Then that", reads=True, when=lambda c: c.backup == "b2", only="Only for b2.")
    def then(c: RunInputs) -> Shell:
        """It comes then."""
        return Shell(("then", c.backup), c.target)

    return made


def second(c: RunInputs) -> RunInputs:
    return c.model_copy(update={"backup": "b2"})


def whole(**options: Any) -> Procedure:
    made = Procedure("whole", "Whole", "What for.", "What then.")
    made.include(part(), **options)
    return made


def done(made: Procedure, inputs: RunInputs = C) -> dict[str, tuple[str, ...]]:
    return {step.name: step.commands[0].words for step in make_plan(made, inputs).steps}  # type: ignore[union-attr,misc]


def test_included_steps_are_the_same_steps() -> None:
    assert done(whole()) == done(part()) == {"part.first": ("first", "b1")}
    assert whole().entries[0][0].why == "It comes first."


def test_a_prefix_and_a_label_tell_two_inclusions_apart() -> None:
    made = whole()
    made.include(part(), prefix="last-", label="Last: ", only="Only at night.")
    assert [step.name for step, _ in made.entries] == ["part.first", "part.then", "last-part.first", "last-part.then"]
    assert [step.title for step, _ in made.entries][2:] == ["Last: first do this", "Last: then that"]
    assert [step.only for step, _ in made.entries] == ["", "Only for b2.", "Only at night.", "Only at night."]
    assert list(done(made)) == ["part.first", "last-part.first"]


def test_included_steps_see_the_changed_inputs() -> None:
    assert done(whole(inputs=second)) == {"part.first": ("first", "b2"), "part.then": ("then", "b2")}
    assert [step.inputs.backup for step in make_plan(whole(inputs=second), C).steps] == ["b2", "b2"]


def test_when_asks_the_inputs_of_whoever_includes() -> None:
    made = whole(inputs=second, when=lambda c: c.backup == "b1")
    assert list(done(made)) == ["part.first", "part.then"]
    assert done(made, second(C)) == {}


def test_inclusions_can_be_nested() -> None:
    outer = Procedure("outer", "Outer", "What for.", "What then.")
    inner = whole(inputs=lambda c: c.model_copy(update={"backup": c.backup + "_last"}), prefix="in-")
    outer.include(inner, inputs=second, when=lambda c: c.run == "r1", prefix="out-")
    assert done(outer) == {"out-in-part.first": ("first", "b2_last")}
    assert done(outer, C.model_copy(update={"run": "r2"})) == {}


def test_a_check_takes_name_and_reason_from_its_function() -> None:
    made = check("It holds", "look")(true)
    assert (made.name, made.title, made.why, made.hint) == ("true", "It holds", "It holds.", "look")
    assert commands(made.act, C) == (Shell(("true",), ""),)
    assert commands(None, C) == ()
