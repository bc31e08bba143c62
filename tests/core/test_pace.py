"""The rate and the remaining time of a work: known totals, unknown totals, pauses, and a second work."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.pace import WINDOW, Meter, Pace, about


@pytest.mark.parametrize(
    ("pace", "words"),
    [
        (Pace(20e6, 500e6, 12e6), "20.0 MB of 500.0 MB, 12.0 MB/s, about 40 s left"),
        (Pace(1_200_000, 5_000_000, 20_000, "rows"), "1,200,000 of 5,000,000 rows, 20,000 rows/s, about 3 min left"),
        (Pace(1_200_000, 0, 20_000, "rows"), "1,200,000 rows, 20,000 rows/s"),
        (Pace(5e6, 0, 1e6), "5.0 MB, 1.0 MB/s"),
        (Pace(5e6, 9e6, 0), ""),
        (Pace(9e6, 9e6, 1e6), "9.0 MB of 9.0 MB, 1.0 MB/s, about 1 s left"),
    ],
)
def test_what_is_known_is_shown(pace: Pace, words: str) -> None:
    assert pace.words == words
    assert Pace.of(pace.data()) == pace


def test_what_is_unknown_is_null() -> None:
    assert Pace(3, 0, 0, "rows").data() == {"unit": "rows", "done": 3, "total": None, "rate": 0, "left": None}


def test_one_sample_has_no_rate() -> None:
    meter = Meter("rows")
    assert meter.take(100, 50, 1000).left is None
    assert meter.take(101, 90, 1000).left is None
    assert meter.take(102, 150, 1000) == Pace(150, 1000, 50, "rows")


def test_the_rate_is_that_of_the_last_seconds() -> None:
    meter = Meter()
    for second in range(100):
        pace = meter.take(second, min(second, 50) * 1000 + max(second - 50, 0) * 10, 100_000)
    assert pace.rate == pytest.approx(10)
    for second in range(100, 110):
        pace = meter.take(second, pace.done, 100_000)
    assert 0 < pace.rate < 10


def test_a_second_work_begins_anew() -> None:
    meter = Meter()
    meter.take(0, 0, 100)
    assert meter.take(10, 100, 100).rate == 10
    assert meter.take(11, 4, 100).rate == 0
    assert meter.take(15, 8, 100).rate == 1


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 1e9)), min_size=1, max_size=40), st.floats(0, 1e12))
def test_the_remaining_time_is_never_wrong_in_kind(steps: list[tuple[float, float]], total: float) -> None:
    meter, at, done = Meter("rows"), 0.0, 0.0
    for pause, more in steps:
        at, done = at + pause, done + more
        pace = meter.take(at, done, total)
        assert pace.rate >= 0 and (pace.left is None) == (pace.rate == 0 or total == 0)
        assert pace.left is None or (pace.left >= 0 and (math.isfinite(pace.left) or pace.rate < 1e-200))
        assert total == 0 or pace.done <= total
    assert len(meter._samples) <= 41 and WINDOW > 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "about 1 s"), (0.2, "about 1 s"), (9.1, "about 10 s"), (22, "about 20 s"), (88, "about 90 s"),
     (91, "about 2 min"), (244, "about 4 min"), (5399, "about 1 h 30 min"), (7200, "about 2 h")],
)  # fmt: skip
def test_an_estimate_is_round(seconds: float, words: str) -> None:
    assert about(seconds) == words
