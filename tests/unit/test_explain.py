"""What a refused verdict says: a sentence for each thing that is lost or changed, and each is one."""

from __future__ import annotations

import pytest

from ops.explain import sentences
from ops.verdict import ColumnVerdict, TableVerdict

KEPT = {"id": "id", "link": "link"}


CASES = {
    "8 values of b.link are NULL now": ColumnVerdict("link", "lost", lost=8),
    "1 value of b.link is NULL now [l.0002: RunSQL]": ColumnVerdict("link", "lost", lost=1, by="l.0002: RunSQL"),
    "2 values of b.gone are gone with the column": ColumnVerdict("gone", "lost", lost=2),
    "2 values of b.gone did not arrive in new": ColumnVerdict("gone", "lost", "new", lost=2),
    "2 values of b.gone are gone: it leads to c now": ColumnVerdict("gone", "lost", lost=2, note="leads to c now"),
    "3 values of b.link are other than before: they lead to other rows": ColumnVerdict(
        "link", "changed", changed=3, note="they lead to other rows"
    ),
}


@pytest.mark.parametrize("said", CASES)
def test_each_column_is_told_in_a_sentence(said: str) -> None:
    assert sentences(TableVerdict("b", "lost", 9, 9, columns=[CASES[said]], mapping=KEPT)) == [said]
