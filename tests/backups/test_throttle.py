"""A stream that is held back: all of it arrives, and no faster than it may; by a clock that is told what to say."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from ops.backups.throttle import slowed


class Clock:
    """A clock that goes on when somebody waits, and by so much at every read."""

    def __init__(self, each: float = 0) -> None:
        self.now, self.each = 0.0, each

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


class Slow(io.BytesIO):
    """A source that takes its time."""

    def __init__(self, content: bytes, clock: Clock) -> None:
        super().__init__(content)
        self.clock = clock

    def read(self, size: int | None = -1, /) -> bytes:
        self.clock.now += self.clock.each
        return super().read(size)


@pytest.mark.parametrize(("size", "rate"), [(0, 5), (7, 3), (100_000, 10_000), (9_999_999, 4_000_000)])
def test_all_of_it_arrives_in_the_time_that_the_rate_asks_for(size: int, rate: int) -> None:
    clock, into, content = Clock(), io.BytesIO(), bytes(size)
    assert slowed(io.BytesIO(content), into, rate, clock, clock.wait) == size
    assert into.getvalue() == content
    assert clock.now == pytest.approx(size / rate)


def test_what_a_slow_source_did_not_use_is_not_made_up_for() -> None:
    clock, into = Clock(each=1), io.BytesIO()
    # A piece a second is slower than the rate: nobody waits for it on top.
    slowed(Slow(bytes(5_000), clock), into, 20_000, clock, clock.wait)
    assert clock.now == 6
    clock.each = 0
    slowed(Slow(bytes(20_000), clock), into, 20_000, clock, clock.wait)
    assert clock.now == pytest.approx(7)


def test_it_is_a_program() -> None:
    words = [sys.executable, "-m", "ops.backups.throttle"]
    done = subprocess.run([*words, "100000000"], input=b"abc" * 1000, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"abc" * 1000)
    for wrong in ([], ["0"], ["-1"], ["x"]):
        assert subprocess.run([*words, *wrong], input=b"", capture_output=True).returncode == 2
