"""Proved restores, from journals."""

from ops.backups.restore_tests import failed, proved
from ops.core.errors import Code
from ops.engine.journal import State


def state(run: str, step: str, status: str, at: str, backup: str = "b1") -> State:
    found = State({"run": run, "procedure": "drill", "target": "shop", "inputs": {"backup": backup}})
    found.mark(step, status)
    found.times[step], found.seconds[step] = at, 2.5
    if status == "done":
        found.ever[step] = at
    return found


def test_the_last_proved_restore_of_a_backup_counts() -> None:
    runs = [
        state("r1", "clone.restore", "done", "2026-11-26T02:00:00.000Z"),
        state("r2", "drill.restore", "done", "2026-11-27T02:00:00.000Z"),
        state("r3", "drill.restore", "failed", "2026-11-28T02:00:00.000Z"),
        state("r4", "drill.restore", "done", "no time"),
        state("r5", "backup.dump", "done", "2026-11-28T02:00:00.000Z", "b2"),
    ]
    found = proved(runs)
    assert list(found) == ["b1"]
    assert (found["b1"].run, found["b1"].seconds, found["b1"].at.day) == ("r2", 2.5, 27)


def test_the_header_says_which_steps_restore() -> None:
    found = state("r1", "anew.put_back", "done", "2026-11-26T02:00:00.000Z")
    assert proved([found]) == {}
    found.header["step_effects"] = {"restores": ["anew.put_back"]}
    assert list(proved([found])) == ["b1"]
    found.mark("anew.put_back", "failed")
    found.ever, found.codes = {}, {"anew.put_back": Code.BAD_BACKUP}
    assert failed([found]) == {}
    found.header["step_effects"] = {"restores": ["anew.put_back"], "drills": ["anew.put_back"]}
    assert failed([found]) == {"b1": "r1"}
