"""Run, resume and undo: hand-made procedures whose steps really make and remove files."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ops.cli.all_actions import TOOLS
from ops.core.errors import Code, OpsError, Refused, StepFailed, Unreachable
from ops.engine import journal
from ops.engine.answer import Answer
from ops.engine.command import Fact, Shell, Tool
from ops.engine.inputs import RunInputs
from ops.engine.journal import Event, Journal, State
from ops.engine.plan import make_plan
from ops.engine.runner import Runner
from ops.engine.step import Check, Procedure, Step
from ops.infra.postgres.failure_text import lock_wait
from ops.infra.session import run_hooks  # noqa: F401
from ops.infra.session.session import Session
from ops.inventory.load import load

INVENTORY = "all: {children: {production: {hosts: {shop: {database: env:X}}}}}"
INPUTS = RunInputs(run="r1", target="shop", database="shop", store="backups", backup="r1")
HEADER: Event = {"event": "run", "run": "r1", "procedure": "p", "target": "shop", "inputs": {}}


def sh(script: str, *words: Any) -> Any:
    """An act of one command."""
    return lambda _: Shell(("sh", "-c", script, "sh", *words), "")


def exists(name: str) -> Check:
    return Check(f"is_{name}", f"{name} is there", "It must be.", sh('test -e "$1"', name), f"make {name}")


def gone(name: str) -> Check:
    return Check(f"no_{name}", f"{name} is not there", "It must not be.", sh('test ! -e "$1"', name))


def step(name: str, **changed: Any) -> Step:
    """Makes the file ``name`` and writes itself into ``log``; undo removes it and says so there."""
    plain = Step(
        name,
        f"Make {name}",
        "It is needed.",
        sh('echo "$1" >> log; touch "$1"', name),
        proof=exists(name),
        undo=sh('echo "-$1" >> log; rm "$1"', name),
        again=True,
    )
    return replace(plain, **changed)


@dataclass
class Bench:
    """A folder with an inventory and one run's journal; each ``go`` or ``undo`` is a process of its own, as it were."""

    folder: Path
    events: list[Event] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    typed: bool = True
    held: Callable[[], None] = lambda: None

    def go(self, *steps: Step) -> Event:
        return self._with(steps, Runner.go)

    def undo(self, *steps: Step) -> Event:
        return self._with(steps, Runner.undo)

    def _with(self, steps: tuple[Step, ...], work: Callable[[Runner], Event]) -> Event:
        procedure = Procedure("p", "P", "What for.", "What then.")
        procedure.entries = [(one, lambda c: c) for one in steps]
        log, self.events = Journal(self.runs), []
        if not log.path.read_text():
            log.append(HEADER)
        session = Session(load(self.folder / "inventory.yaml"), {"PATH": "/usr/bin:/bin", "X": ""})
        try:
            plan = make_plan(procedure, INPUTS)
            return work(Runner(session, plan, log, self.state, self.events.append, self._ask, self.held))
        finally:
            log.close()

    def _ask(self, target: str, title: str) -> None:
        self.asked.append(title)
        if not self.typed:
            raise Refused(f"{target}: nothing was typed", "inv resume")

    def happened(self, *events: Event) -> None:
        """Write what an earlier process wrote before it was killed."""
        log = Journal(self.runs)
        for event in (HEADER, *events):
            log.append(event)
        log.close()

    @property
    def runs(self) -> Path:
        return self.folder / "runs" / "r1"

    @property
    def state(self) -> State:
        return journal.read(self.runs)

    @property
    def log(self) -> list[str]:
        path = self.folder / "log"
        return path.read_text().split() if path.exists() else []

    def there(self, *names: str) -> list[bool]:
        return [(self.folder / name).exists() for name in names]

    def statuses(self) -> list[str]:
        return [f"{event['step']} {event['status']}" for event in self.events if event["event"] == "step"]

    @property
    def outcome(self) -> Event:
        assert self.state.outcome is not None
        return self.state.outcome


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    return Bench(tmp_path)


