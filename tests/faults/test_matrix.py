"""The fault matrix: every command of every procedure, struck before it, while it runs, and after it.

It is made of the procedures themselves, so a new step or command is in it without a word here. A *chain* strikes a run
at its first place, looks, resumes it and strikes at the next place, and so on until the run is done. Which part of the
places is struck, and which blow falls where, is drawn from the commit (``tests.faults.draw``).
"""

from __future__ import annotations

import os
import re

import pytest

from ops.engine.journal import runs
from ops.procedures.catalog import replan
from tests.conftest import Done
from tests.faults.draw import drawn
from tests.faults.oracle import Oracle
from tests.faults.places import BLOWS, MOUNTED, PHASES, PHYSICAL, Place, blow_at, chosen, everything, places, takes_back
from tests.faults.stage import Stage, tables

pytestmark = pytest.mark.faults
MOUNTS = pytest.mark.skipif(
    os.geteuid() != 0,
    reason="a small disk is mounted by root only: run the tests as root",
)
EACH = [*BLOWS, *(pytest.param(blow, marks=MOUNTS) for blow in MOUNTED)]
KINDS = EACH if everything() else [""]
LIMIT = 400
# The ids of runs, as facts number them. What an undone swap had made live is kept, and documented.
RUN = re.compile(r"RUN\d+")


@pytest.mark.parametrize("blow", KINDS)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", chosen())
def test_struck_everywhere_and_resumed_each_time(stage: Stage, name: str, phase: str, blow: str) -> None:
    struck_everywhere(stage, name, phase, blow)


# With a remote store and masks: a release and its way back, and what puts a masked clone where people read it.
FAR = [
    (name, phase)
    for name in ("backup", "clone-prod-to-test", "release", "rollback")
    for phase in (PHASES if everything() or name == "release" else (drawn().turn(name, PHASES),))
]


@pytest.mark.parametrize(("name", "phase"), FAR)
def test_with_an_object_store_and_masks(far_stage: Stage, name: str, phase: str) -> None:
    struck_everywhere(far_stage, name, phase, "")


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", PHYSICAL)
def test_with_pgbackrest(physical_stage: Stage, name: str, phase: str) -> None:
    struck_everywhere(physical_stage, name, phase, "")


TWICE = "could execute a part twice"


def struck_everywhere(stage: Stage, name: str, phase: str, blow: str) -> None:
    """Strike a procedure at its next place, look, resume, until it is done and nothing is left to strike."""
    end = stage.end_of(name)
    start = stage.kept[stage.start_of(name)]
    stage.at(stage.start_of(name))
    stage.forget()
    oracle = Oracle(stage, start, end)
    # What a person types is known before the first blow: afterwards a database may be gone, and its name with it.
    begin, confirm = stage.words(name), stage.confirm(name)
    words, struck, fresh = begin, set[str](), True
    for _ in range(LIMIT):
        done, dealt = stage.struck(words, phase, blow=blow)
        struck |= {Place.read(place).key for place, _ in dealt}
        if dealt:
            oracle.look(done, phase, dealt)
            stage.mend()
        elif done.code or fresh:
            break
        words, fresh = ["resume", confirm], False
        if TWICE in done.out:
            # Of a migration that is no transaction a part may be there: the text leads back, and it begins anew.
            led_on(oracle, done, confirm)
            stage.at(stage.start_of(name))
            words, fresh = begin, True
        if "the journal can't be written" in done.out:
            # It is done and not noted, since the disk was full: the text says to resume.
            assert f"inv resume --run={oracle.last().run}" in done.out, done.out
            continue
        if done.code == 0:
            # Some places are passed by: a cut is noticed only by the next step. They take another run.
            oracle.over(end)
            if places_left(oracle, phase, blow) <= struck:
                break
            stage.at(stage.start_of(name))
            words, fresh = begin, True
    oracle.told.append(f"--- at last: {done.code}\n{done.out}{done.err}")
    oracle.expect(done.code == 0, f"it never came to its end, after {len(struck)} strikes")
    oracle.over(end)
    if phase != "during":
        left = places_left(oracle, phase, blow) - struck
        oracle.expect(not left, f"never struck: {sorted(left)}")
    oracle.verdict()
    print(f"{name}: {len(struck)} strikes {phase}")


