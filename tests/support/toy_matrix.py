"""The fault matrix of the toy: strikes it at one place, or at one after the other, and collects what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ops.core.errors import FAILED, INTERRUPTED, REFUSED
from tests.faults.places import PHASES, Place
from tests.support.toy import FIRST, on_the_way, on_the_way_back
from tests.support.toy_lab import KILLED, PLAN, Kept, Lab
from tests.support.toy_oracle import WAYS, as_before, forgotten, known, look, over, resumed, taken_back, wanted
from tests.support.toy_session import HALVES, SAID, Blow, Next, Things, applies

NOTHING = Kept(b"", Things())
LIMIT, NOWHERE = 200, Place("", "", 0)
# Where a run is not on yet, or has ended: no chain strikes there.
EARLY = {Place("run", f"journal-{kind}", 0) for kind in ("run", "resumed", "undoing", "outcome")}
EARLY |= {Place(FIRST, planned.untouched.check.name, 0) for planned in PLAN.steps if planned.untouched}
CODES = {"kill": {KILLED}, "int": {INTERRUPTED}}
Look = Callable[[], list[str]]
Case = tuple[Place, str, str]


def cases(places: list[Place]) -> list[Case]:
    """Every fault at every place, in each phase in which it is another one there."""
    return [(at, phase, fault) for at in places for phase in PHASES for fault in SAID if applies(fault, at, phase)]


@dataclass(frozen=True)
class Left:
    """What a blow leaves, and what is wrong with that; ``known`` is all on which the way on depends."""

    kept: Kept
    wrong: list[str]
    known: str
    forgotten: list[str]


class Matrix:
    """Strikes and looks. What a blow leaves is kept for all ways on, and each way is walked once from where it leads.

    Args:
        lab: where it runs.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._left: dict[tuple[Case, bool], Left] = {}
        self._walked: dict[tuple[str, str], list[str]] = {}
        lab.put_back(NOTHING)
        assert lab.begin().code == 0
        self.end = lab.things.copy()
        # All is done but for the final step, which was begun and left no trace.
        lab.put_back(NOTHING)
        lab.begin(Blow("exit", "before", Place("toy.migrate", "do", 0)))
        self.before_final = lab.kept()

    def struck(self, case: Case, *, back: bool = False) -> Left:
        """What there is after a blow, on the way or on the way back."""
        if (case, back) not in self._left:
            place, phase, fault = case
            blow = Blow(fault, phase, place)
            self.lab.put_back(self.before_final if back else NOTHING)
            done = self.lab.again("undo", blow) if back else self.lab.begin(blow)
            wrong = look(self.lab, done, blow, wanted(place, fault, back=back)) if blow.dealt else ["it never fell"]
            self._left[case, back] = Left(self.lab.kept(), wrong, known(self.lab), forgotten(self.lab))
        return self._left[case, back]

    def walked(self, left: Left, way: str) -> list[str]:
        """What is wrong at the end of a way on."""
        if (way, left.known) not in self._walked:
            self.lab.put_back(left.kept)
            self._walked[way, left.known] = WAYS[way](self.lab, self.end)
        return self._walked[way, left.known]

    def case(self, case: Case, way: str, *, back: bool = False) -> list[str]:
        """What is wrong with a blow and a way on from it."""
        left = self.struck(case, back=back)
        return left.wrong or self.walked(left, way)

    def chain(self, phase: str, turn: int) -> list[str]:
        """Strike a run at its first place, resume, strike at the next one, until it is done and all are struck."""
        return self._chain("resume", phase, turn, on_the_way(PLAN), NOTHING, lambda: over(self.lab, self.end))

    def chain_back(self, phase: str, turn: int) -> list[str]:
        """The same on the way back."""
        places = on_the_way_back(PLAN)
        return self._chain("undo", phase, turn, places, self.before_final, lambda: as_before(self.lab))

    def _chain(self, way: str, phase: str, turn: int, places: list[Place], start: Kept, last: Look) -> list[str]:
        left, struck = {place for place, when, _ in cases(places) if when == phase}, set(EARLY)
        self.lab.put_back(start)
        for _ in range(LIMIT):
            blow = Next("", phase, NOWHERE, None, struck, turn)
            done = self.lab.again(way, blow)
            wrong = look(self.lab, done, blow, CODES.get(blow.fault, {0, FAILED, REFUSED})) if blow.dealt else []
            if not wrong and (done.code == 0 or not blow.dealt):
                wrong = last() if done.code == 0 else taken_back(self.lab, self.end)
                self.lab.put_back(start)
            if wrong:
                return [f"{blow.fault} at {blow.dealt}: {line}\n{done.out}" for line in wrong]
            if done.code == 0 and not left - struck:
                return []
        return [f"it never came to its end; never struck: {sorted(map(str, left - struck))}"]

    def thawed(self, case: Case) -> list[str]:
        """Somebody lets production take writes after a blow: what was promised does not hold, and it must not go on."""
        left = self.struck(case)
        self.lab.put_back(left.kept)
        self.lab.things.drop("frozen", *HALVES)
        return left.wrong or resumed(self.lab, self.end)
