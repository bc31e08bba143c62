"""What two rehearsals did not write alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from ops.release.second_rehearsal import Twice
from ops.verdict import result_comparison
from ops.verdict.result_comparison import Differing, Made, Value
from ops.verdict.row_hash import Pair, present


@pytest.mark.parametrize(("differ", "drawn"), [(3, False), (4, True)])
def test_what_may_differ_keeps_its_limit_where_two_rehearsals_do_not_exceed_it(differ: int, drawn: bool) -> None:
    value = Value(column="token", pair=Pair("token", "text"), may_differ=3)
    made = Made(table="t", new="t", key=((), ()), kept=((), ()), row=(), values=(value,))
    twice = Twice(cast(Any, None), cast(Any, None), Path(), Path())
    loose = value.model_copy(update={"drawn": present("token")})
    assert twice._value(made, value, Differing(other=differ)) == (loose if drawn else value)
    assert twice.drawn == ["t.token"] * drawn


def test_the_first_rehearsals_file_stays_until_all_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    value = Value(column="token", pair=Pair("token", "text"))
    made = Made(table="t", new="t", key=((), ()), kept=((), ()), row=(), values=(value,), file="runs/r/rehearsed-0.txt")
    written: list[str] = []
    monkeypatch.setattr(result_comparison, "hold_rows", lambda *_: None)
    monkeypatch.setattr(result_comparison, "differing", lambda *_: (9, {"token": Differing(other=4)}))
    monkeypatch.setattr(result_comparison, "rehearse", lambda one, *_: written.append(one.file))
    loose = Twice(cast(Any, None), cast(Any, None), Path(), Path()).made(made)
    assert written == [loose.file] and loose.file != made.file
