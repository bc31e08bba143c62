"""The verdict on adversarial releases: what loses nothing is promoted, what loses or changes anything is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.releases import (
    constants,
    copies,
    counts,
    crossed,
    generic,
    joined,
    kept,
    links,
    merges,
    odd,
    renames,
    retyped,
    splits,
)
from tests.releases.case import Case
from tests.releases.harness import RAISED, UNDECLARED, UNPROVED, DoesNotRun, Releases, objections
from tests.support.tiers import quick

CASES: list[Case] = [
    case
    for theme in (
        constants, copies, counts, crossed, generic, joined, kept, links, merges, odd, renames, retyped, splits
    )
    for case in theme.CASES
]


def test_every_case_has_a_name_of_its_own() -> None:
    assert [name for name, times in Counter(case.name for case in CASES).items() if times > 1] == []


# One of fourteen at once; the others in CI, with all of the chains, each of which takes as long as twenty others.
AT_ONCE = [case for case in CASES[::14] if not case.name.startswith("chain:")]


@pytest.mark.parametrize("case", quick(CASES, *AT_ONCE), ids=[case.name for case in CASES])
def test_release(case: Case, releases: Releases, record_property: Callable[[str, object], None]) -> None:
    try:
        verdict = releases.verdict(case)
        wrong = objections(case, verdict)
        if not verdict.refused and (said := releases.on_production(verdict)):
            wrong[UNPROVED] = "; ".join(said)
        if verdict.refused and (said := releases.declared(verdict)):
            wrong[UNDECLARED] = "; ".join(said)
    except DoesNotRun:
        raise
    except Exception as error:
        record_property("judged", RAISED)
        raise AssertionError(f"the judge raised {type(error).__name__}: {error}\nwhy: {case.why}") from error
    if wrong and case.debatable:
        record_property("debatable", f"{case.name}: {wrong}; {case.why}")
        wrong = {}
    for kind in wrong or ["right"]:
        record_property("judged", kind)
    assert not wrong, f"{wrong}\nwhy: {case.why}"
