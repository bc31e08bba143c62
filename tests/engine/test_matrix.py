"""The engine's own fault matrix: a toy procedure, struck at every command and every line of its journal.

What is struck is read from the plan, so a new step or command of the toy is in it without a word. ``tests/faults`` does
the same with the real procedures on real servers; this one takes seconds, and deals every blow at every place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from ops.core.errors import FAILED
from ops.engine.command import Command, Fact
from ops.engine.inputs import RunInputs
from ops.engine.plan import make_plan
from ops.engine.step import Check, Procedure, Step, check
from tests.faults.places import PHASES, Place
from tests.support.toy import INPUTS, by_tool, drops, make, on_the_way, on_the_way_back, toy
from tests.support.toy_lab import PLAN, Lab, installed
from tests.support.toy_matrix import CODES, NOTHING, Case, Matrix, cases
from tests.support.toy_mutants import MUTANTS
from tests.support.toy_oracle import WAYS, look
from tests.support.toy_session import SAID, Blow

FORWARD, BACK = cases(on_the_way(PLAN)), cases(on_the_way_back(PLAN))


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    with installed():
        yield Matrix(Lab(tmp_path_factory.mktemp("toy")))


def at(text: str) -> Place:
    return Place.read(text)


def told(wrong: list[str]) -> None:
    assert not wrong, "\n\n".join(wrong)


def by_place(found: list[Case]) -> list[Any]:
    """The cases by place and phase, as a test's parameters; a test of its own for each fault would double the time."""
    groups: dict[tuple[Place, str], list[str]] = {}
    for place, phase, fault in found:
        groups.setdefault((place, phase), []).append(fault)
    return [pytest.param(*key, faults, id=f"{key[0]}-{key[1]}") for key, faults in groups.items()]


# --- every place, phase, fault and way on ----------------------------------------------------------------------------


@pytest.mark.parametrize(("place", "phase", "faults"), by_place(FORWARD))
def test_struck_on_the_way(matrix: Matrix, place: Place, phase: str, faults: list[str]) -> None:
    told(
        [
            f"{fault}, then {way}: {line}"
            for fault in faults
            for way in WAYS
            for line in matrix.case((place, phase, fault), way)
        ]
    )


@pytest.mark.parametrize(("place", "phase", "faults"), by_place(BACK))
def test_struck_on_the_way_back(matrix: Matrix, place: Place, phase: str, faults: list[str]) -> None:
    found = [((place, phase, fault), way) for fault in faults for way in WAYS]
    told([f"{case[2]}, then {way}: {line}" for case, way in found for line in matrix.case(case, way, back=True)])


@pytest.mark.parametrize("turn", range(2))
@pytest.mark.parametrize("phase", PHASES)
def test_struck_everywhere_and_resumed_each_time(matrix: Matrix, phase: str, turn: int) -> None:
    told(matrix.chain(phase, turn))


@pytest.mark.parametrize("turn", range(2))
@pytest.mark.parametrize("phase", PHASES)
def test_struck_everywhere_on_the_way_back(matrix: Matrix, phase: str, turn: int) -> None:
    told(matrix.chain_back(phase, turn))


STOPS = ("last-pack.put/do/0", "toy.fill/do/1", "toy.number/do/0", "toy.swap/do/0")


@pytest.mark.parametrize("place", STOPS)
def test_thawed_by_somebody_else_before_it_goes_on(matrix: Matrix, place: str) -> None:
    told(matrix.thawed((at(place), "before", "exit")))


@pytest.mark.parametrize("fault", ["kill", "exit", "cut", "down", "lock", "full", "readonly"])
def test_struck_again_while_it_is_explained(matrix: Matrix, fault: str) -> None:
    told(twice(matrix, "toy.migrate/do/0-during-exit", f"first/explain/0-before-{fault}"))


@pytest.mark.parametrize("fault", ["kill", "exit", "down"])
def test_struck_again_while_users_are_let_in(matrix: Matrix, fault: str) -> None:
    told(twice(matrix, "toy.swap/do/0-during-exit", f"toy.swap/mend/0-before-{fault}"))


def twice(matrix: Matrix, first: str, then: str) -> list[str]:
    """What is wrong where two blows fall in the same process, and with both ways on."""
    lab, blows = matrix.lab, [blow(first), blow(then)]
    lab.put_back(NOTHING)
    done, last = lab.begin(*blows), blows[-1]
    assert last.dealt, "the second blow never fell"
    seen = last if last.fault in CODES else blows[0]
    wrong, left = look(lab, done, seen, CODES.get(last.fault, {FAILED})), lab.kept()
    for way, walk in WAYS.items():
        lab.put_back(left)
        wrong += [f"{way}: {line}" for line in walk(lab, matrix.end)]
    return wrong


def blow(text: str) -> Blow:
    place, phase, fault = re.fullmatch(r"(.*)-(\w+)-(\w+)", text).groups()  # type: ignore[union-attr]
    return Blow(fault, phase, at(place))


@pytest.mark.parametrize(("times", "code"), [(1, 0), (2, 0), (3, FAILED)])
def test_a_lock_is_waited_for_as_often_as_is_said(matrix: Matrix, times: int, code: int) -> None:
    matrix.lab.put_back(NOTHING)
    blows = [blow(f"toy.migrate/do/{turn}-before-lock") for turn in range(times)]
    assert matrix.lab.begin(*blows).code == code
    assert all(one.dealt for one in blows)


# --- the toy itself --------------------------------------------------------------------------------------------------


