"""A run is gone on with only by the version that began it; what an older version finished stays readable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ops.cli.listings import runs
from ops.cli.options import Options
from ops.cli.run import again
from ops.core.errors import Refused
from ops.engine import journal
from ops.engine.inputs import RunInputs
from ops.engine.plan import make_plan
from ops.procedures.catalog import PROCEDURES, replan

INVENTORY = "all: {children: {production: {hosts: {shop: {database: env:SHOP, store: backups}}}}}"
DONE, OPEN = "20261101_110000_aaaa", "20261101_120000_bbbb"
# What 0.1.0 wrote before the inputs had parts; a freeze's commands are the same ones since.
OLD: dict[str, Any] = {
    "event": "run",
    "procedure": "freeze",
    "target": "shop",
    "tool": "0.1.0",
    "reason": "tonight",
    "digest": "c7360a50f0eacd42daf9ecdbd2c6622dd7dd12eb40f47bc453ff9f31d0b146e2",
    "plan": [],
    "headline": "shop: Freeze production",
    "at": "2026-11-01T11:00:00.000Z",
}
FLAT: dict[str, Any] = {
    **{"target": "shop", "database": "shop", "system": "7", "server": "16.4", "store": "backups", "backup": "b1"},
    **{"test": "", "test_database": "", "test_exists": True, "test_like": "postgres", "tidy": [], "app": None},
    **{"kept": "", "keep_replaced": 7.0, "frozen": False, "freezes": False, "lock_timeout": 5.0, "retries": 5},
    **{"jobs": 2, "compress": "1", "tools": "16", "railway": "", "physical": None, "release": "", "certificate": ""},
}
ENDED = {"event": "outcome", "outcome": "done", "exit": 0, "reason": "", "hint": "", "at": "2026-11-01T11:00:01.000Z"}


def old_store(folder: Path) -> Path:
    (folder / "inventory.yaml").write_text(INVENTORY)
    for run, more in ((DONE, [ENDED]), (OPEN, [])):
        place = folder / "backups/shop/runs" / run
        place.mkdir(parents=True, mode=0o700)
        events = [{**OLD, "run": run, "inputs": {**FLAT, "run": run}}, *more]
        (place / "journal.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return folder / "inventory.yaml"


@pytest.mark.parametrize(
    ("ours", "fetch"),
    [("0.2.0", "generalprobe==0.1.0"), ("0.1.0", "check out the commit that was in use at 2026-11-01T11:00:00.000Z")],
)
@pytest.mark.parametrize("undo", [False, True])
def test_an_open_run_of_an_older_version_is_refused_with_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undo: bool, ours: str, fetch: str
) -> None:
    monkeypatch.setattr("ops.procedures.catalog.__version__", ours)
    with pytest.raises(Refused) as caught:
        again(Options(inventory=str(old_store(tmp_path))), OPEN, undo)
    assert "end open runs before upgrading" in caught.value.message and OPEN in caught.value.message
    assert fetch in caught.value.hint and f"inv undo --run={OPEN}" in caught.value.hint


def test_what_an_older_version_ended_stays_readable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inventory = old_store(tmp_path)
    found = journal.runs(tmp_path / "backups/shop")
    assert [(one.run, one.backup, one.finished) for one in found] == [(DONE, "b1", True), (OPEN, "b1", False)]
    runs(Options(inventory=str(inventory)))
    said = capsys.readouterr().out
    assert DONE in said and OPEN in said


def test_a_run_of_this_version_has_the_same_plan_again(tmp_path: Path) -> None:
    c = RunInputs(run=OPEN, target="shop", database="shop", store="backups", backup="b1")
    plan = make_plan(PROCEDURES["freeze"], c)
    header = {**OLD, "run": OPEN, "digest": plan.digest, "inputs": json.loads(c.model_dump_json())}
    assert replan(journal.State(header)).digest == plan.digest
    for wrong in ({"digest": "0" * 64}, {"target": "other"}, {"procedure": "gone"}, {"inputs": {}}):
        with pytest.raises(Refused, match="end open runs before upgrading"):
            replan(journal.State({**header, **wrong}))
