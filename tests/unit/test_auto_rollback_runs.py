"""Auto-rollback among the runs: hand-made procedures whose steps are functions of the test, run and undone in memory;
what a failed promotion offers before it; and the proof that ends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ops import aftermath, journal, main
from ops.command import Tool
from ops.console import Confirmation, Console
from ops.dumping import restores
from ops.errors import DONE, DataDiffers, OpsError, Refused, StepFailed
from ops.explained import explained
from ops.journal import State
from ops.plan import Plan, make_plan
from ops.procedures.auto_rollback import auto_rollback
from ops.step import Check, Procedure, Step
from ops.tools import TOOLS
from ops.tools.failed import check_as_before, explain_promotion
from tests.unit import test_auto_rollback
from tests.unit.test_auto_rollback import (
    BACK,
    BOTH,
    FIRST,
    FROZEN,
    HALF_WAY,
    INPUTS,
    OPEN,
    RUN,
    SECOND,
    Bench,
    append,
    events,
    raising,
    stopped,
)

bench = test_auto_rollback.bench
IS_FROZEN = Check("is_frozen", "It is frozen", "It must be.", lambda _: Tool("is-frozen"))


def reading(name: str, tool: str) -> Step:
    return Step(name, f"Do {name}", "Why.", lambda _: Tool(tool), reads=True, again=True)


def procedure(name: str, *steps: Step) -> Procedure:
    made = Procedure(name, name, "What for.", "What then.")
    made.entries = [(step, lambda c: c) for step in steps]
    return made


FREEZE = Step(
    "promote.freeze",
    "Freeze",
    "Why.",
    lambda _: Tool("freeze"),
    proof=IS_FROZEN,
    undo=lambda _: Tool("thaw"),
    again=True,
    confirm=True,
)
PROMOTE = procedure(
    "promote",
    FREEZE,
    reading("last-backup.seal", "well"),
    reading("promote.migrate", "break"),
    reading("never", "well"),
)
WAY_BACK = procedure("auto-rollback", FREEZE, reading("auto-rollback.prove", "prove"))


@dataclass
class Runs:
    """A promotion in which the migrations fail, and its way back, with the journals that the tool itself writes."""

    bench: Bench
    proof: OpsError | None = None
    stuck: bool = False
    frozen: bool = False
    held: list[str] = field(default_factory=list)

    def set(self, frozen: bool) -> str:
        self.frozen = frozen or self.stuck
        return ""

    def tools(self) -> dict[str, Callable[..., str]]:
        return {
            "freeze": lambda _: self.set(True),
            "thaw": lambda _: self.set(False),
            "is-frozen": lambda _: "" if self.frozen else raising(StepFailed("it is not frozen")),
            "break": lambda _: raising(StepFailed("shop: it broke")),
            "prove": lambda _: raising(self.proof) if self.proof else "equal",
            "well": lambda _: "",
        }

    def go(self, made: Procedure = PROMOTE, *, auto: bool = True, **more: Any) -> int:
        plan = make_plan(made, INPUTS.model_copy(update={"auto_rollback": auto, "test": ""}))
        screen, word = Console(out=self.bench.out), Confirmation("shop", False, "")
        return main._work(self.bench.world, plan, screen, word, lambda: self.held.append(""), **more)

    def told(self, run: str) -> list[str]:
        """What a run's journal says, in its order."""
        return [self._line(event) for event in events(self.bench.folder.with_name(run))]

    def _line(self, event: dict[str, Any]) -> str:
        kind = event["event"]
        if kind == "step":
            return f"{event['step']} {event['status']}"
        return f"{kind} {event['outcome']} {event['exit']}" if kind == "outcome" else str(kind)


@pytest.fixture
def runs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs(bench)
    for name, function in made.tools().items():
        monkeypatch.setitem(TOOLS, name, function)
    monkeypatch.setattr(aftermath, "auto_rollback", WAY_BACK)
    (bench.folder / "journal.jsonl").unlink()
    return made


def failing() -> list[str]:
    steps = ["promote.freeze", "last-backup.seal"]
    done = [f"{step} {status}" for step in steps for status in ("begun", "done")]
    return ["run", *done, "promote.migrate begun", "promote.migrate failed", "outcome failed 4"]


# --- the runs and their journals -------------------------------------------------------------------------------------


def test_it_undoes_the_release_in_its_own_journal(runs: Runs) -> None:
    runs.bench.has = ()
    assert runs.go(reason="tonight") == 4
    undone = ["undoing", "promote.freeze undone", "outcome done 0", "outcome failed 4"]
    assert runs.told(RUN) == [*failing(), *undone]
    state = journal.read(runs.bench.folder)
    assert state.undone and state.header["reason"] == "tonight" and not runs.frozen


