"""How many rows users wrote between two moments, by the server's counters."""

from __future__ import annotations

from ops.verdict.moment import Moment, Pace, pace


def moment(at: float, database: int = 1, **counted: dict[str, int]) -> Moment:
    return Moment(snapshot="5:5:", database=database, at=at, **counted)


def test_the_rate_is_what_was_counted_between_two_moments() -> None:
    found = pace(moment(10, deleted={"a": 3}), moment(20, deleted={"a": 33, "b": 1}))
    assert found == Pace(seconds=10, deleted={"a": 30, "b": 1})
    assert (found.gone("a", 10), found.gone("b", 10), found.gone("c", 10)) == (99, 12, 0)


def test_the_rate_is_unknown_where_the_server_counts_anew() -> None:
    known = moment(10, updated={"a": 7}, deleted={"a": 3})
    assert pace(None, moment(20)) == pace(known, moment(20, database=2)) == Pace()
    assert pace(known, moment(20)) == pace(known, moment(20, updated={"a": 9})) == Pace()
    assert pace(known, moment(20, updated={"a": 2}, deleted={"a": 1})).updated == {"a": 2}