def begun(name: str) -> Event:
    return {"event": "step", "step": name, "status": "begun"}


def fails(name: str, words: str = "disk full") -> Step:
    return step(name, act=sh('echo "ERROR:  $1" >&2; exit 3', words))


# --- go --------------------------------------------------------------------------------------------------------------


def test_steps_run_in_order_and_each_is_journaled_before_and_after(bench: Bench) -> None:
    outcome = bench.go(step("a"), step("b"))
    assert (outcome["outcome"], outcome["exit"], bench.log) == ("done", 0, ["a", "b"])
    assert bench.statuses() == ["a begun", "a done", "b begun", "b done"]
    lines = [json.loads(line) for line in (bench.runs / "journal.jsonl").read_text().splitlines()]
    assert lines == [HEADER, *bench.events]


def test_the_outcome_has_the_keys_of_the_contract(bench: Bench) -> None:
    outcome = bench.go(step("a"))
    assert bench.events[-1] == {**outcome, "at": bench.events[-1]["at"]} == bench.outcome
    assert {key: outcome[key] for key in ("event", "procedure", "target", "run", "outcome", "exit")} == {
        "event": "outcome",
        "procedure": "p",
        "target": "shop",
        "run": "r1",
        "outcome": "done",
        "exit": 0,
    }
    assert (outcome["reason"], outcome["hint"]) == ("", "")
    with pytest.raises(StepFailed):
        bench.go(step("a"), fails("b"))
    assert outcome.keys() <= bench.outcome.keys()
    assert bench.outcome["reason"] == 'shop: sh -c echo "ERROR:  $1" >&2; exit 3: disk full'
    assert (bench.outcome["outcome"], bench.outcome["exit"]) == ("failed", 4)
    assert bench.outcome["hint"] == "inv resume --run=r1   or   inv undo --run=r1"


def test_a_step_event_has_the_keys_of_the_contract(bench: Bench) -> None:
    bench.go(step("a"))
    first, last = (event for event in bench.events if event["event"] == "step")
    assert {"event", "step", "status", "title", "number", "of", "at", "checked"} == first.keys()
    assert last.keys() == first.keys() - {"checked"} | {"seconds"}


def test_a_failed_step_stops_the_run(bench: Bench) -> None:
    with pytest.raises(StepFailed, match="disk full"):
        bench.go(step("a"), fails("b"), step("c"))
    assert bench.there("a", "b", "c") == [True, False, False]
    assert bench.state.status == {"a": "done", "b": "failed"}


def test_a_proof_that_does_not_hold_fails_a_step_that_exited_with_0(bench: Bench) -> None:
    with pytest.raises(StepFailed, match=r'shop: "Make a" ended, but its proof does not hold \(a is there\)'):
        bench.go(step("a", act=sh("true")), step("b"))
    assert (bench.state.status, bench.log) == ({"a": "failed"}, [])


def test_a_gate_that_does_not_hold_refuses_before_anything_ran(bench: Bench) -> None:
    with pytest.raises(Refused, match="shop: before \"Make a\": ") as caught:
        bench.go(step("a", gates=(gone("x"), exists("key"))), step("b"))
    assert (caught.value.exit_code, caught.value.hint) == (3, "make key")
    assert bench.outcome["hint"] == "make key, then   inv resume --run=r1   or   inv undo --run=r1"
    assert bench.log == []
    assert bench.statuses() == ["a refused"]
    assert (bench.outcome["outcome"], bench.outcome["stands"]) == ("refused", "nothing was changed")


def test_a_refused_run_goes_on_once_its_gate_holds(bench: Bench) -> None:
    steps = step("a"), step("b", gates=(exists("key"),))
    with pytest.raises(Refused):
        bench.go(*steps)
    (bench.folder / "key").touch()
    assert bench.go(*steps)["outcome"] == "done"
    assert bench.log == ["a", "b"]


