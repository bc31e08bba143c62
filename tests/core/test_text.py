"""Numbers, sizes, times and lists as a person says them."""

from __future__ import annotations

import pytest

from ops.core.text import amount, counted, duration, folded, laid_out, listed, megabytes


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


LONG = "every row of 13 tables is accounted for; moved: lessons_lesson → lessons_session"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("short", "short"),
        (f"REFUSED  {LONG}", ["REFUSED  every row of 13 tables is accounted for;", "         moved: "]),
        (f"  state:   {LONG}", ["  state:   every row of 13 tables is accounted for;", "           moved: "]),
        (f"[ 1/26] ✓ {LONG}", ["[ 1/26] ✓ every row of 13 tables is accounted for;", "          moved: "]),
        (f"State: {LONG}", ["State: every row of 13 tables is accounted for;", "  moved: "]),
        (f"        {LONG}", ["        every row of 13 tables is accounted for;", "          moved: "]),
        (f"  outcome: {LONG}", ["  outcome: every row of 13 tables is accounted for;", "           moved: "]),
        # A command is copied as a whole.
        (f"        inv release --target=lessons   {LONG}", None),
        (f"  Try: {LONG}", None),
    ],
)
def test_a_long_line_goes_on_below_its_text(line: str, expected: str | list[str] | None) -> None:
    made = folded(line, 52)
    if isinstance(expected, list):
        first, second, *_ = made.splitlines()
        assert first == expected[0] and second.startswith(expected[1]), made
        assert all(len(one) <= 52 for one in made.splitlines())
        assert " ".join(made.split()) == " ".join(line.split())
    else:
        assert made == (expected or line)


def test_each_line_of_a_text_is_folded_by_itself() -> None:
    assert folded("a\n\n  b  " + "word " * 12, 50).splitlines()[:3] == ["a", "", "  b  " + "word " * 8 + "word"]


@pytest.mark.parametrize(
    ("hint", "lines"),
    [
        ("inv resume --run=a   or   inv undo --run=a", ["Try: inv resume --run=a   or   inv undo --run=a"]),
        (
            "psql -c \"SELECT 'a;   or   b'\"   # pid 4;   COMMIT PREPARED 'a;   b' or ROLLBACK PREPARED 'a' (in psql;"
            "   then) ;   inv resume --run=20261129_021500_a1b2   or   inv undo --run=20261129_021500_a1b2"
            "   and then   inv x, then   inv y",
            [
                "Try: psql -c \"SELECT 'a;   or   b'\"   # pid 4;",
                "     COMMIT PREPARED 'a;   b' or ROLLBACK PREPARED 'a' (in psql;   then) ;",
                "     inv resume --run=20261129_021500_a1b2",
                "     or   inv undo --run=20261129_021500_a1b2",
                "     and then   inv x",
                "     then   inv y",
            ],
        ),
        (
            "correct the guide's migration, in place of what is there: no row moves. Or write all of it anew, "
            "or   inv scaffold-rename lessons Lesson Session",
            [
                "Try: correct the guide's migration, in place of what is there: no row moves.",
                "     Or write all of it anew",
                "     or   inv scaffold-rename lessons Lesson Session",
            ],
        ),
        (
            "copy all that is lost before the table goes, then   inv release --target=shop;   or, if it is meant:"
            "   inv verify --write-expectations   then fill in every `why`, and   inv release --target=shop",
            [
                "Try: copy all that is lost before the table goes",
                "     then   inv release --target=shop;",
                "     or, if it is meant:   inv verify --write-expectations",
                "     then   fill in every `why`, and   inv release --target=shop",
            ],
        ),
    ],
    ids=["short", "commands", "sentences", "meant"],
)
def test_a_long_hint_has_one_step_or_alternative_a_line(hint: str, lines: list[str]) -> None:
    assert laid_out(hint).split("\n") == lines
