"""The window's arithmetic: when it closes, and whether a release still fits, over zones, clock changes and midnight."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ops.engine.effects import StepEffect
from ops.inventory.fields import DAYS
from ops.inventory.window import Window
from ops.release.measuring.maintenance_window import FACTOR, Needed, closes, last_start, needed, objection, opens, said
from tests.support.examples import examples

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu",
         "Pacific/Apia", "Africa/Cairo", "America/Santiago")  # fmt: skip
CLOCKS = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from((0, 1, 15, 30, 45, 59)))
WINDOWS = st.builds(
    lambda days, times, zone: Window(days=tuple(days), hours=f"{times[0]}-{times[1]}", zone=zone),
    st.lists(st.sampled_from(DAYS), min_size=1, unique=True),
    st.tuples(CLOCKS, CLOCKS).filter(lambda times: times[0] != times[1]),
    st.sampled_from(ZONES),
)
# Around the clock changes of both hemispheres, and any other day.
MOMENTS = st.one_of(
    st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31)),
    st.builds(
        lambda day, minutes: day + timedelta(minutes=minutes),
        st.sampled_from([datetime(2026, 3, 29), datetime(2026, 10, 25), datetime(2026, 3, 8), datetime(2026, 11, 1),
                         datetime(2026, 4, 5), datetime(2026, 10, 4), datetime(2026, 4, 24), datetime(2026, 9, 6)]),
        st.integers(-1440, 1440),
    ),
).map(lambda moment: moment.replace(tzinfo=UTC, microsecond=0))  # fmt: skip


# Most moments lie outside of a window.
@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(WINDOWS, MOMENTS)
def test_it_is_open_until_it_closes_and_no_longer(window: Window, moment: datetime) -> None:
    assume(window.contains(moment))
    end = closes(window, moment)
    assert end > moment
    assert not window.contains(end)
    assert window.contains(end - timedelta(seconds=1))
    between = moment
    while between < end:
        assert window.contains(between)
        between += timedelta(minutes=13)


@settings(max_examples=examples(300), deadline=None)
@given(WINDOWS, MOMENTS, st.floats(0, 20000), st.floats(0, 5000))
def test_what_may_begin_ends_within_the_window(window: Window, moment: datetime, forward: float, back: float) -> None:
    need = Needed(forward, back)
    why = objection(window, moment, need)
    if not window.contains(moment):
        assert "is closed" in why
        return
    done = moment + timedelta(seconds=need.seconds)
    assert (why == "") == (done <= closes(window, moment))
    if why:
        assert "last safe start" in why
    else:
        assert moment <= last_start(window, moment, need)
        between = moment
        while between < done:
            assert window.contains(between)
            between += timedelta(minutes=13)


def test_outside_it_there_is_no_end() -> None:
    window = Window(days=("tue",), hours="02:00-05:00")
    with pytest.raises(ValueError, match="closed"):
        closes(window, datetime(2026, 11, 24, 5, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("hours", "zone", "moment", "end"),
    [
        ("02:00-05:00", "UTC", "2026-11-24T04:59:59+00:00", "2026-11-24T05:00:00+00:00"),
        ("22:00-02:00", "Europe/Berlin", "2026-11-24T22:30:00+01:00", "2026-11-25T01:00:00+00:00"),
        # The clocks go forward from 02:00 to 03:00, so half past two never comes.
        ("01:00-02:30", "Europe/Berlin", "2026-03-29T01:30:00+01:00", "2026-03-29T01:00:00+00:00"),
        # They go back from 03:00 to 02:00: half past two comes twice, and the window is open before each.
        ("01:00-02:30", "Europe/Berlin", "2026-10-25T02:10:00+02:00", "2026-10-25T00:30:00+00:00"),
        ("01:00-02:30", "Europe/Berlin", "2026-10-25T02:10:00+01:00", "2026-10-25T01:30:00+00:00"),
        # … and a window that opened at half past two is closed when it is two again.
        ("02:30-04:00", "Europe/Berlin", "2026-10-25T02:40:00+02:00", "2026-10-25T01:00:00+00:00"),
    ],
)
def test_closing_times(hours: str, zone: str, moment: str, end: str) -> None:
    window = Window(days=DAYS, hours=hours, zone=zone)
    assert closes(window, datetime.fromisoformat(moment)) == datetime.fromisoformat(end)


@settings(suppress_health_check=[HealthCheck.filter_too_much], deadline=None)
@given(WINDOWS, MOMENTS, st.floats(0, 1))
def test_it_opens_as_soon_as_it_is_open(window: Window, naive: datetime, part: float) -> None:
    moment = naive.replace(tzinfo=UTC)
    assume(not window.contains(moment))
    start = opens(window, moment)
    assert start > moment and window.contains(start)
    assert not window.contains(start - timedelta(seconds=1))
    assert not window.contains(moment + (start - moment - timedelta(seconds=1)) * part)


def test_the_words() -> None:
    window = Window(days=("tue",), hours="02:00-05:00", zone="Europe/Berlin")
    moment = datetime(2026, 11, 24, 3, 50, tzinfo=UTC)
    need = Needed(2400, 480)
    text = "the window closes at 05:00 Europe/Berlin; the release needs about 48 min, including 8 min for a rollback; "
    assert objection(window, moment, need) == said(window, moment, need) == text + "last safe start 04:12"
    assert objection(window, datetime(2026, 11, 24, 3, 12, tzinfo=UTC), need) == ""
    assert objection(window, datetime(2026, 11, 24, 3, 12, 1, tzinfo=UTC), need) != ""
    assert said(window, moment, Needed(5 * 3600)).endswith("last safe start 00:00")
    assert said(window, moment, Needed(6 * 3600)).endswith("last safe start 23:00 on 2026-11-23")


TOOK = {StepEffect.DUMPS: 101.0, StepEffect.CLONES: 200.0, StepEffect.COUNTS: 10.0, StepEffect.ACCOUNTS: 36.0,
        StepEffect.DEPLOYS: 7.0}  # fmt: skip


def test_what_a_release_needs() -> None:
    need = needed(TOOK, 60, frozen=True, waits=25, begun=False)
    assert need.forward == 60 * FACTOR + 25 + (11 + 20 + 5) + 7 + 10 + 101
    assert need.back == 301
    plain = needed(TOOK, 60, frozen=False, waits=25, begun=False)
    assert need.forward - plain.forward == 101
    assert plain.forward - needed(TOOK, 60, frozen=False, waits=25, begun=True).forward == 10
    assert needed(TOOK, 60, frozen=True, waits=0, begun=True, back=3).back == 3
    assert needed({}, 0, frozen=True, waits=0, begun=False).seconds == 0
    # The last release counts where it took longer than the rehearsal, and not its migrations.
    more = needed(TOOK, 60, frozen=True, waits=25, begun=False, others=500)
    assert more.forward == 60 * FACTOR + 25 + 500
    assert needed(TOOK, 60, frozen=True, waits=25, begun=False, others=3) == need