def test_a_fact_reaches_later_steps_whole_and_survives_a_resume(bench: Bench) -> None:
    find = step("find", act=sh("echo noise; touch find; echo 'two words *'"), fact="ROWS")
    use = step("use", act=sh('printf %s "$1" > use', Fact("ROWS")))
    with pytest.raises(StepFailed):
        bench.go(find, fails("b"), use)
    bench.go(find, step("b"), use)
    assert (bench.folder / "use").read_text() == "two words *"
    assert bench.state.facts == {"ROWS": "two words *"}


def test_what_commands_print_is_kept_for_the_owner_only(bench: Bench) -> None:
    bench.go(step("a", act=sh("echo out; echo err >&2; touch a")))
    log = bench.runs / "a.log"
    assert log.read_text().splitlines()[1:] == ["out", "err"]
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_fault_of_ours_becomes_one_line_and_a_file(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.infra.session.run_hooks.said_error", lambda _: 1 / 0)
    with pytest.raises(OpsError, match='shop: "Make b": ZeroDivisionError: division by zero'):
        bench.go(step("a"), fails("b"))
    assert "Traceback" in (bench.runs / "fault.txt").read_text()
    assert bench.outcome["outcome"] == "failed"


def test_an_interruption_is_written_down(bench: Bench) -> None:
    def interrupt(*_: str) -> None:
        raise KeyboardInterrupt

    bench._ask = interrupt  # type: ignore[method-assign,assignment]
    with pytest.raises(OpsError, match='shop: interrupted before "Make b"') as caught:
        bench.go(step("a"), step("b", confirm=True))
    assert caught.value.exit_code == 130
    assert (bench.outcome["outcome"], bench.outcome["exit"]) == ("interrupted", 130)


def test_a_second_interruption_does_not_hide_how_the_first_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ops.engine.runner.reports", interrupt)
    with pytest.raises(OpsError, match="disk full") as caught:
        bench.go(step("a"), fails("b"))
    assert (caught.value.exit_code, caught.value.shown) == (4, False)
    assert "inv resume --run=r1" in caught.value.hint and bench.state.outcome is None


# --- confirm ---------------------------------------------------------------------------------------------------------


def test_the_operator_is_asked_once_and_before_the_first_step_that_asks(bench: Bench) -> None:
    bench.go(step("a"), step("b", confirm=True), step("c", confirm=True))
    assert bench.asked == ["Make b"]


@pytest.mark.parametrize(("code", "asked"), [(Code.AS_SHOWN, ["Make a"]), (Code.NONE, ["Make a", "Make c"])])
def test_what_was_learnt_since_is_asked_about_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, code: Code, asked: list[str]
) -> None:
    monkeypatch.setitem(TOOLS, "count-toy", lambda world: Answer("as shown, or not: nobody reads it", code))
    count = step("b", act=lambda _: Tool("count-toy"), proof=None, reads=True, undo=None, fact="COUNT")
    doubted = step("c", confirm=True, doubted=lambda codes: codes["COUNT"] != Code.AS_SHOWN)
    bench.go(step("a", confirm=True), count, doubted)
    assert bench.asked == asked
    assert bench.state.codes["COUNT"] == code


def test_undo_tells_what_its_commands_said(bench: Bench) -> None:
    one = step("a", undo=sh('rm "$1"; echo "it was empty"', "a"))
    bench.go(one)
    bench.undo(one)
    assert [event["detail"] for event in bench.events if event.get("status") == "undone"] == ["it was empty"]


def test_whoever_types_nothing_changes_nothing(bench: Bench) -> None:
    bench.typed = False
    with pytest.raises(Refused, match="nothing was typed"):
        bench.go(step("a", confirm=True))
    assert (bench.log, bench.statuses()) == ([], ["a refused"])


def test_gates_come_before_the_question(bench: Bench) -> None:
    with pytest.raises(Refused):
        bench.go(step("a", confirm=True, gates=(exists("key"),)))
    assert bench.asked == []


# --- resume ----------------------------------------------------------------------------------------------------------


