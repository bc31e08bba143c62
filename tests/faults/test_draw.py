"""What each commit strikes: together, 40 commits in a row strike at every place, in every phase."""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Iterator
from functools import cache

import pytest

from ops.cli import all_actions  # noqa: F401
from ops.engine.inputs import RunInputs
from ops.engine.plan import make_plan
from ops.infra.session.session import Session
from ops.inventory.load import load
from ops.procedures.catalog import PROCEDURES
from ops.procedures.planning.bind import bind
from ops.procedures.planning.page_inputs import Page
from tests.faults.draw import Draw, head, share_of
from tests.faults.places import PHASES, Place, blow_at, changes_production, chosen, places, takes_back
from tests.support.project import ROOT

ROW = 40
# What .ci/run asks for.
SHARE = (ROOT / ".ci/run").read_text().partition("OPS_FAULTS:-1/")[2].split("}")[0]
EVERYTHING: dict[str, object] = {
    "frozen": True,
    "freezes": True,
    "rollback": {"export": True},
    "deploy": {"command": ("./deploy.sh",)},
}


@cache
def all_places() -> tuple[Place, ...]:
    """Every place of every procedure of the matrix, on the way on."""
    shipped, found = Session(load(ROOT / "inventory.yaml"), {}), []
    for name in chosen():
        inputs: RunInputs = bind(Page(shipped, "lessons"), PROCEDURES[name])
        found += places(make_plan(PROCEDURES[name], inputs.replace(**EVERYTHING)))
    return tuple(found)


def commits() -> list[tuple[str, int]]:
    """The last commits with their numbers; where there are not so many, hashes of our own."""
    last, number = head().split(":")
    said = subprocess.run(["git", "rev-list", f"-{ROW}", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    known = said.split() or [last]
    made = [f"{zlib.crc32(bytes([n])):040x}" for n in range(ROW - len(known))]
    return [(commit, int(number) - n) for n, commit in enumerate([*known, *made])]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    def set_to(commit: str, number: int) -> None:
        monkeypatch.setenv("OPS_FAULTS", f"1/{SHARE}")
        monkeypatch.setenv("OPS_FAULTS_COMMIT", f"{commit}:{number}")

    yield set_to


def test_forty_commits_in_a_row_strike_everywhere(at) -> None:  # type: ignore[no-untyped-def]
    wanted = {(place.key, phase) for place in all_places() for phase in PHASES if wants(place, phase)}
    struck, ways = set(), set()
    for commit, number in commits():
        at(commit, number)
        draw = Draw(commit, number, int(SHARE))
        struck |= {(p.key, phase) for p in all_places() for phase in PHASES if blow_at(p, phase)}
        ways |= {(name, step) for name in chosen() for step in takes_back(name) if draw.takes(f"{name} {step}")}
    assert not wanted - struck, sorted(wanted - struck)[:20]
    assert ways == {(name, step) for name in chosen() for step in takes_back(name)}


def test_a_share_of_the_slow_tests_comes_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESTS_SLOW", "1/3")
    taken = []
    for number in range(3):
        monkeypatch.setenv("OPS_FAULTS_COMMIT", f"{number:040x}:{number}")
        taken += [text for text in map(str, range(1000)) if share_of("TESTS_SLOW").takes(text)]
    assert sorted(taken) == sorted(map(str, range(1000)))


def wants(place: Place, phase: str) -> bool:
    """A check is struck before it or after it, not while it runs."""
    return place.role == "do" or phase != "during"


def test_each_commit_strikes_elsewhere_and_with_other_blows(at) -> None:  # type: ignore[no-untyped-def]
    found = all_places()
    drawn = []
    for commit, number in commits()[:2]:
        at(commit, number)
        drawn.append(
            {(str(place), phase): blow for place in found for phase in PHASES if (blow := blow_at(place, phase))}
        )
    one, two = drawn
    part = len(one) / (len(found) * len(PHASES))
    assert part < 2 / int(SHARE), part
    both, always = set(one) & set(two), {str(place) for place in found if changes_production(place)}
    assert {name for name, _ in both} <= always, "what changes production is struck each time, and nothing else"
    assert any(one[place] != two[place] for place in both)


def test_where_production_changes_is_struck_with_every_commit(at) -> None:  # type: ignore[no-untyped-def]
    found = [place for place in all_places() if changes_production(place)]
    steps = {place.step for place in found}
    assert {"promote.freeze", "promote.migrate", "promote.unfreeze", "rollback.swap", "rollback.carry_over"} <= steps
    assert {"rollback.unfreeze", "auto-rollback.unfreeze", "rollback-to-replaced.swap", "freeze.refuse_writes"} <= steps
    for commit, number in commits():
        at(commit, number)
        assert all(blow_at(place, phase) for place in found for phase in PHASES)
