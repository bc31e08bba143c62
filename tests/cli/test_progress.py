"""What a running step prints: one line at its end and one a minute without a terminal; one line in place with one."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import pytest

from ops.cli import progress
from ops.cli.console import Console
from ops.core.pace import Pace

STEP = {"event": "step", "step": "backup.dump", "number": 2, "of": 26, "title": "Dump on one snapshot"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show(screen: Console, status: str, **more: Any) -> None:
    screen.show({**STEP, "status": status, **more})


@pytest.mark.parametrize("begun, ended, mark", [("begun", "done", "✓"), ("undoing", "undone", "↩ undone:")])
def test_a_step_prints_one_line_when_it_ends(begun: str, ended: str, mark: str) -> None:
    out = io.StringIO()
    screen = Console(out=out)
    show(screen, begun)
    assert out.getvalue() == ""
    show(screen, ended, seconds=1.5, detail="8,112 rows")
    assert out.getvalue() == f"[ 2/26] {mark} Dump on one snapshot  1.5 s\n        8,112 rows\n"


def test_a_step_that_goes_on_prints_a_line_each_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "MINUTE", 0.01)
    out = io.StringIO()
    screen = Console(expected={"backup.dump": 243}, out=out)
    show(screen, "begun")
    deadline = time.monotonic() + 30
    while out.getvalue().count("\n") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    show(screen, "done", seconds=120)
    *running, last = out.getvalue().splitlines()
    assert len(running) >= 2
    for line in running:
        assert line.startswith("[ 2/26] … Dump on one snapshot (last time 4 min 3 s), running for 0.")
    assert last == "[ 2/26] ✓ Dump on one snapshot  2 min 0 s"


def test_a_check_before_a_step_prints_a_line_each_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "MINUTE", 0.01)
    out = io.StringIO()
    screen = Console(out=out)
    screen.show({**STEP, "event": "checking", "title": "every file is as it was written"})
    deadline = time.monotonic() + 30
    while "\n" not in out.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    monkeypatch.setattr(progress, "MINUTE", 60)
    show(screen, "begun")
    show(screen, "done", seconds=2)
    *running, last = out.getvalue().splitlines()
    assert running and all(line.startswith("[ 2/26] … Check: every file is as it was written, ") for line in running)
    assert last == "[ 2/26] ✓ Dump on one snapshot  2.0 s"


def test_a_check_is_no_event_of_the_json_stream() -> None:
    out = io.StringIO()
    Console(as_json=True, out=out).show({**STEP, "event": "checking"})
    with Console(as_json=True, out=out).waiting("shop: plan release") as part:
        part("a part")
    assert out.getvalue() == ""


def test_what_takes_long_before_a_result_is_told_beside_the_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "MINUTE", 0.01)
    out, said = io.StringIO(), ""
    screen = Console(out=out)
    with screen.waiting("shop: plan release"):
        deadline = time.monotonic() + 30
        while "\n" not in said and time.monotonic() < deadline:
            time.sleep(0.01)
            said += capsys.readouterr().err
        screen.show({"event": "wait", "step": "", "text": "waits for a lock"})
    assert said.startswith("shop: plan release, running for ")
    assert out.getvalue() == "      waits for a lock\n"


def test_what_is_noted_while_a_step_runs_has_its_number() -> None:
    out = io.StringIO()
    screen = Console(out=out)
    screen.show({"event": "wait", "step": "is_production", "text": "waits for a lock"})
    show(screen, "begun")
    screen.show({"event": "line", "step": "backup.dump", "text": "a value of a row"})
    screen.show({"event": "wait", "step": "backup.dump", "text": "waits for a lock"})
    show(screen, "done")
    assert out.getvalue().splitlines() == [
        "      waits for a lock",
        "[ 2/26] … waits for a lock",
        "[ 2/26] ✓ Dump on one snapshot",
    ]


def test_nobody_who_reads_is_no_fault_of_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "MINUTE", 0.01)
    failed: list[Any] = []
    monkeypatch.setattr("threading.excepthook", failed.append)
    out = io.StringIO()
    screen = Console(out=out)
    out.close()
    show(screen, "begun")
    assert screen._line is not None
    screen._line._ticker._thread.join(timeout=30)
    screen._line.stop()
    assert not failed


def test_the_running_step_takes_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    line = progress.LiveLine("[ 2/26] Run the migrations on production")
    line.said("  Applying lessons.0003_copy_lessons_to_sessions... OK")
    line._draw(1.0)
    shown = str(line._status.status)
    line.stop()
    assert shown.startswith("[ 2/26] Run the migrations on production  1.0 s  Applying"[:57]) and len(shown) <= 57


def test_lines_fit_the_terminal_and_stay_whole_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = "moved: " + ", ".join(f"public.lessons_lesson_{n} → public.lessons_session_{n}" for n in range(3))
    for out in (Terminal(), io.StringIO()):
        screen = Console(out=out)
        show(screen, "done", detail=said)
        screen.show({"event": "wait", "step": "backup.dump", "text": said})
        reason = {"reason": f"shop: {said}", "hint": "", "stands": said, "run": "r"}
        screen.show({"event": "outcome", "outcome": "refused", "target": "shop", **reason})
        longest = max(map(len, out.getvalue().splitlines()))
        assert (longest <= 80) == out.isatty()
        assert out.getvalue().count("public.lessons_session_2") == 4


def test_the_rest_of_a_step_is_known_by_its_pace_and_by_its_last_run(monkeypatch: pytest.MonkeyPatch) -> None:
    rest = progress.Remaining()
    assert rest.words(60) == ""
    rest.take("copy in", Pace(1000, 5000, 100, "rows"))
    assert rest.words(9) == ""
    assert rest.words(60) == "copied: 1,000 of 5,000 rows, 100 rows/s, about 40 s left"
    rest.expected = 120
    assert rest.words(60).endswith("about 40 s left; step: about 60 s left")
    monkeypatch.setattr(progress, "STALE", -1.0)
    assert rest.words(60) == "about 60 s left" and rest.words(125) == "5.0 s longer than expected"


def test_the_line_of_each_minute_has_the_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "MINUTE", 0.01)
    monkeypatch.setattr(progress, "LONG", 0.0)
    out = io.StringIO()
    screen = Console(expected={"backup.dump": 243}, out=out)
    show(screen, "begun")
    screen.show({"event": "progress", "step": "backup.dump", "work": "copy out", **Pace(3e6, 9e6, 1e6).data()})
    deadline = time.monotonic() + 30
    while "step: about" not in out.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    show(screen, "done", seconds=120)
    assert ": dumped: 3.0 MB of 9.0 MB, 1.0 MB/s, about 6 s left; step: about 4 min left\n" in out.getvalue()


@pytest.mark.parametrize("sampled", [True, False])
def test_a_long_step_has_progress_events_in_the_json_stream(monkeypatch: pytest.MonkeyPatch, sampled: bool) -> None:
    monkeypatch.setattr(progress, "LONG", 0.01)
    out = io.StringIO()
    screen = Console(as_json=True, expected={"backup.dump": 243}, out=out)
    screen.show({"event": "progress", "step": "backup.dump", "work": "copy out", **Pace(1, 2, 3).data()})
    show(screen, "begun")
    if sampled:
        screen.show({"event": "progress", "step": "backup.dump", "work": "copy out", **Pace(3e6, 9e6, 1e6).data()})
    deadline = time.monotonic() + 30
    while out.getvalue().count("\n") < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    show(screen, "done", seconds=120)
    first, *told, last = map(json.loads, out.getvalue().splitlines())
    assert (first["status"], last["status"]) == ("begun", "done")
    one = told[-1]
    assert 242 < one.pop("step_left") <= 243
    if sampled:
        assert one == {"event": "progress", "step": "backup.dump", "work": "copy out", **Pace(3e6, 9e6, 1e6).data()}
    else:
        assert (one["work"], one["unit"], one["total"], one["rate"]) == ("step", "seconds", 243, 1)
        assert one["done"] + one["left"] == pytest.approx(243, abs=0.11)


def test_a_short_step_has_none() -> None:
    out = io.StringIO()
    screen = Console(as_json=True, expected={"backup.dump": 243}, out=out)
    show(screen, "begun")
    show(screen, "done", seconds=1)
    assert out.getvalue().count("\n") == 2


def test_similar_steps_of_this_run_stand_for_a_step() -> None:
    forecast = progress.Forecast({"b": 7.0}, {"c": ("a", "b")})
    assert (forecast.of("a"), forecast.of("b"), forecast.of("c")) == (None, 7, None)
    for step, seconds in (("a", 25), ("b", 3)):
        forecast.take({"event": "step", "step": step, "status": "done", "seconds": seconds})
    assert (forecast.of("c"), forecast.words("c"), forecast.words("b")) == (28, "estimated 28.0 s", "last time 7.0 s")