def test_done_steps_are_skipped_on_resume(bench: Bench) -> None:
    with pytest.raises(StepFailed):
        bench.go(step("a"), fails("b"))
    (bench.folder / "a").unlink()
    bench.go(step("a"), step("b"))
    assert bench.log == ["a", "b"]
    assert bench.statuses() == ["a skipped", "b begun", "b done"]


@pytest.mark.parametrize("again", [True, False])
def test_an_interrupted_step_whose_proof_holds_is_done_without_running_again(bench: Bench, again: bool) -> None:
    bench.happened(begun("a"))
    (bench.folder / "a").touch()
    bench.go(step("a", again=again), step("b"))
    assert bench.log == ["b"]
    assert bench.state.status == {"a": "done", "b": "done"}


def test_an_interrupted_step_is_redone_where_that_is_safe(bench: Bench) -> None:
    bench.happened(begun("a"))
    bench.go(step("a"))
    assert bench.log == ["a"]


def test_an_interrupted_step_that_must_not_run_twice_is_refused(bench: Bench) -> None:
    bench.happened(begun("a"))
    with pytest.raises(Refused, match='"Make a" was interrupted, and repeating it is not safe') as caught:
        bench.go(step("a", again=False), step("b"))
    assert (caught.value.hint, bench.log) == ("inv undo --run=r1", [])


def test_a_step_whose_command_failed_is_done_again_whatever_its_proof_says(bench: Bench) -> None:
    half = step("a", act=sh('echo half >> log; touch "$1"; echo "ERROR:  no such role" >&2; exit 1', "a"))
    with pytest.raises(StepFailed):
        bench.go(half)
    with pytest.raises(StepFailed, match="no such role"):
        bench.go(half)
    assert bench.state.failed == {"a"}
    bench.go(step("a"))
    assert bench.log == ["half", "half", "a"]
    assert bench.state.failed == set()


def test_what_failed_and_must_not_run_twice_is_not_done_by_its_proof(bench: Bench) -> None:
    half = step("a", again=False, act=sh('touch "$1"; echo "ERROR:  no such role" >&2; exit 1', "a"))
    with pytest.raises(StepFailed):
        bench.go(half)
    with pytest.raises(Refused, match='"Make a" failed, and repeating it is not safe'):
        bench.go(half)


def test_a_step_that_ended_and_whose_proof_did_not_hold_yet_is_done_where_it_holds_now(bench: Bench) -> None:
    late = step("a", act=sh("echo a >> log"))
    with pytest.raises(StepFailed, match="its proof does not hold"):
        bench.go(late)
    (bench.folder / "a").touch()
    bench.go(late)
    assert bench.log == ["a"]


def test_a_lost_run_lock_stops_before_the_next_step(bench: Bench) -> None:
    def lost() -> None:
        raise StepFailed("shop: the run lock was lost")

    bench.held = lost
    with pytest.raises(StepFailed, match="lock was lost"):
        bench.go(step("a"))
    assert bench.log == []


# --- retries ---------------------------------------------------------------------------------------------------------