def test_every_place_is_come_to_and_no_other(matrix: Matrix) -> None:
    lab = matrix.lab
    lab.put_back(NOTHING)
    assert lab.begin().code == 0
    assert sorted(map(str, lab.came)) == sorted(map(str, on_the_way(PLAN)))
    assert lab.asked == ["Freeze production", "Make it live"]
    lab.put_back(matrix.before_final)
    assert lab.again("undo").code == 0
    assert sorted(map(str, lab.came)) == sorted(map(str, on_the_way_back(PLAN)))


def test_the_toy_uses_all_that_a_step_can_say() -> None:
    """What is new in a step is to be struck, too: use it in ``tests.support.toy``."""
    steps = [step for step, _ in toy.entries]
    checks = [check for step in steps for check in (*step.gates, step.proof, step.untouched, *step.repeatable) if check]
    assert unused(Step, steps) | unused(Check, checks) == set()
    assert {step.again for step in steps} == {check.once for check in checks} == {True, False}
    assert len(PLAN.steps) < len(steps), "no step is left out"
    assert any(isinstance(word, Fact) for p in PLAN.steps for c in p.commands for word in getattr(c, "words", ()))
    assert max(len(planned.commands) for planned in PLAN.steps) > 1


def unused(kind: type, made: list[Any]) -> set[str]:
    """The fields that all of these leave as they are by themselves."""
    return {
        f"{kind.__name__}.{one.name}"
        for one in fields(kind)
        if one.default is not MISSING and all(getattr(thing, one.name) == one.default for thing in made)
    }


# --- the matrix sees it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", MUTANTS)
def test_it_sees_what_is_broken(matrix: Matrix, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    name, broken, text, seen = MUTANTS[what]
    place, phase, fault, way = text.rsplit("-", 3)
    told(walked(matrix, (at(place), phase, fault), way))
    monkeypatch.setattr(name, broken)
    assert seen in "\n".join(walked(Matrix(matrix.lab), (at(place), phase, fault), way))


def walked(matrix: Matrix, case: Case, way: str) -> list[str]:
    return matrix.thawed(case) if way == "thawed" else matrix.case(case, way)


# --- what it has found ------------------------------------------------------------------------


def test_a_step_that_an_undo_had_begun_to_take_back_is_not_called_done(matrix: Matrix) -> None:
    left = {case: matrix.struck(case, back=True).forgotten for case in BACK}
    told([f"{case}: {steps}" for case, steps in left.items() if steps])


def test_a_resume_that_is_interrupted_at_its_first_line(matrix: Matrix) -> None:
    matrix.lab.put_back(matrix.before_final)
    assert "nothing was changed" not in matrix.lab.again("resume", blow("run/journal-resumed/0-after-int")).out


def test_thawed_by_somebody_else_after_the_final_step_was_begun(matrix: Matrix) -> None:
    told(matrix.thawed((at("toy.migrate/do/0"), "before", "exit")))


def test_a_resume_that_can_not_ask_whether_it_was_done(matrix: Matrix) -> None:
    lab = matrix.lab
    lab.put_back(matrix.struck((at("toy.fill/do/1"), "after", "kill")).kept)
    done = lab.again("resume", blow("toy.fill/is_filled/1-before-cut"))
    assert SAID["cut"] in done.out and "repeating it" not in done.out


def test_interrupted_again_while_it_is_explained(matrix: Matrix) -> None:
    told(twice(matrix, "toy.migrate/do/0-during-int", "first/explain/0-before-int"))


def test_users_can_not_be_let_in_after_an_interruption(matrix: Matrix) -> None:
    matrix.lab.put_back(NOTHING)
    done = matrix.lab.begin(blow("toy.swap/do/0-during-int"), blow("toy.swap/mend/0-before-down"))
    assert "may be CLOSED to its users" in done.out


def test_an_undo_of_nothing_says_why(matrix: Matrix) -> None:
    matrix.lab.put_back(matrix.struck((at("toy.look/do/0"), "before", "exit")).kept)
    assert re.search(r"nothing to undo: \S", matrix.lab.again("undo").out)


def small(folder: Path, **says: Any) -> Lab:
    """A procedure of one step with two commands."""
    procedure = Procedure("small", "Small", "Tries one step.", "See the text.")

    @check("Both are there")
    def are_there(_: RunInputs) -> list[Command]:
        """Half of it is nothing."""
        return [by_tool("there", "one"), by_tool("there", "two")]

    @procedure.step("Send it", proof=are_there, **says)
    def send(_: RunInputs) -> list[Command]:
        """It is wanted."""
        return [make("one"), make("two")]

    return Lab(folder, make_plan(procedure, INPUTS))


def test_a_final_step_that_must_not_be_done_twice_has_a_way_out(matrix: Matrix, tmp_path: Path) -> None:
    lab = small(tmp_path, final="What is sent is sent.")
    lab.begin(blow("small.send/do/1-before-kill"))
    ways = [re.search(r"^Try: (inv \w+)", lab.again(way).out, re.M)[1] for way in WAYS]  # type: ignore[index]
    assert set(ways) - {"inv resume", "inv undo"}


def test_what_must_not_be_done_twice_is_not_tried_again(matrix: Matrix, tmp_path: Path) -> None:
    lab = small(tmp_path, undo=drops("one", "two"), retries=lambda _: 1)
    lab.begin(blow("small.send/do/1-before-lock"))
    assert max(lab.things.made.values()) == 1
