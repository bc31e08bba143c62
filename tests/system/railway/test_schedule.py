"""Railway's own schedule of backups, by `inv schedule`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.system.railway.conftest import Rail


@pytest.mark.slow
def test_a_pin_locks_railways_own_backup_and_holds_where_the_plan_has_none(rail: Callable[..., Rail]) -> None:
    on = rail("b")
    file = on.project.folder / "inventory.yaml"
    file.write_text(file.read_text().replace("deploy: redeploy", "deploy: redeploy\n            backups: true"))
    assert on.project.inv("backup").code == 0
    done = on.project.inv("pin", "latest")
    assert done.code == 0 and "(bak-1) until somebody removes it" in done.out, done.out + done.err
    assert on.state["backups"][0]["expiresAt"] is None
    on.change(faults=["plan-gate"])
    done = on.project.inv("pin", "latest")
    words = "does not include volume backups; the dump is the only backup"
    assert done.code == 0 and words in done.out, done.out + done.err


def test_railways_own_schedule_is_shown_and_set(rail: Callable[..., Rail]) -> None:
    on = rail("b")
    file = on.project.folder / "inventory.yaml"
    keys = "deploy: redeploy\n            schedule: [weekly, daily]"
    file.write_text(file.read_text().replace("deploy: redeploy", keys))
    shown = on.project.inv("schedule")
    assert shown.code == 5, shown.out + shown.err
    assert "Railway's automatic backups: daily, weekly in the inventory, none on Railway" in shown.out
    planned = on.project.inv("schedule", "--install", "--plan")
    assert planned.code == 0 and "they would be changed" in planned.out and "schedules" not in on.state
    done = on.project.inv("schedule", "--install")
    assert done.code == 0 and "Railway's automatic backups: daily, weekly" in done.out, done.out + done.err
    assert on.state["schedules"] == {"env-p": ["DAILY", "WEEKLY"]}
    assert on.project.inv("schedule").code == 0
    [event, outcome] = on.project.inv("schedule", "--json").events
    assert (event["task"], event["installed"], outcome["exit"]) == ("volume-backup", "daily, weekly", 0)
    on.change(faults=["plan-gate"])
    shown = on.project.inv("schedule")
    assert shown.code == 5 and "does not include volume backups" in shown.out, shown.out
    done = on.project.inv("schedule", "--install")
    assert done.code == 4 and "does not include volume backups" in done.out + done.err, done.out + done.err