COUNT = 'echo "$1" >> log; if [ "$(wc -l < log)" -lt 3 ]; then echo "ERROR:  $2" >&2; exit 1; fi; touch "$1"'


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.engine.runner.PAUSES", (0.001,) * 7)


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("said", ["canceling statement due to lock timeout", "deadlock detected"])
def test_a_lock_that_is_not_to_be_had_is_tried_again(bench: Bench, said: str) -> None:
    bench.go(step("a", act=sh(COUNT, "a", said), retries=lambda _: 5))
    assert bench.log == ["a"] * 3
    assert [event["event"] for event in bench.events].count("note") == 2


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(
    ("said", "retries"),
    [('relation "a" already exists', 5), ("canceling statement due to lock timeout", 1), ("deadlock detected", 0)],
)
def test_nothing_else_is_tried_again_and_nothing_for_ever(bench: Bench, said: str, retries: int) -> None:
    with pytest.raises(StepFailed, match=said):
        bench.go(step("a", act=sh(COUNT, "a", said), retries=lambda _: retries))
    assert bench.log == ["a"] * (1 + (retries == 1))


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("holds", ["exit 0", "echo 'a half is done' >&2; exit 1"])
def test_a_lock_is_waited_for_again_only_where_repeating_is_safe(bench: Bench, holds: str) -> None:
    both = tuple(Check(name, name, "Why.", sh(script)) for name, script in (("one", "exit 1"), ("two", holds)))
    one = step("a", act=sh(COUNT, "a", "lock timeout"), retries=lambda _: 5, repeatable=both)
    if holds == "exit 0":
        bench.go(one)
        return
    with pytest.raises(StepFailed, match="lock timeout.*; not tried again: .*a half is done"):
        bench.go(one)
    assert bench.log == ["a"]
    with pytest.raises(Refused, match='"Make a" failed, and repeating it could execute a part twice') as caught:
        bench.go(one)
    assert caught.value.hint == "inv undo --run=r1   and then repeat the procedure"
    assert bench.log == ["a"]


