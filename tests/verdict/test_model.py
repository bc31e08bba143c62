"""The verdict's arithmetic; what it says of real databases is tested on real databases."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ops.verdict.model import SAMPLES, ColumnVerdict, TableVerdict, Verdict, difference

hashes = st.lists(st.integers(-4, 4) | st.integers(-(2**63), 2**63 - 1)).map(sorted)


@given(hashes, hashes)
def test_difference_is_that_of_multisets(before: list[int], after: list[int]) -> None:
    missing = Counter(before) - Counter(after)
    extra = Counter(after) - Counter(before)
    assert difference(iter(before), iter(after)) == (
        missing.total(),
        extra.total(),
        sorted(missing.elements())[:SAMPLES],
    )


def test_the_json_form_counts_what_the_tables_say() -> None:
    tables = [
        TableVerdict("lesson", "lost", 10, 5, "session", lost=5),
        TableVerdict("tag", "changed", 3, 3, columns=[ColumnVerdict("name", "changed", "", 1, 2, "cut")]),
    ]
    data = Verdict(tables).data()
    assert (data["lost_rows"], data["lost_values"]) == (5, 1)
    assert isinstance(data["tables"], list)
    keys = {"table", "verdict", "to", "rows_before", "rows_after", "lost", "changed", "duplicated"}
    assert [entry.keys() for entry in data["tables"]] == [keys | {"columns", "sample", "mapping", "by"}] * 2
    assert [entry["to"] for entry in data["tables"]] == ["session", None]
    assert data["tables"][1]["columns"] == [
        {"column": "name", "verdict": "changed", "to": None, "lost": 1, "changed": 2, "note": "cut", "by": None}
    ]


def test_what_django_keeps_itself_may_change() -> None:
    for name in ("public.django_content_type", "public.auth_permission"):
        assert not TableVerdict(name, "changed", 3, 3, changed=1).refused
        assert not TableVerdict(name, "lost", 3, 2, lost=1).refused
    assert TableVerdict("public.django_migrations", "lost", 3, 2, lost=1).refused
