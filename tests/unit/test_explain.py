"""What a refused verdict says: a sentence for each thing that is lost or changed, and each is one."""

from __future__ import annotations

import pytest

from ops.explain import sentences
from ops.verdict import ColumnVerdict, TableVerdict

KEPT = {"id": "id", "lesson_id": "lesson_id"}


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (ColumnVerdict("lesson_id", "lost", lost=8), "8 values of b.lesson_id are NULL now"),
        (ColumnVerdict("lesson_id", "lost", lost=1, by="l.0002: RunSQL"), "1 value of b.lesson_id is NULL now [l.0002: RunSQL]"),
        (ColumnVerdict("gone", "lost", lost=2), "2 values of b.gone are gone with the column"),
        (ColumnVerdict("gone", "lost", "new", lost=2), "2 values of b.gone did not arrive in new"),
        (ColumnVerdict("gone", "lost", lost=2, note="leads to c now"), "2 values of b.gone are gone: it leads to c now"),
        (ColumnVerdict("lesson_id", "changed", changed=3, note="they lead to other rows"),
         "3 values of b.lesson_id are other than before: they lead to other rows"),
    ],
)  # fmt: skip
def test_each_column_is_told_in_a_sentence(column: ColumnVerdict, said: str) -> None:
    assert sentences(TableVerdict("b", "lost", 9, 9, columns=[column], mapping=KEPT)) == [said]
