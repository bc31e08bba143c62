"""The plan says how long a release takes and freezes production: roughly before the first one, then by the last one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from tests.conftest import Project

MORE = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("lessons", "0002_session")]
    operations = [migrations.RunSQL("SELECT 1", migrations.RunSQL.noop)]
"""


@pytest.mark.slow
def test_the_first_plan_is_rough_and_the_next_one_measured(project: Callable[..., Project]) -> None:
    shop = project("b", freeze="always")
    plan = shop.inv("release", "--plan").out
    assert "  time:       at least about " in plan, plan
    assert ", of these production is read-only for at least about " in plan
    assert "basis: the size of the database, " in plan and "; rough\n" in plan
    assert "not counted, because no run has measured them: run the migrations on the clone, " in plan
    assert "Django:" not in plan

    done = shop.inv("release", "--confirm=shop", "--json")
    assert done.code == 0, done.out + done.err
    took = {one["step"]: one["seconds"] for one in done.events if one.get("status") == "done"}

    (shop.folder / "shop/lessons/migrations/0003_more.py").write_text(MORE)
    run = done.events[-1]["run"]
    plan = shop.inv("plan").out
    assert f"basis: the last run of each step, the newest is {run}" in plan and "rough" not in plan, plan
    assert "the pending migrations were not rehearsed yet" in plan and "not counted" not in plan
    estimate = shop.inv("release", "--plan", "--json").events[0]["estimate"]
    assert estimate["measured"] and estimate["unknown"] == []
    at = {one["step"]: datetime.fromisoformat(one["at"]) for one in done.events if one.get("status") == "done"}
    frozen = (at["promote.unfreeze"] - at["promote.freeze"]).total_seconds()
    # Between its steps a run writes the journal.
    assert estimate["frozen"] == pytest.approx(frozen, abs=1.0)
    whole = (at["promote.unfreeze"] - at["hazards.look"]).total_seconds() + took["hazards.look"]
    assert estimate["seconds"] == pytest.approx(whole, abs=2.0)

    released = shop.inv("release", "--confirm=shop")
    assert released.code == 0 and "       time: about " in released.out, released.out + released.err


def test_a_slow_start_of_the_application_is_reported(project: Callable[..., Project]) -> None:
    shop = project("b")
    settings = shop.folder / "shop/settings.py"
    settings.write_text("import time\n\ntime.sleep(2.1)\n" + settings.read_text())
    plan = shop.inv("release", "--plan").out
    said = next(line for line in plan.splitlines() if line.startswith("  Django:     one start takes "))
    assert 2.1 <= float(said.split()[-2]) < 20, plan
