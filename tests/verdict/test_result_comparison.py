"""What migrations wrote, compared row by row: which rows count, and what of them differs."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, cast

from ops.release.new_tables import sources
from ops.verdict.fingerprint import Fingerprint, Table
from ops.verdict.model import Aligned, Look
from ops.verdict.result_comparison import Differing, Made, Value, differing, hold_rows, rehearse, told
from ops.verdict.row_hash import Pair, Source

ID, TITLE, LEVEL = Pair("id", "bigint"), Pair("title", "text"), Pair("level", "integer")
DRAWN = Pair("made", "boolean", sql="x")
Rows = dict[int, tuple[int | None, ...]]


class Asked:
    """A database whose rows are given: by hashed key, the hashes of what is asked."""

    def __init__(self, **sides: Rows) -> None:
        self.sides = sides

    def aligned(
        self, side: str, sources: Sequence[Source], keys: int, parts: Sequence[int] | None = None
    ) -> Generator[Aligned, None, None]:
        yield from sorted(self.sides[side].items())


def look(**sides: Rows) -> Look:
    return cast(Look, cast(Any, Asked(**sides)))


def table(*values: Value) -> Made:
    return Made(
        table="a", new="a", key=((ID,), (ID,)), kept=((ID,), (ID,)), row=(ID, TITLE), values=values, file="r.txt"
    )


def compared(folder: Path, made: Made, clone: tuple[Rows, Rows], production: tuple[Rows, Rows]) -> Any:
    """Each side before and after: before the whole row (and what is kept), after (what is kept and) the values."""
    rehearse(made, look(before=clone[0], after=clone[1]), folder)
    hold_rows(made, look(before=production[0]), folder / "held.txt")
    return differing(made, folder / "r.txt", folder / "held.txt", look(after=production[1]))


def test_rows_that_were_equal_and_stayed_are_compared_and_no_others(tmp_path: Path) -> None:
    made = table(Value(column="level", pair=LEVEL))
    clone: tuple[Rows, Rows] = ({n: (100 + n,) for n in range(1, 8)}, {n: (5,) for n in range(1, 8)})
    was: Rows = {n: (100 + n, 9) for n in range(1, 8)} | {2: (999, 9), 8: (108, 9)}
    now: Rows = {1: (9, 5), 2: (9, 6), 3: (8, 6), 4: (9, None), 5: (9, 6), 6: (9, 5), 8: (9, 6)}
    rows, found = compared(tmp_path, made, clone, (was, now))
    # 2 was another one, 3 was written meanwhile, 7 was deleted, 8 was not rehearsed.
    assert rows == 4
    assert found == {"level": Differing(empty=1, other=1, sample=[4, 5])}


def test_what_was_drawn_on_both_sides_may_differ_and_what_is_missing_may_not(tmp_path: Path) -> None:
    made = table(Value(column="made", pair=Pair("made", "timestamptz"), drawn=DRAWN))
    clone: tuple[Rows, Rows] = ({n: (100,) for n in range(4)}, {0: (1, 1), 1: (1, 1), 2: (1, 1), 3: (1, None)})
    was: Rows = {n: (100, 9) for n in range(4)}
    now: Rows = {0: (9, 2, 1), 1: (9, None, None), 2: (9, 2, None), 3: (9, 2, None)}
    rows, found = compared(tmp_path, made, clone, (was, now))
    assert (rows, found["made"]) == (4, Differing(empty=1, other=2, sample=[1, 2, 3]))


def test_what_differs_is_told_unless_it_is_declared() -> None:
    differs = {"level": Differing(empty=200, other=3, sample=[7])}
    value = Value(column="level", pair=LEVEL)
    said = told(table(value), 1000, differs, lambda hashes: ["42"])
    assert said == [
        "a.level: of 1,000 rows that were equal before, 203 differ from the rehearsal: 200 NULL here, 3 another value "
        "(for example 42)"
    ]
    assert told(table(value.model_copy(update={"may_differ": 203})), 1000, differs, lambda hashes: []) == []
    more = told(table(value.model_copy(update={"may_differ": 202})), 1000, differs, lambda hashes: [])
    assert "the declared limit is 202" in more[0]


def test_a_new_table_s_rows_may_come_of_what_is_linked_with_what_the_code_names() -> None:
    """`for student in Student.objects.all(): student.booking_set…` names no booking."""
    leads = {"booking": ["student"], "student": ["town"], "town": [], "note": ["booking"], "far": []}
    tables = {
        name: Table(name, len(name), 0, (), ("id",), {f"{to}_id": (to, "id") for to in others})
        for name, others in leads.items()
    }
    assert sources(["student"], Fingerprint(tables=tables)) == {"booking": 7, "student": 7, "town": 4}
