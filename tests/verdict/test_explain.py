"""What a refused verdict says: a sentence for each thing that is lost or changed, and each is one."""

from __future__ import annotations

import io

import pytest

from ops.cli.console import Console
from ops.core.errors import DataDiffers
from ops.verdict.explain import examples, explain, sentences
from ops.verdict.model import ColumnVerdict, TableVerdict, Verdict

KEPT = {"id": "id", "link": "link"}


CASES = {
    "8 values of b.link are NULL now": ColumnVerdict("link", "lost", lost=8),
    "1 value of b.link is NULL now [l.0002: RunSQL]": ColumnVerdict("link", "lost", lost=1, by="l.0002: RunSQL"),
    "2 values of b.gone are lost with the column": ColumnVerdict("gone", "lost", lost=2),
    "2 values of b.gone are missing in new": ColumnVerdict("gone", "lost", "new", lost=2),
    "2 values of b.gone are lost: the column now references c": ColumnVerdict(
        "gone", "lost", lost=2, note="now references c"
    ),
    "3 values of b.link have changed: they reference other rows": ColumnVerdict(
        "link", "changed", changed=3, note="they reference other rows"
    ),
}


@pytest.mark.parametrize("said", CASES)
def test_each_column_is_told_in_a_sentence(said: str) -> None:
    assert sentences(TableVerdict("b", "lost", 9, 9, columns=[CASES[said]], mapping=KEPT)) == [said]


COUNTED = {
    "2 rows would be lost:": TableVerdict("b", "lost", 9, 7, lost=2),
    "2 rows would be lost, 3 values changed:": TableVerdict(
        "b", "lost", 9, 7, lost=2, changed=3, columns=[ColumnVerdict("link", "changed", changed=3)], mapping=KEPT
    ),
    "8 values or links would be lost:": TableVerdict(
        "b", "lost", 9, 9, changed=8, columns=[ColumnVerdict("link", "lost", lost=8)], mapping=KEPT
    ),
    "2 rows and 1 value or links would be lost:": TableVerdict(
        "b", "lost", 9, 7, lost=2, columns=[ColumnVerdict("gone", "lost", lost=1)], mapping=KEPT
    ),
    "3 rows would be changed:": TableVerdict("b", "changed", 9, 9, changed=3),
}


@pytest.mark.parametrize("said", COUNTED)
def test_what_is_not_lost_or_changed_is_not_counted(said: str) -> None:
    message, hint = explain("shop", Verdict([COUNTED[said]]))
    assert message.startswith(f"shop: refused, production is untouched: {said}"), message
    assert hint


class Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.mark.parametrize(
    ("out", "as_json", "shown"),
    [(Terminal(), False, True), (Terminal(), True, False), (io.StringIO(), False, False)],
    ids=["a terminal", "json", "a file"],
)
def test_values_of_rows_are_shown_at_a_terminal_only(out: io.StringIO, as_json: bool, shown: bool) -> None:
    changed = ColumnVerdict("name", "changed", changed=3, examples=[("Anna\x1b[2J", "ANNA"), (None, "x" * 99)])
    hidden = ColumnVerdict("api_token", "changed", changed=1, examples=[("s3cret", "t")])
    table = TableVerdict("b", "changed", 9, 9, columns=[changed, hidden])
    error = DataDiffers("refused")
    error.examples = examples(Verdict([table]))
    Console(as_json=as_json, out=out).examples(error)
    said = out.getvalue()
    assert ("b.name: 'Anna\\x1b[2J' → 'ANNA'" in said, f"b.name: NULL → '{'x' * 40}' …" in said) == (shown, shown)
    assert "s3cret" not in said
    assert "Anna" not in str(table.data())
