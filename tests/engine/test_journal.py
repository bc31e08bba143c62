"""The journal: what was written is read again, whatever a crash left of the last line."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ops.core.errors import OpsError, Refused
from ops.engine.effects import Effect, StepEffect
from ops.engine.journal import Event, Journal, State, is_executing, read, runs
from tests.support.examples import examples

HEADER: Event = {"event": "run", "run": "r1", "procedure": "release", "target": "shop", "inputs": {}}


def step(name: str, status: str, **more: object) -> Event:
    return {"event": "step", "step": name, "status": status, **more}


def outcome(said: str, **more: object) -> Event:
    return {"event": "outcome", "outcome": said, "reason": "", "hint": "", **more}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run's journal and gives its folder."""

    def write(*events: Event, run: str = "r1") -> Path:
        folder = tmp_path / "shop" / "runs" / run
        journal = Journal(folder)
        for event in ({**HEADER, "run": run}, *events):
            journal.append(event)
        journal.close()
        return folder

    return write


def test_what_was_appended_is_read(write: Callable[..., Path]) -> None:
    state = read(
        write(
            step("a", "begun"),
            {"event": "fact", "name": "ROWS", "value": "12"},
            step("a", "done", seconds=1.5),
            step("b", "begun"),
            outcome("failed"),
        )
    )
    assert (state.run, state.procedure, state.target) == ("r1", "release", "shop")
    assert (state.status, state.facts, state.seconds) == ({"a": "done", "b": "begun"}, {"ROWS": "12"}, {"a": 1.5})
    assert state.outcome == state.last == outcome("failed")
    assert not state.finished