@pytest.mark.usefixtures("no_pauses")
def test_where_it_can_not_be_asked_whether_repeating_is_safe_it_is_not_repeated(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to know is neither yes nor no: the second check would allow it, and the run could go on later."""
    both = tuple(Check(name, name, "Why.", sh(":")) for name in ("unknown", "holds"))
    one = step("a", act=sh(COUNT, "a", "lock timeout"), retries=lambda _: 5, repeatable=both)

    def execute(self: Runner, command: Shell, key: str, *more: Any) -> str:
        if key == "unknown":
            raise Unreachable("shop: the server does not answer", "inv status")
        return executed(self, command, key, *more)

    executed = Runner.execute
    monkeypatch.setattr(Runner, "execute", execute)
    with pytest.raises(Unreachable):
        bench.go(one)
    assert bench.log == ["a"]


def test_what_was_seen_before_the_commands_is_no_proof(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that a gate took is remembered; gates, each command and the proof look anew."""
    seen: list[tuple[str, bool]] = []

    def execute(self: Runner, command: Shell, key: str, *more: Any) -> str:
        seen.append((key, bool(looked(self))))
        looked(self)["look"] = key
        return executed(self, command, key, *more)

    def looked(runner: Any) -> dict[str, Any]:
        found: dict[str, Any] = runner.session.looked_up("shop", "test")
        return found

    executed = Runner.execute
    monkeypatch.setattr(Runner, "execute", execute)
    bench.go(step("a", gates=(gone("a"),)), step("b", gates=(exists("a"),)))
    assert seen == [("no_a", False), ("a", False), ("is_a", False), ("is_a", False), ("b", False), ("is_b", False)]


def test_lock_waits_are_told_from_other_errors() -> None:
    assert lock_wait("migrate: canceling statement due to lock timeout")
    assert not lock_wait("migrate: canceling statement due to statement timeout")


# --- undo ------------------------------------------------------------------------------------------------------------


def test_undo_walks_back_in_reverse_and_then_the_run_can_be_done_again(bench: Bench) -> None:
    steps = step("a"), step("b", undo=None, stays="It is harmless."), step("c"), step("d")
    with pytest.raises(StepFailed):
        bench.go(*steps[:3], fails("d"))
    (bench.folder / "d").touch()
    outcome = bench.undo(*steps)
    assert (outcome["outcome"], outcome["exit"], outcome["undone"]) == ("done", 0, True)
    assert bench.log == ["a", "b", "c", "-d", "-c", "-a"]
    assert bench.there("a", "b", "c", "d") == [False, True, False, False]
    assert bench.statuses() == [f"{one} {status}" for one in "dca" for status in ("undoing", "undone")]
    assert bench.state.undone
    bench.go(*steps)
    assert bench.there("a", "b", "c", "d") == [True] * 4
    assert bench.log[6:] == ["a", "c", "d"]


def test_undo_takes_an_interrupted_step_back(bench: Bench) -> None:
    bench.happened(begun("a"))
    (bench.folder / "a").touch()
    bench.undo(step("a"), step("b"))
    assert (bench.log, bench.there("a")) == (["-a"], [False])


def test_undo_is_not_believed_where_the_proof_still_holds(bench: Bench) -> None:
    stuck = step("a", undo=sh("true"))
    bench.go(stuck)
    with pytest.raises(StepFailed, match='"Make a" was undone, but its proof still holds'):
        bench.undo(stuck)
    assert bench.state.status == {"a": "undoing"}


def test_an_undo_that_failed_goes_on_where_it_stopped(bench: Bench) -> None:
    steps = step("a"), step("b", undo=sh("test -e key && rm b")), step("c")
    bench.go(*steps)
    with pytest.raises(StepFailed):
        bench.undo(*steps)
    assert bench.state.status == {"a": "done", "b": "undoing", "c": "undone"}
    (bench.folder / "key").touch()
    bench.undo(*steps)
    assert bench.log == ["a", "b", "c", "-c", "-a"]


def test_undo_asks_once_where_the_procedure_asks(bench: Bench) -> None:
    steps = step("a", confirm=True), step("b", confirm=True)
    bench.go(*steps)
    bench.undo(*steps)
    assert bench.asked == ["Make a", "Undo: Make b; Make a"]


FINAL = {"undo": None, "final": "What is sent is sent.", "on_failure": lambda _: "inv rollback"}


def test_undo_refuses_after_a_final_step_that_is_done(bench: Bench) -> None:
    steps = step("a"), step("b", untouched=gone("b"), **FINAL), step("c")
    bench.go(*steps)
    with pytest.raises(Refused, match="shop: \"Make b\" can't be undone: What is sent is sent.") as caught:
        bench.undo(*steps)
    assert (caught.value.hint, bench.log) == ("inv rollback", ["a", "b", "c"])


def test_a_refused_undo_says_what_leads_on_also_where_the_step_does_not(bench: Bench) -> None:
    steps = step("a", undo=None, final="What is sent is sent."), fails("b")
    with pytest.raises(StepFailed):
        bench.go(*steps)
    with pytest.raises(Refused, match="can't be undone") as caught:
        bench.undo(*steps)
    assert caught.value.hint == f"inv resume --run={INPUTS.run}"


def test_a_refused_undo_of_a_run_that_is_done_names_the_backups(bench: Bench) -> None:
    steps = (step("a", undo=None, final="What is sent is sent."),)
    bench.go(*steps)
    with pytest.raises(Refused, match="can't be undone") as caught:
        bench.undo(*steps)
    assert caught.value.hint == "inv backups --target=shop"


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ('connection to server at "db", port 5432 failed: Connection refused', "inv resume --run=r1   or   inv undo"),
        ("server closed the connection unexpectedly", "inv resume --run=r1   or   inv undo"),
        ('connection to server at "db" failed: FATAL:  database "shop" does not exist', "inv rollback"),
        ("1 migration is left", "inv rollback"),
    ],
)
def test_a_server_that_does_not_answer_after_a_step_decides_nothing(bench: Bench, said: str, hint: str) -> None:
    proof = Check("is_b", "b is there", "It must be.", sh('echo "$1" >&2; exit 1', said))
    with pytest.raises(StepFailed):
        bench.go(step("a"), step("b", proof=proof, **FINAL))
    assert bench.outcome["hint"].startswith(hint), bench.outcome


def test_undo_refuses_after_a_final_step_that_is_done_even_if_it_seems_untouched(bench: Bench) -> None:
    steps = step("a"), step("b", untouched=exists("a"), **FINAL)
    bench.go(*steps)
    with pytest.raises(Refused):
        bench.undo(*steps)


