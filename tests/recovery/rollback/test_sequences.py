"""Which sequences of a restored database are advanced, and to where."""

from __future__ import annotations

import pytest

from ops.recovery.rollback.sequences import Sequence, behind

LIVE = Sequence("public.new_id_seq", 1, 2**31 - 1, 50, "public.new", "id")
BOTH = {"public.new": "public.old"}


def restored(last: int | None, **changed: object) -> Sequence:
    return Sequence(
        **{
            "name": "public.old_id_seq",
            "step": 1,
            "end": 2**31 - 1,
            "last": last,
            "table": "public.old",
            "column": "id",
        }
        | changed
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("last", "ahead", "to"),
    [(40, 0, 50), (40, 1000, 1050), (None, 0, 50), (50, 0, None), (50, 1000, None), (51, 1000, None), (60, 0, None)],
)
def test_one_that_is_behind_goes_beyond(last: int | None, ahead: int, to: int | None) -> None:
    found = behind([LIVE], [restored(last)], BOTH, ahead=ahead)
    assert [one.to for one in found] == ([] if to is None else [to])


def test_it_is_found_by_its_name_where_no_column_has_it() -> None:
    live, there = Sequence("public.n", 1, 1000, 5), Sequence("public.n", 1, 1000, 3)
    assert [one.to for one in behind([live], [there], {}, ahead=0)] == [5]
    assert behind([live], [Sequence("public.m", 1, 1000, 3)], {}, ahead=0) == []


def test_a_small_range_is_not_used_up() -> None:
    live = Sequence("public.n", 1, 32767, 32000)
    assert [one.to for one in behind([live], [Sequence("public.n", 1, 32767, 1)], {}, ahead=1000)] == [32007]


def test_one_that_counts_down() -> None:
    live, there = Sequence("public.n", -1, -(2**31), -50), Sequence("public.n", -1, -(2**31), -40)
    assert [one.to for one in behind([live], [there], {}, ahead=0)] == [-50]
    assert behind([there], [live], {}, ahead=0) == []


def test_one_that_was_never_used_is_left() -> None:
    assert behind([Sequence("public.n", 1, 9, None)], [Sequence("public.n", 1, 9, None)], {}, ahead=1000) == []
