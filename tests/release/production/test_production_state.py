"""What production is, and what is offered then: each cell of the table in ``docs/how-to/failed-promotion.md``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.core.errors import DataDiffers, OpsError, StepFailed, Unreachable
from ops.engine.effects import StepEffect
from ops.engine.journal import State
from ops.release.production.failed_release import explain_promotion
from ops.release.production.production_state import Data, Production, Run, Way, look, offers, told, way
from tests.cli import test_failed_promotion
from tests.cli.test_failed_promotion import BOTH, FIRST, INPUTS, OPENED, RUN, SECOND, SERVER, Bench, append

bench = test_failed_promotion.bench
DOCS = Path(__file__).parents[3] / "docs/how-to/failed-promotion.md"
RUN_ = Run(RUN, "shop", f"{RUN}_last", freezes=True)
OPEN = replace(RUN_, freezes=False, backup=INPUTS.backup)
RESUME, UNDO = f"inv resume --run={RUN} --target=shop", f"inv undo --run={RUN} --target=shop"
ROLLBACK, STATUS = "inv rollback --target=shop --backup=", "inv status --target=shop"

AS_BEFORE = Production(True, True, left=BOTH)
PART = Production(True, True, left=BOTH, part=FIRST)
PARTLY = Production(True, True, done=(FIRST,), left=(SECOND,))
MIGRATED = Production(True, True, done=BOTH)
RESTORED = Production(True, False, "generalprobe restored shop, run x")


def opened(found: Production) -> Production:
    return replace(found, frozen=False, sealed=False)


def frozen_again(found: Production) -> Production:
    return replace(found, sealed=False)


ENDING, DEPLOYING = replace(RUN_, ending=True), replace(RUN_, deploying=True)
# The table's row: what production is; its data, what --auto-rollback does, and what is offered, in that order.
CELLS: dict[str, tuple[Production, Run, Data, Way, list[str]]] = {
    "as before, frozen": (AS_BEFORE, RUN_, Data.AS_BEFORE, Way.UNDO, [RESUME, UNDO]),
    "as before, freeze ended outside of the run": (opened(AS_BEFORE), RUN_, Data.AS_BEFORE, Way.UNDO, [UNDO]),
    "as before, never frozen": (opened(AS_BEFORE), OPEN, Data.AS_BEFORE, Way.UNDO, [RESUME, UNDO]),
    "a part may be applied, frozen": (PART, RUN_, Data.PART_UNKNOWN, Way.ROLLBACK, [ROLLBACK, UNDO]),
    "a part may be applied, freeze ended outside of the run": (
        opened(PART),
        RUN_,
        Data.PART_UNKNOWN,
        Way.NONE,
        [ROLLBACK, UNDO],
    ),
    "a part may be applied, never frozen": (opened(PART), OPEN, Data.PART_UNKNOWN, Way.NONE, [ROLLBACK, UNDO]),
    "partly migrated, frozen": (PARTLY, RUN_, Data.PARTLY, Way.ROLLBACK, [ROLLBACK, RESUME]),
    "partly migrated, freeze ended outside of the run": (opened(PARTLY), RUN_, Data.PARTLY, Way.NONE, [ROLLBACK]),
    "partly migrated, frozen again": (frozen_again(PARTLY), RUN_, Data.PARTLY, Way.NONE, [ROLLBACK, RESUME]),
    "partly migrated, never frozen": (opened(PARTLY), OPEN, Data.PARTLY, Way.NONE, [ROLLBACK, RESUME]),
    "migrated, frozen": (MIGRATED, RUN_, Data.MIGRATED, Way.ROLLBACK, [ROLLBACK, RESUME]),
    "migrated, freeze ended outside of the run": (opened(MIGRATED), RUN_, Data.MIGRATED, Way.NONE, [ROLLBACK]),
    "migrated, frozen again": (frozen_again(MIGRATED), RUN_, Data.MIGRATED, Way.NONE, [ROLLBACK, RESUME]),
    "migrated and being deployed, frozen": (MIGRATED, DEPLOYING, Data.MIGRATED, Way.ROLLBACK, [RESUME, ROLLBACK]),
    "migrated, freeze ended by this run": (opened(MIGRATED), ENDING, Data.MIGRATED, Way.NONE, [RESUME, ROLLBACK]),
    "migrated, never frozen": (opened(MIGRATED), OPEN, Data.MIGRATED, Way.NONE, [ROLLBACK, RESUME]),
    "restored": (RESTORED, RUN_, Data.RESTORED, Way.NONE, [STATUS]),
}
WORDS = {RESUME: "`inv resume`", UNDO: "`inv undo`", ROLLBACK: "`inv rollback`", STATUS: "`inv status`"}


@pytest.mark.parametrize("cell", CELLS)
def test_each_state_has_its_way_and_its_offers(cell: str) -> None:
    found, run, data, back, offered = CELLS[cell]
    assert found.data is data
    assert way(found, run, backed_up=True)[0] is back
    commands = [words for words, _ in offers(found, run)]
    assert len(commands) == len(offered)
    assert all(words.startswith(wanted) for words, wanted in zip(commands, offered, strict=True)), commands


@pytest.mark.parametrize("cell", CELLS)
def test_only_what_the_server_shows_is_said(cell: str) -> None:
    found, run, *_ = CELLS[cell]
    text = f"{told(found)} {offers(found, run)} {way(found, run, backed_up=True)[1]}"
    assert ("frozen since before that backup" in text) == (
        found.sealed and ROLLBACK in text
    ), "that all was kept is said where the freeze is proved"
    assert "proved to be unchanged" not in text
    proved = told(replace(found, proved=True))
    assert ("proved to be unchanged" in proved) == (not found.done and not found.restored)


def test_the_documented_table_is_this_one() -> None:
    section = DOCS.read_text().split("| production is |", 1)[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()[2:]]
    does = {Way.UNDO: "undoes", Way.ROLLBACK: "rolls back", Way.NONE: "does nothing"}
    assert rows == [
        [cell, does[back], ", ".join(WORDS[words] for words in offered)]
        for cell, (_, _, _, back, offered) in CELLS.items()
    ]


def test_a_backup_that_is_not_complete_brings_nothing_back() -> None:
    assert way(MIGRATED, RUN_, backed_up=False)[0] is Way.NONE


def test_why_a_part_may_be_applied_is_said_as_it_is_known() -> None:
    assert told(PART).endswith(f"a part of {FIRST} may be applied: it is not one transaction")
    assert "one transaction" not in told(replace(PART, known=False)).split("could not be queried")[0]


def test_what_may_be_applied_in_part_is_not_gone_on_with() -> None:
    halted = replace(PARTLY, part=SECOND)
    assert [words for words, _ in offers(halted, RUN_)] == [f"{ROLLBACK}{RUN}_last"]
    assert f"a part of {SECOND} may be applied" in told(halted)


# --- what the server is asked ----------------------------------------------------------------------------------------


def asked(bench: Bench, run: Run = RUN_, prove: Any = None) -> Production:
    return look(bench.session, run, INPUTS.release.certificate, bench.session.inventory.path(INPUTS.freeze_note), prove)


def test_what_the_server_says_is_held_against_what_was_noted(bench: Bench) -> None:
    bench.has = BOTH
    assert asked(bench) == MIGRATED
    bench.server |= OPENED
    assert asked(bench) == opened(MIGRATED)
    bench.server = SERVER | {"since": [["16384", "0", "999"]]}
    assert asked(bench) == frozen_again(MIGRATED)
    bench.server = SERVER | {"database": "99", "comment": "generalprobe restored shop, run x"}
    assert asked(bench).restored == "generalprobe restored shop, run x"
    bench.server = SERVER | {"database": "99"}
    assert asked(bench).data is Data.RESTORED


@pytest.mark.parametrize("wrong", ["", "{", "[]", "7"])
def test_a_note_that_can_not_be_read_proves_nothing(bench: Bench, wrong: str) -> None:
    bench.session.inventory.path(INPUTS.freeze_note).write_text(wrong)
    found = asked(bench)
    assert found.frozen and not found.sealed and not found.restored


@pytest.mark.parametrize(
    ("atomic", "proof", "data", "proved"),
    [
        (True, None, Data.AS_BEFORE, True),
        (False, None, Data.AS_BEFORE, True),
        (False, DataDiffers("a row more"), Data.PART_UNKNOWN, False),
        (False, Unreachable("gone"), Data.PART_UNKNOWN, False),
    ],
)
def test_as_before_is_compared(bench: Bench, atomic: bool, proof: OpsError | None, data: Data, proved: bool) -> None:
    bench.has, bench.atomic = (), atomic
    found = asked(bench, prove=lambda: proof)
    assert (found.data, found.proved) == (data, proved)
    assert told(found).endswith("proved to be unchanged" if proved else "it is not one transaction")


def test_what_differs_is_not_as_before_though_it_is_one_transaction(bench: Bench) -> None:
    bench.has = ()
    found = asked(bench, prove=lambda: DataDiffers("a row more"))
    assert found.data is Data.PART_UNKNOWN and told(found).endswith("not proved to be unchanged")


def test_an_application_that_does_not_start_leaves_it_open_whether_a_part_is_applied(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.has = ()
    no = StepFailed("no")
    monkeypatch.setattr("ops.release.production.production_state.probe", lambda *_: test_failed_promotion.raising(no))
    assert asked(bench).part == FIRST


def test_indexes_that_are_left_by_half_are_built_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.has, bench.atomic = (), False
    built = [{"migration": FIRST, "statements": ["CREATE INDEX CONCURRENTLY one ON app_a (b)"]}]
    monkeypatch.setattr("ops.release.production.production_state.probe", lambda *_: bench.probe() | {"sql": built})
    found = asked(bench)
    assert (found.data, found.part, found.indexes) == (Data.AS_BEFORE, "", FIRST)
    assert told(found).endswith(f"{FIRST} only builds and drops indexes")
    again = "repeats the step and continues the release, after it drops the unfinished indexes"
    assert offers(found, RUN_)[0] == (RESUME, again)


def test_what_a_run_has_begun_is_read_from_the_effects_of_its_steps() -> None:
    does = {"migrates": ["anew.go"], "unfreezes": ["anew.open"], "last": ["anew.save"]}
    does["seals"] = ["anew.save", "anew.first"]
    header = {"run": RUN, "procedure": "anew", "target": "shop", "inputs": {}, "step_effects": does}
    state = State(header)
    for name in ("promote.migrate", "promote.unfreeze", "last-backup.seal", "anew.first"):
        state.mark(name, "done")
    found = Run.of(state, "b", freezes=True)
    assert (found.begun, found.ending, state.did(StepEffect.LAST, StepEffect.SEALS)) == (False, False, False)
    for name in ("anew.go", "anew.open", "anew.save"):
        state.mark(name, "done")
    found = Run.of(state, "b", freezes=True)
    assert (found.begun, found.ending, state.did(StepEffect.LAST, StepEffect.SEALS)) == (True, True, True)


def test_the_tool_says_it_in_lines(bench: Bench) -> None:
    name = INPUTS.release.certificate
    given = {"target": "shop", "name": name, "run": RUN, "backup_id": f"{RUN}_last", "frozen": "yes"}
    bench.has = (FIRST,)
    first, *ways = explain_promotion(bench.session, **given).split("\n")
    assert first == told(PARTLY) and ways == [f"Try: {words}   # {does}" for words, does in offers(PARTLY, RUN_)]
    append(bench.folder, {"event": "step", "step": "promote.unfreeze", "status": "begun"})
    bench.server |= OPENED
    bench.has = BOTH
    _, first, _ = explain_promotion(bench.session, **given).split("\n")
    assert first.startswith(f"Try: {RESUME}"), "the run itself had begun to end the freeze"
    assert json.dumps(SERVER) in bench.session.inventory.path(INPUTS.freeze_note).read_text()