@pytest.mark.parametrize("script", ["exit 1", "touch b; exit 1"])
def test_undo_goes_on_where_a_failed_final_step_left_no_trace(bench: Bench, script: str) -> None:
    steps = step("a"), step("b", act=sh(script), untouched=gone("b"), **FINAL)
    with pytest.raises(StepFailed):
        bench.go(*steps)
    if script == "exit 1":
        assert bench.undo(*steps)["undone"]
        assert bench.log == ["a", "-a"]
    else:
        with pytest.raises(Refused, match="can't be undone"):
            bench.undo(*steps)
        assert bench.log == ["a"]


def test_undo_goes_on_where_a_final_step_was_refused_by_its_gate(bench: Bench) -> None:
    steps = step("a"), step("b", gates=(exists("key"),), untouched=gone("b"), **FINAL)
    with pytest.raises(Refused):
        bench.go(*steps)
    assert bench.undo(*steps)["undone"]
    assert bench.log == ["a", "-a"]


# --- what stands -----------------------------------------------------------------------------------------------------


def test_what_stands_is_said_in_words(bench: Bench) -> None:
    freeze = step("freeze", meanwhile="production is frozen")
    thaw = step("thaw", ends="production is frozen")
    change = step("change", data="production was migrated")
    with pytest.raises(StepFailed):
        bench.go(freeze, fails("change"), thaw)
    assert bench.outcome["stands"] == (
        "this run has not changed production's data; production is frozen; not finished: \"Make change\"; "
        '1 step that changes something is done: "Make freeze"'
    )
    assert "production was migrated" in str(bench.go(freeze, change, thaw)["stands"])
    assert "frozen" not in str(bench.outcome["stands"])


def test_a_promise_of_a_step_that_failed_is_not_called_broken(bench: Bench) -> None:
    """A freeze that failed on a full disk: the text offered to take back and begin anew, where going on was right."""
    freeze = replace(fails("freeze"), meanwhile="production is frozen")
    with pytest.raises(StepFailed):
        bench.go(freeze)
    assert 'did not finish, so this is not true: "production is frozen' in str(bench.outcome["stands"])
    assert "no longer" not in str(bench.outcome["stands"])


def test_reading_changes_nothing(bench: Bench) -> None:
    read = step("a", reads=True, undo=None, proof=None)
    assert bench.go(read)["stands"] == "nothing was changed"


def test_a_final_step_that_a_gate_refused_is_not_in_the_way_of_undo(bench: Bench) -> None:
    steps = (step("a"), step("b", undo=None, final="No.", gates=(exists("ready"),), untouched=exists("ready")))
    with pytest.raises(Refused):
        bench.go(*steps)
    assert bench.undo(*steps)["outcome"] == "done"
    assert bench.there("a", "b") == [False, False]
    assert bench.log == ["a", "-a"]


def test_a_step_that_a_gate_refused_is_begun_for_the_first_time_afterwards(bench: Bench) -> None:
    steps = (step("a", again=False, gates=(exists("ready"),)),)
    with pytest.raises(Refused):
        bench.go(*steps)
    (bench.folder / "ready").touch()
    assert bench.go(*steps)["outcome"] == "done"


def test_a_fact_is_found_again_where_only_its_proof_was_seen(bench: Bench) -> None:
    (bench.folder / "a").touch()
    bench.happened({"event": "step", "step": "a", "status": "begun"})
    finder = step("a", act=sh("echo 42"), fact="ANSWER")
    user = step("b", act=lambda _: Shell(("sh", "-c", 'touch b; test "$1" = 42', "sh", Fact("ANSWER")), ""))
    assert bench.go(finder, user)["outcome"] == "done"


def test_a_full_disk_is_told_once_where_the_journal_cannot_be_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Journal, event: Event) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "journal.jsonl")

    bench.happened()
    monkeypatch.setattr(Journal, "append", full)
    with pytest.raises(Unreachable):
        bench.go(step("a"))
    hint = "free disk space for the store (df -h), then   inv resume --run=r1   or   inv undo --run=r1"
    assert bench.events[-1]["hint"] == hint