def places_left(oracle: Oracle, phase: str, blow: str) -> set[str]:
    """All places of the last run's plan at which a blow falls."""
    return {place.key for place in places(replan(oracle.last())) if blow_at(place, phase, blow)}


def led_on(oracle: Oracle, refused: Done, confirm: str) -> None:
    """What a refused undo says to type: to finish it, or to go back to the backup. It is typed."""
    hint = re.search(r"^Try: inv ((?:rollback|resume) .*)$", refused.out, re.M)
    oracle.expect(hint, "no way out")
    if not hint:
        return
    done = oracle.stage.project.inv(*hint[1].split(), confirm)
    oracle.told.append(f"--- {hint[0]}: {done.code}\n{done.out}{done.err}")
    oracle.expect(done.code == 0, "the way out is none")
    if hint[1].startswith("resume"):
        oracle.over(oracle.end)
    else:
        oracle.production()
        oracle.expect(tables(oracle.stage.project) == oracle.start.tables, "not as it was before")


@pytest.mark.parametrize("blow", EACH)
def test_each_blow_falls_somewhere_in_a_release(stage: Stage, blow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The selection draws by hash: no kind must be left out by that."""
    monkeypatch.setenv("OPS_FAULTS", "")
    stage.end_of("release")
    stage.at(("release",))
    plan = replan(runs(stage.store / "shop")[-1])
    assert blow in {blow_at(place, phase) for place in places(plan) for phase in PHASES}


def _phases(step: str) -> tuple[str, ...]:
    return PHASES if everything() else (drawn().turn(step, PHASES),)


CASES = [
    (name, step, phase)
    for name in chosen()
    for step in takes_back(name)
    for phase in _phases(step)
    if drawn().takes(f"{name} {step}")
]


@pytest.mark.parametrize(("name", "step", "phase"), CASES)
def test_struck_on_the_way_back(stage: Stage, name: str, step: str, phase: str) -> None:
    """Struck right after a step's last command, and then at every command of the way back."""
    end = stage.end_of(name)
    start = stage.kept[stage.start_of(name)]
    stage.at(stage.start_of(name))
    oracle = Oracle(stage, start, end)
    stage.forget()
    confirm = stage.confirm(name)
    done, dealt = stage.struck(stage.words(name), "after", blow="kill", only=f"{step}/do/0")
    if not dealt:
        pytest.skip(f"{step} is not in this plan")
    oracle.look(done, "after", dealt)
    words = ["undo", confirm]
    for _ in range(LIMIT):
        done, dealt = stage.struck(words, phase, undo=True)
        if not dealt:
            break
        oracle.look(done, phase, dealt)
        stage.mend()
        if done.code == 0:
            break
    oracle.told.append(f"--- at last: {done.code}\n{done.out}{done.err}")
    if "can't be undone" in done.out:
        led_on(oracle, done, confirm)
        oracle.verdict()
        return
    oracle.expect(done.code == 0, "it never came to its end")
    found = stage.facts()
    wanted = {"applied": start.applied, "tables": start.tables, "frozen": start.frozen}
    for what, value in wanted.items():
        oracle.expect(getattr(found, what) == value, f"{what} after undo: {getattr(found, what)}, not {value}")
    known = {RUN.sub("RUN", name) for name in start.databases}
    extra = [name for name in found.databases if RUN.sub("RUN", name) not in known and "_undone_" not in name]
    oracle.expect(not extra, f"databases are left after the undo: {extra}")
    oracle.verdict()
