"""How long steps took, by what they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from ops.engine.effects import StepEffect
from ops.engine.journal import State
from ops.infra.session.session import Session
from ops.release import migration_gates


def run(effects: Mapping[str, list[str]], **seconds: float) -> State:
    state = State({"run": "r", "procedure": "p", "target": "shop", "inputs": {}, "step_effects": effects})
    for name, took in seconds.items():
        state.mark(name, "done" if took else "failed")
        state.seconds[name] = took
    return state


def test_the_last_run_that_did_all_of_it_says_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {"dumps": ["dump", "seal", "again"], "last": ["again"], "accounts": ["after", "checks"]}
    runs = [
        run(whole, dump=100, seal=1, again=3, after=7, checks=2),
        run(whole, dump=50, seal=2, again=4, after=5, checks=0),
        run({"deploys": ["deploy"]}, deploy=9),
    ]
    monkeypatch.setattr(migration_gates.journal, "runs", lambda _: runs)
    monkeypatch.setattr(migration_gates, "target_folder", lambda *_: None)
    found = migration_gates._took(cast("Session", cast("Any", None)), "shop")
    assert found == {StepEffect.DUMPS: 52, StepEffect.ACCOUNTS: 9, StepEffect.DEPLOYS: 9}


def test_the_estimate_of_the_running_release_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("freeze", "dump", "migrate", "thaw")
    steps = {name: {"seconds": n, "basis": "last-run"} for n, name in enumerate(names, 1)}
    effects = {"freezes": ["freeze"], "migrates": ["migrate"], "unfreezes": ["thaw"]}
    now, other = run(effects), run({"dumps": ["dump"]})
    now.header["estimate"] = {"steps": steps}
    session = cast("Session", cast("Any", None))
    monkeypatch.setattr(migration_gates, "target_folder", lambda *_: None)
    monkeypatch.setattr(migration_gates.journal, "runs", lambda _: [run(effects), now, other])
    assert migration_gates._others(session, "shop", begun=False) == 1 + 2 + 4
    assert migration_gates._others(session, "shop", begun=True) == 4
    # A block of the page runs the check without a run.
    now.outcome = {"outcome": "done"}
    monkeypatch.setattr(migration_gates.journal, "runs", lambda _: [now, other])
    assert migration_gates._others(session, "shop", begun=False) == 0
