"""Numbers, sizes, times and lists as a person says them."""

from __future__ import annotations

import pytest

from ops.core.text import amount, counted, duration, listed, megabytes


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (counted(0, "row"), "0 rows"),
        (counted(1, "row"), "1 row"),
        (counted(1234, "row"), "1,234 rows"),
        (counted(2, "index", "es"), "2 indexes"),
        (listed([]), ""),
        (listed(["a", "b", "c"]), "a, b, c"),
        (listed(["a", "b", "c", "d", "e"]), "a, b, c and 2 more"),
        (listed(["a", "b", "c"], 2, "; "), "a; b; and 1 more"),
        (duration(0), "0.0 s"),
        (duration(59.94), "59.9 s"),
        (duration(125.9), "2 min 5 s"),
        (megabytes(1_234_567_890), "1,234.6 MB"),
        (amount(1_500), "2 kB"),
        (amount(1_500_000), "1.5 MB"),
        (amount(999_900_000), "999.9 MB"),
        (amount(2_000_000_000_000), "2,000.0 GB"),
    ],
)
def test_it_is_said_as_everywhere(said: str, expected: str) -> None:
    assert said == expected