def test_it_rolls_back_in_a_run_of_its_own_and_asks_nobody_again(runs: Runs) -> None:
    assert runs.go() == 4
    assert runs.told(RUN) == [*failing(), "outcome failed 4"]
    steps = [f"{step} {status}" for step in ("promote.freeze", "auto-rollback.prove") for status in ("begun", "done")]
    assert runs.told(BACK) == ["run", *steps, "outcome done 0"]
    header = events(runs.bench.folder.with_name(BACK))[0]
    assert (header["procedure"], header["reason"]) == ("auto-rollback", f"--auto-rollback of promote {RUN}")
    assert header["inputs"]["failed_run"] == RUN  # type: ignore[index]
    assert journal.read(runs.bench.folder).outcome["rolled_back_by"] == BACK  # type: ignore[index]
    assert len(runs.held) > 6


@pytest.mark.parametrize("error", [DataDiffers("a row is missing"), StepFailed("shop: 502")])
def test_a_rollback_that_fails_ends_with_its_own_code(runs: Runs, error: OpsError) -> None:
    runs.proof = error
    with pytest.raises(OpsError) as caught:
        runs.go()
    assert caught.value is error and error.shown and error.exit_code == (5 if isinstance(error, DataDiffers) else 4)
    assert runs.told(RUN) == failing()
    assert runs.told(BACK)[-2:] == [
        f"auto-rollback.prove {error.outcome}",
        f"outcome {error.outcome} {error.exit_code}",
    ]
    said = f"\n{error.outcome.upper()}  {error.message}\nStands: "
    assert said in runs.bench.out.getvalue() and f"inv resume --run={BACK}" in runs.bench.out.getvalue()
    assert runs.frozen


def test_an_undo_that_fails_ends_with_its_own_code(runs: Runs) -> None:
    runs.bench.has, runs.stuck = (), True
    with pytest.raises(StepFailed, match="promote.freeze was taken back, but still stands"):
        runs.go()
    assert runs.told(RUN) == [*failing(), "undoing", "outcome failed 4"]


def test_only_a_run_that_was_asked_to_is_taken_back(runs: Runs) -> None:
    with pytest.raises(StepFailed, match="it broke"):
        runs.go(auto=False)
    assert runs.told(RUN) == failing() and runs.frozen


def test_one_that_goes_well_is_not_taken_back(runs: Runs) -> None:
    assert runs.go(procedure("promote", FREEZE)) == DONE
    assert runs.told(RUN)[-1] == "outcome done 0" and runs.frozen


def test_a_resumed_one_is_taken_back_too(runs: Runs) -> None:
    state = stopped(make_plan(PROMOTE, INPUTS), "promote.migrate", "begun")
    runs.frozen = True
    append(runs.bench.folder, main._header(make_plan(PROMOTE, INPUTS), ""))
    assert runs.go(state=state) == 4
    assert runs.told(RUN)[-1] == "outcome failed 4" and runs.told(BACK)[-1] == "outcome done 0"


def test_an_undo_by_hand_that_fails_is_not_taken_back_itself(runs: Runs) -> None:
    runs.stuck = True
    with pytest.raises(StepFailed, match="still stands"):
        runs.go(state=stopped(make_plan(PROMOTE, INPUTS), "promote.migrate"), undo=True)
    assert not runs.bench.folder.with_name(BACK).exists()


# --- before and beside it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("auto", "frozen", "said"), [(True, False, True), (True, True, False), (False, False, False)])
def test_that_it_will_not_act_is_said_at_once(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    auto: bool,
    frozen: bool,
    said: bool,
) -> None:
    inputs = INPUTS.model_copy(update={"auto_rollback": auto, "frozen": frozen})
    monkeypatch.setattr(main, "bind", lambda *_: inputs)
    with pytest.raises(Refused, match="no terminal to ask on"):
        main.start("promote", main.Options(inventory=str(bench.world.inventory.file), auto_rollback=auto))
    assert ("--auto-rollback will not act: production is not frozen" in capsys.readouterr().out) == said


@pytest.mark.parametrize("plan", [FROZEN, OPEN])
def test_a_resume_remembers_it(plan: Plan) -> None:
    header = json.loads(json.dumps(main._header(plan, "")))
    assert main.replan(State(header)).inputs.auto_rollback
    header["inputs"]["auto_rollback"] = False
    assert not main.replan(State(header)).inputs.auto_rollback


def test_a_promotion_that_may_be_taken_back_needs_what_restores() -> None:
    assert [restores("promote"), restores("promote", True), restores("auto-rollback")] == [False, True, True]


def test_it_is_a_rollback_that_proves_itself_before_users_write() -> None:
    plan = make_plan(auto_rollback, INPUTS.model_copy(update={"run": BACK, "failed_run": RUN, "release": "c0ffee"}))
    names = [planned.name for planned in plan.steps]
    assert names[0] == "rollback.look" and "rollback.swap" in names and "rollback.unfreeze" not in names
    assert names.index("rollback.deploy") < names.index("auto-rollback.look_again")
    assert names[-3:] == ["auto-rollback.look_again", "auto-rollback.prove", "auto-rollback.unfreeze"]
    before, after = (
        f"backups/shop/runs/{RUN}/production-before.jsonl",
        f"backups/shop/runs/{BACK}/production-again.jsonl",
    )
    assert plan.steps[-2].commands == (Tool("check-as-before", {"before": before, "after": after}),)
    assert plan.steps[-3].commands[0].output == after  # type: ignore[union-attr]


