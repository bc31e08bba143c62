"""Auto-rollback among the runs: hand-made procedures whose steps are functions of the test, run and undone in memory;
what a failed promotion offers before it; and the proof that ends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ops.cli import failed_promotion as aftermath
from ops.cli import run as main
from ops.cli.console import Confirmation, Console
from ops.cli.options import Options
from ops.core.errors import DONE, DataDiffers, OpsError, Refused, StepFailed
from ops.engine import journal
from ops.engine.command import Tool
from ops.engine.effects import StepEffect
from ops.engine.journal import State
from ops.engine.outcome_text import Explanation, explain
from ops.engine.plan import Plan, make_plan
from ops.engine.registry import TOOLS
from ops.engine.step import Check, Procedure, Step
from ops.infra.postgres.client import Tools
from ops.procedures.catalog import replan
from ops.procedures.planning import new_backup
from ops.procedures.planning.look import Look
from ops.procedures.planning.request import Wanted
from ops.procedures.promote import promote
from ops.procedures.release import auto_rollback
from ops.release.production.failed_release import check_as_before
from tests.cli import test_failed_promotion
from tests.cli.test_failed_promotion import (
    BACK,
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

bench = test_failed_promotion.bench
IS_FROZEN = Check("is_frozen", "It is frozen", "It must be.", lambda _: Tool("is-frozen"))


def reading(name: str, tool: str, *does: StepEffect) -> Step:
    return Step(name, f"Do {name}", "Why.", lambda _: Tool(tool), reads=True, again=True, does=does)


def procedure(name: str, *steps: Step) -> Procedure:
    made = Procedure(name, name, "What for.", "What then.")
    made.entries = [(step, lambda c: c) for step in steps]
    return made


FREEZE = Step(
    "promote.freeze",
    "Freeze",
    "Why.",
    lambda _: Tool("freeze"),
    does=(StepEffect.FREEZES,),
    proof=IS_FROZEN,
    undo=lambda _: Tool("thaw"),
    again=True,
    confirm=True,
)
PROMOTE = procedure(
    "promote",
    FREEZE,
    reading("last-backup.seal", "well", StepEffect.LAST, StepEffect.SEALS),
    reading("promote.migrate", "break", StepEffect.MIGRATES),
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
        plan = make_plan(made, INPUTS.replace(release={"auto_rollback": auto}, test=""))
        screen, word = Console(out=self.bench.out), Confirmation("shop", False, "")
        return main._work(self.bench.session, plan, screen, word, lambda: self.held.append(""), **more)

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
    undone = ["undoing", "promote.freeze undoing", "promote.freeze undone", "outcome done 0", "outcome failed 4"]
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
    assert header["inputs"]["rollback"]["failed_run"] == RUN  # type: ignore[index]
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
    said = f"\n{error.outcome.upper()}  {error.message}\nState: "
    assert said in runs.bench.out.getvalue() and f"inv resume --run={BACK}" in runs.bench.out.getvalue()
    assert runs.frozen


def test_an_undo_that_fails_ends_with_its_own_code(runs: Runs) -> None:
    runs.bench.has, runs.stuck = (), True
    with pytest.raises(StepFailed, match='"Freeze" was undone, but its proof still holds'):
        runs.go()
    assert runs.told(RUN) == [*failing(), "undoing", "promote.freeze undoing", "outcome failed 4"]


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
    with pytest.raises(StepFailed, match="proof still holds"):
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
    inputs = INPUTS.replace(release={"auto_rollback": auto}, freezes=frozen)
    monkeypatch.setattr(main, "bind", lambda *_: inputs)
    with pytest.raises(Refused, match="no terminal to confirm it"):
        main.start("promote", Options(inventory=str(bench.session.inventory.file), auto_rollback=auto))
    assert ("--auto-rollback has no effect: this plan does not freeze" in capsys.readouterr().out) == said


@pytest.mark.parametrize("plan", [FROZEN, OPEN])
def test_a_resume_remembers_it(plan: Plan) -> None:
    header = json.loads(json.dumps(main._header(plan, "")))
    assert replan(State(header)).inputs.release.auto_rollback
    header["inputs"]["release"]["auto_rollback"] = False
    assert not replan(State(header)).inputs.release.auto_rollback


def test_a_promotion_that_may_be_taken_back_needs_what_restores(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(new_backup, "fitting", lambda *given: asked.append(given[-1]) or Tools(15, Path()))
    for made, auto in ((promote, False), (promote, True), (auto_rollback, False)):
        look = Look(bench.session, bench.session.inventory.target("shop"), made, Wanted(auto_rollback=auto), dumped=15)
        look.connections.append(9)
        new_backup.choose_tools(look, {"encryption": {}})
    assert asked == [False, True, True]


def test_it_is_a_rollback_that_proves_itself_before_users_write() -> None:
    plan = make_plan(
        auto_rollback,
        INPUTS.replace(run=BACK, rollback={"failed_run": RUN}, deploy={"commit": "c0ffee"}, freezes=False),
    )
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
NONE = (
    "no migration of this release is applied on production (2 pending), "
    "and the migration that did not finish ran in one transaction, which was rolled back"
)
HALF = f"production is partly migrated (applied: {FIRST}; not applied: {SECOND})"


@pytest.mark.parametrize(
    ("has", "stopped_by_hand", "hint"),
    [((FIRST,), False, ROLLBACK), ((FIRST,), True, RESUME), ((), False, RESUME), ((), True, RESUME)],
)
def test_who_stopped_it_goes_on_first(bench: Bench, has: tuple[str, ...], stopped_by_hand: bool, hint: str) -> None:
    bench.has = has
    found = explain(bench.session, FROZEN, HALF_WAY, stopped=stopped_by_hand)
    first, *ways = found.lines("")
    assert first == (HALF if has else NONE) and found.hint == hint
    assert ways[0].startswith(f"  {hint}   ") and len(ways) == 2 and "#" not in "".join(ways)


def test_nothing_is_explained_before_the_migrations_or_where_production_does_not_answer(bench: Bench) -> None:
    assert explain(bench.session, FROZEN, stopped(FROZEN, "promote.hold"), stopped=False) == Explanation()
    bench.has = StepFailed("no connection")
    assert explain(bench.session, FROZEN, HALF_WAY, stopped=False) == Explanation()


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
        ({"last": 6}, "sequence public.a_id_seq is at 6, behind 7"),
        ({"schema": "t"}, "its schema is different"),
    ],
)
def test_it_is_proved_that_production_is_as_before(bench: Bench, after: dict[str, Any], wrong: str) -> None:
    folder = bench.session.inventory.folder
    given = {"before": fingerprint(folder / "before"), "after": fingerprint(folder / "after", **after)}
    if not wrong:
        said = "production is as it was before the release: 3 rows in 1 tables are equal"
        assert check_as_before(bench.session, **given) == said
        return
    with pytest.raises(DataDiffers) as caught:
        check_as_before(bench.session, **given)
    assert caught.value.message == f"production is not as it was before the release: {wrong}"
    assert caught.value.hint == "inv status"
