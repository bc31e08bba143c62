"""How values changed, in words; and no word where they have nothing in common."""

from __future__ import annotations

import pytest

from ops.verdict.value_changes import note

CASES = [
    ([("abcdef", "abc"), ("xyz1", "xyz")], "truncated (in all 2 examples)"),
    ([("abcdef", "abc"), ("xyz1", "zzz")], ""),
    ([("1.25", "1.3"), ("7.119", "7.12")], "rounded or truncated after the decimal point (in all 2 examples)"),
    ([("011", "11"), ("1.50", "1.5")], "the same number in another spelling (in all 2 examples)"),
    ([("011", "11"), ("1.59", "1.5")], "rounded or truncated after the decimal point (in all 2 examples)"),
    ([("7", "9"), ("7", "9"), ("7", "9")], ""),
    ([("1.25", "1")], "rounded or truncated after the decimal point"),
    ([("2026-01-01 10:00:00+00", "2026-01-01 12:00:00+00"), ("2026-07-01 10:00:00+00", "2026-07-01 12:00:00+00")],
     "shifted by +2 h (in all 2 examples)"),
    ([("2026-01-01 10:00:00+00", "2026-01-01 11:00:00+00"), ("2026-07-01 10:00:00+00", "2026-07-01 12:00:00+00")], ""),
    ([("2026-01-02", "2026-01-01")], "shifted by -24 h"),
    ([("a", ""), ("b", "")], "emptied (in all 2 examples)"),
    ([("a", "b"), ("b", "a")], "swapped between rows (in all 2 examples)"),
    ([("Anna@X.de", "anna@x.de")], "upper and lower case changed"),
    ([("5", "9"), ("6", "9"), ("7", "9")], "all set to the same value (in all 3 examples)"),
    ([(None, ""), (None, "x")], "NULL became a value"),
    ([("a", None)], ""),
    ([], ""),
]  # fmt: skip


@pytest.mark.parametrize(("values", "said"), CASES)
def test_a_change_is_named(values: list[tuple[str | None, str | None]], said: str) -> None:
    assert note(values) == said