# --- what production has, and what is offered ------------------------------------------------------------------------

RESUME, ROLLBACK = f"inv resume --run={RUN} --target=shop", f"inv rollback --target=shop --backup={RUN}_last"
NONE = "no migration of this release is applied on production (2 left), and what failed was one transaction"
LOSES_NOTHING = "brings back what was before the migrations, and loses nothing: nobody could write since that backup"
SET_ASIDE = (
    "brings back what was before the migrations, and first shows what was written since that backup, which is kept "
    "aside, but not live: nothing was frozen"
)
TRIES, GOES_ON = f"Try: {RESUME}   # tries again", f"Try: {RESUME}   # goes on, when what failed is mended"
UNDO = f"Try: inv undo --run={RUN} --target=shop   # takes the release back"
ALL = "all 2 migrations are applied on production"
HALF = f"production is migrated half-way: applied are {FIRST}; not applied are {SECOND}"
OFFERS = [
    (("app.0001",), "yes", [NONE, TRIES, f"{UNDO} and lets production take writes again"]),
    ((), "no", [NONE, TRIES, UNDO]),
    ((FIRST, "app.0001"), "yes", [HALF, f"Try: {ROLLBACK}   # {LOSES_NOTHING}", GOES_ON]),
    ((SECOND, FIRST), "yes", [ALL, f"Try: {ROLLBACK}   # {LOSES_NOTHING}", GOES_ON]),
    (BOTH, "no", [ALL, f"Try: {ROLLBACK}   # {SET_ASIDE}", GOES_ON]),
]


@pytest.mark.parametrize(("has", "frozen", "said"), OFFERS)
def test_it_is_said_what_production_has_and_what_to_type(
    bench: Bench, has: tuple[str, ...], frozen: str, said: list[str]
) -> None:
    bench.has = has
    given = {"target": "shop", "name": INPUTS.certificate, "run": RUN, "backup_id": f"{RUN}_last", "frozen": frozen}
    assert explain_promotion(bench.world, **given).split("\n") == said


def test_what_is_not_one_transaction_may_be_there_in_part(bench: Bench) -> None:
    bench.has, bench.atomic = (), False
    given = {"target": "shop", "name": INPUTS.certificate, "run": RUN, "backup_id": f"{RUN}_last", "frozen": "yes"}
    said, *ways = explain_promotion(bench.world, **given).split("\nTry: ")
    assert said.endswith(f"{FIRST} is not atomic: a part of it may be applied")
    assert ways[0].startswith(ROLLBACK) and ways[1].startswith(f"inv undo --run={RUN}") and len(ways) == 2


@pytest.mark.parametrize(
    ("has", "stopped_by_hand", "hint"),
    [((FIRST,), False, ROLLBACK), ((FIRST,), True, RESUME), ((), False, RESUME), ((), True, RESUME)],
)
def test_who_stopped_it_goes_on_first(bench: Bench, has: tuple[str, ...], stopped_by_hand: bool, hint: str) -> None:
    bench.has = has
    stands, found = explained(bench.world, FROZEN, HALF_WAY, stopped=stopped_by_hand)
    first, *ways = stands.split("\n")
    assert first == (HALF if has else NONE) and found == hint
    assert ways[0].startswith(f"  {hint}   ") and len(ways) == 2 and "#" not in stands


def test_nothing_is_explained_before_the_migrations_or_where_production_does_not_answer(bench: Bench) -> None:
    assert explained(bench.world, FROZEN, stopped(FROZEN, "promote.hold"), stopped=False) == ("", "")
    bench.has = StepFailed("no connection")
    assert explained(bench.world, FROZEN, HALF_WAY, stopped=False) == ("", "")


# --- the proof -------------------------------------------------------------------------------------------------------


def fingerprint(path: Path, rows: int = 3, schema: str = "s", last: int = 7) -> str:
    lines: list[dict[str, object]] = [
        {"table": "public.a", "rows": rows, "checksum": 5, "columns": [["id", "int8", "int8"]]},
        {"sequence": "public.a_id_seq", "last": last, "step": 1},
        {"schema": schema},
        {"complete": True, "server": 170002},
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path.name


@pytest.mark.parametrize(
    ("after", "wrong"),
    [
        ({}, ""),
        ({"rows": 2}, "public.a has 2 rows instead of 3"),
        ({"last": 6}, "sequence public.a_id_seq is at 6 behind 7"),
        ({"schema": "t"}, "its schema is another one"),
    ],
)
def test_it_is_proved_that_production_is_as_before(bench: Bench, after: dict[str, Any], wrong: str) -> None:
    folder = bench.world.inventory.folder
    given = {"before": fingerprint(folder / "before"), "after": fingerprint(folder / "after", **after)}
    if not wrong:
        said = "production is what it was before the release: 3 rows in 1 tables are equal"
        assert check_as_before(bench.world, **given) == said
        return
    with pytest.raises(DataDiffers) as caught:
        check_as_before(bench.world, **given)
    assert caught.value.message == f"after: production is not what it was before the release: {wrong}"
    assert caught.value.hint == "inv status"
