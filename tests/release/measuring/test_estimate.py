"""How long a plan takes, by earlier runs, by similar steps, by the size, and what is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ops.engine.command import Shell
from ops.engine.effects import StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.journal import State
from ops.engine.plan import Plan, make_plan
from ops.engine.step import Procedure, Time
from ops.release.measuring.estimate import Basis, Took, estimate, expected, history, measured_rest


def plan(*steps: tuple[str, Mapping[str, Any]], pending: tuple[str, ...] = (), **inputs: Any) -> Plan:
    made = Procedure("p", "Title", "Why.", "Failure.")
    for name, fields in steps:

        def act(c: RunInputs) -> Shell:
            """Do it."""
            return Shell(("true",), "")

        act.__name__ = name
        made.step(name.title(), reads=True, **fields)(act)
    given = RunInputs(run="r", target="shop", database="shop", store="s", backup="b", **inputs)
    return make_plan(made, given.replace(release={"pending": pending}), checked=False)


def took(seconds: float, run: str = "r1", **more: Any) -> Took:
    return Took(seconds, more.pop("checked", 0), run, **more)


FREEZE = {"does": (StepEffect.FREEZES,)}
UNFREEZE = {"does": (StepEffect.UNFREEZES,)}


def test_the_freeze_is_the_time_between_its_steps() -> None:
    made = plan(("a", {}), ("freeze", FREEZE), ("b", {}), ("c", {}), ("thaw", UNFREEZE), ("d", {}))
    seconds = {"a": 100, "freeze": 7, "b": 10, "c": 5, "thaw": 1, "d": 90}
    known = {f"p.{name}": took(n) for name, n in seconds.items()}
    known["p.c"] = took(5, checked=4)
    found = estimate(made, known)
    assert (found.seconds, found.frozen) == (217, 20)
    assert found.said == "about 4 min, of these production is read-only for about 20 s"
    assert found.basis == ["basis: the last run of each step, the newest is r1"]
    assert found.measured and expected(made, known)["p.c"] == 5


def test_without_a_freeze_nothing_is_said_of_one() -> None:
    found = estimate(plan(("a", {})), {"p.a": took(30)})
    assert found.frozen is None and found.said == "about 30 s"


def test_before_the_first_run_the_time_is_unknown_or_rough() -> None:
    made = plan(("a", {"takes": Time.DATABASE}), ("b", {"takes": Time.APPLICATION}))
    assert estimate(made, {}).said == "unknown: no run has measured the steps"
    found = estimate(made, {}, 30_000_000_000)
    assert found.said == "at least about 3 min" and not found.measured
    assert found.basis == [
        "basis: the size of the database, 30.0 GB; rough",
        "not counted, because no run has measured them: b",
    ]


def test_a_step_that_grows_with_the_database_is_scaled() -> None:
    made = plan(("a", {"takes": Time.DATABASE}), ("b", {}))
    known = {"p.a": took(10, size=1000, checked=1), "p.b": took(10, size=1000)}
    assert estimate(made, known, 2000).seconds == 21 + 10
    assert estimate(made, known).seconds == 11 + 10


@pytest.mark.parametrize("more", [{}, {"dump": {"exclude": ("audit",)}}])
def test_the_size_of_a_backup_with_excluded_tables_is_unknown(more: Mapping[str, Any]) -> None:
    made = plan(("a", {"takes": Time.DATABASE}), **more)
    assert estimate(made, {"p.a": took(10, size=1000)}, 2000).seconds == (10 if more else 20)


def test_migrations_are_those_of_the_rehearsal() -> None:
    step = ("migrate", {"takes": Time.MIGRATIONS, "alike": ("t.migrate",)})
    now, before = ("app.2",), ("app.1",)
    rehearsed, other = {"t.migrate": took(50, "r2", pending=now)}, {"t.migrate": took(50, "r2", pending=before)}
    own = {"p.migrate": took(3, pending=before)}
    made = plan(step, pending=now)
    assert estimate(made, own | rehearsed).steps["p.migrate"].seconds == 50
    assert estimate(made, own | other).steps["p.migrate"].seconds == 3
    assert "were not rehearsed yet" in estimate(made, own | other).basis[-1]
    assert estimate(made, {"p.migrate": took(3, pending=now)} | rehearsed).steps["p.migrate"].seconds == 3
    assert estimate(made, other).steps["p.migrate"].basis == Basis.ALIKE
    assert "were not rehearsed yet" in estimate(made, other).basis[-1]


def test_similar_steps_stand_for_one_that_was_never_measured() -> None:
    made = plan(("a", {"alike": ("t.one", "t.two"), "takes": Time.DATABASE}))
    assert estimate(made, {"t.one": took(5), "t.two": took(6)}).seconds == 11
    assert estimate(made, {"t.one": took(5)}).steps["p.a"].basis == Basis.UNKNOWN


def test_the_last_run_that_did_a_step_counts() -> None:
    def state(run: str, **steps: tuple[str, float]) -> State:
        made = State({"run": run, "procedure": "p", "target": "shop", "inputs": {"backup": run}})
        for name, (status, seconds) in steps.items():
            made.mark(name, status)
            made.seconds[name] = seconds
            if status == "done":
                made.ever[name] = "then"
        return made

    found = history(
        [state("r1", a=("done", 5), b=("done", 6)), state("r2", a=("done", 7), b=("failed", 1))], {"r2": 1000}
    )
    assert found == {"a": took(7, "r2", size=1000), "b": took(6)}


def test_the_rest_of_a_run_counts_measured_steps() -> None:
    steps = {
        "a": {"seconds": 100, "basis": "last-run"},
        "freeze": {"seconds": 1, "basis": "last-run"},
        "dump": {"seconds": 20, "basis": "alike"},
        "rough": {"seconds": 500, "basis": "size"},
        "new": {"seconds": None, "basis": "unknown"},
        "migrate": {"seconds": 50, "basis": "last-run"},
        "thaw": {"seconds": 2, "basis": "last-run"},
        "send": {"seconds": 70, "basis": "last-run"},
    }
    effects = {"freezes": ["freeze"], "migrates": ["migrate"], "unfreezes": ["thaw"]}
    header = {"estimate": {"steps": steps}, "step_effects": effects}
    ends = StepEffect.UNFREEZES, StepEffect.MIGRATES
    assert measured_rest(header, StepEffect.FREEZES, *ends) == 1 + 20 + 2
    assert measured_rest(header, StepEffect.MIGRATES, *ends) == 2
    broken = {"freeze": 3, "dump": {"basis": "alike", "seconds": "x"}}
    for odd in ({}, {"estimate": 3}, {"estimate": {"steps": broken}}):
        assert measured_rest({**odd, "step_effects": effects}, StepEffect.FREEZES, *ends) == 0