@given(value=st.text(st.characters(max_codepoint=0x7E)) | st.text("äß€😀\ue000\ue001"))
@settings(max_examples=examples(30), deadline=None)
def test_text_comes_back_as_it_went_in(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    journal = Journal(tmp_path_factory.mktemp("run") / "r1")
    journal.append({**HEADER, "reason": value})
    journal.close()
    assert read(journal.folder).header["reason"] == value


def test_a_line_is_on_the_disk_as_soon_as_it_was_appended(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "r1")
    journal.append(HEADER)
    assert read(tmp_path / "r1").run == "r1"
    journal.close()


def test_steps_are_named_in_the_order_in_which_they_came_to_their_state(write: Callable[..., Path]) -> None:
    events = (step("a", "begun"), step("b", "done"), step("a", "done"), step("b", "skipped"), step("c", "failed"))
    state = read(write(*events))
    assert state.names("done") == ["b", "a"]
    assert state.names("failed", "undone") == ["c"]


# --- what a crash leaves ---------------------------------------------------------------------------------------------


def test_a_last_line_cut_at_any_byte_loses_nothing_before_it(write: Callable[..., Path]) -> None:
    folder = write(step("a", "done"), step("b", "done", detail="große Tabelle €"))
    content = (folder / "journal.jsonl").read_bytes()
    start = content.rstrip(b"\n").rindex(b"\n") + 1
    for end in range(start, len(content)):
        (folder / "journal.jsonl").write_bytes(content[:end])
        before = read(folder)
        assert before.status == {"a": "done"} | ({"b": "done"} if end == len(content) - 1 else {}), content[start:end]
        journal = Journal(folder)
        journal.append(step("c", "done"))
        journal.close()
        assert read(folder).status == before.status | {"c": "done"}, content[start:end]


def test_a_header_cut_at_any_byte_means_that_nothing_was_changed(write: Callable[..., Path]) -> None:
    path = write() / "journal.jsonl"
    content = path.read_bytes()
    for end in range(len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(OpsError, match="so this run changed nothing"):
            read(path.parent)


@given(garbage=st.binary(max_size=40).filter(lambda some: b"{" not in some))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_garbage_lines_are_passed_over(write: Callable[..., Path], garbage: bytes) -> None:
    path = write(step("a", "done")) / "journal.jsonl"
    header, line = path.read_bytes().splitlines(keepends=True)[:2]
    path.write_bytes(header + garbage + b"\n" + line)
    assert read(path.parent).status == {"a": "done"}
    path.unlink()


@pytest.mark.parametrize("line", ["[]", "null", "1", '"step"', "{", '{"event": "later version"}', "{}", "\0\0\0"])
def test_lines_that_are_no_events_are_passed_over(write: Callable[..., Path], line: str) -> None:
    path = write(step("a", "done")) / "journal.jsonl"
    with path.open("a") as file:
        file.write(line + "\n")
    assert read(path.parent).status == {"a": "done"}


@pytest.mark.parametrize(
    ("more", "effects"),
    [
        ({}, {Effect.RELEASES}),
        ({"effects": []}, set()),
        ({"procedure": "bring-back", "effects": ["saves", "salvages", "new"]}, {Effect.SAVES, Effect.SALVAGES, "new"}),
        ({"procedure": "bring-back"}, set()),
        ({"effects": "saves"}, {Effect.RELEASES}),
        ({"effects": [{}, 1]}, {"{}", "1"}),
    ],
)
def test_what_a_run_does_stands_in_its_header_and_of_old_ones_in_their_name(more: Event, effects: set[str]) -> None:
    assert State({**HEADER, **more}).effects == effects


@pytest.mark.parametrize(
    ("more", "steps"),
    [
        ({}, {"promote.freeze", "rollback.freeze", "railway-restore.freeze", "freeze.refuse_writes"}),
        ({"step_effects": {}}, set()),
        ({"step_effects": {"freezes": ["a", "b"], "restores": ["c"]}}, {"a", "b"}),
        ({"step_effects": {"freezes": "a"}}, set()),
    ],
)
def test_what_a_step_does_stands_in_the_header_and_of_old_runs_in_its_name(more: Event, steps: set[str]) -> None:
    assert State({**HEADER, **more}).steps_with(StepEffect.FREEZES) == steps


@pytest.mark.parametrize("content", ["", "\n", '{"event": "run", "run": "r1"}\n', '{"event": "outcome"}\n', None])
def test_without_a_header_nothing_is_said(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "journal.jsonl").write_text(content)
    with pytest.raises(OpsError, match="no header can be read") as caught:
        read(tmp_path)
    assert caught.value.hint == "inv runs"


# --- one at a time ---------------------------------------------------------------------------------------------------


def test_a_run_is_executing_while_its_journal_is_open(write: Callable[..., Path], tmp_path: Path) -> None:
    folder = write()
    assert not is_executing(folder) and not is_executing(tmp_path / "no-run")
    journal = Journal(folder)
    assert is_executing(folder)
    journal.close()
    assert not is_executing(folder)


def test_a_second_hand_on_the_same_journal_is_refused(write: Callable[..., Path]) -> None:
    folder = write()
    first = Journal(folder)
    with pytest.raises(Refused, match="another process on this machine is executing run r1"):
        Journal(folder)
    first.append(step("a", "done"))
    first.close()
    Journal(folder).close()
    assert read(folder).status == {"a": "done"}


def test_a_journal_held_by_another_process_is_refused_until_that_is_killed(write: Callable[..., Path]) -> None:
    folder = write()
    code = "import sys, pathlib, ops.engine.journal as j; _ = j.Journal(pathlib.Path(sys.argv[1])); "
    code += "print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout and other.stdout.readline()
        with pytest.raises(Refused):
            Journal(folder)
        other.kill()
    Journal(folder).close()


def test_a_journal_is_for_its_owner_only(write: Callable[..., Path]) -> None:
    folder = write()
    assert stat.S_IMODE((folder / "journal.jsonl").stat().st_mode) == 0o600
    assert [stat.S_IMODE(part.stat().st_mode) for part in (folder, folder.parent, folder.parent.parent)] == [0o700] * 3


# --- outcomes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "finished", "undone"),
    [
        (outcome("done"), True, False),
        (outcome("done", undone=True), True, True),
        (outcome("failed"), False, False),
        (outcome("refused"), False, False),
        (outcome("interrupted"), False, False),
        (step("a", "done"), False, False),
    ],
)
def test_a_run_is_finished_when_it_ended_well_or_was_taken_back(
    write: Callable[..., Path], event: Event, finished: bool, undone: bool
) -> None:
    state = read(write(event))
    assert (state.finished, state.undone) == (finished, undone)


@pytest.mark.parametrize("event", ["resumed", "undoing"])
def test_whoever_takes_a_run_up_again_resets_its_outcome(write: Callable[..., Path], event: str) -> None:
    state = read(write(step("a", "done"), outcome("done"), {"event": event, "run": "r1"}))
    assert (state.outcome, state.finished, state.status) == (None, False, {"a": "done"})
    state = read(write(outcome("done"), {"event": event}, outcome("done", undone=True), run="r2"))
    assert state.undone


def test_runs_are_listed_oldest_first_and_without_the_unreadable(write: Callable[..., Path]) -> None:
    folder = [write(run=run) for run in ("20260102_r", "20260101_r", "20260103_r")][0].parent.parent
    (folder / "runs" / "20260103_r" / "journal.jsonl").write_text("")
    assert [state.run for state in runs(folder)] == ["20260101_r", "20260102_r"]
    assert runs(folder / "nowhere") == []


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0c", "\r"])
def test_a_reason_may_hold_any_separator(tmp_path: Path, separator: str) -> None:
    log = Journal(tmp_path / "r1")
    header = {"event": "run", "run": "r1", "procedure": "p", "target": "shop", "inputs": {}, "reason": f"x{separator}y"}
    log.append(header)
    log.close()
    assert read(tmp_path / "r1").header == header
