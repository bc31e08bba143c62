"""Migrations are reported in the order in which they run, with a mark on those that block readers or writers."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ops.release.hazards import locks
from tests.conftest import Project
from tests.system.release.test_measures import ADD, later

INDEX = 'migrations.AddIndex("session", models.Index(fields=["title"], name="by_title"))'


def test_the_plan_and_the_hazards_mark_what_would_block(
    project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "MANY", 1000)
    shop = project("b")
    later(shop, 3, "by_title", INDEX, code="")
    later(shop, 4, "room", ADD, code="")
    key, index = "PostgreSQL checks every row against a new foreign key", "PostgreSQL builds an index over all rows"
    order = [
        f"LOCK  lessons.0002_session: writes to lessons_booking and the referenced table wait while {key} "
        "(1,000 rows)",
        f"LOCK  lessons.0003_by_title: writes to lessons_session wait while {index} (1,000 rows)",
        "      lessons.0004_room",
    ]
    plan = shop.inv("plan").out.splitlines()
    at = plan.index("  pending:    3 migrations, in the order in which they run")
    assert plan[at + 1 : at + 4] == [f"        {line}" for line in order], plan[at : at + 6]
    hazards = shop.inv("hazards").out.splitlines()
    assert hazards[:4] == [
        "shop: 3 pending migrations, in the order in which they run:",
        *(f"  {line}" for line in order),
    ]


def test_a_promotion_says_what_it_has_applied_and_what_that_blocked(scene: Callable[..., Project]) -> None:
    shop = scene("released")
    (path,) = shop.folder.glob("backups/shop/runs/*/journal.jsonl")
    events = [json.loads(line) for line in path.read_text().splitlines()]
    said = {event["step"]: event.get("detail", "") for event in events if event.get("status") == "done"}
    assert said["hazards.look"].startswith(
        "1 pending migration, in the order in which they run:\n      lessons.0002_session\nhazards: "
    )
    blocked = "LOCK  lessons.0002_session: in the rehearsal reads and writes of lessons_"
    assert said["promote.migrate"].startswith(blocked)
    assert said["migrate-test.migrate"].startswith("LOCK  lessons.0002: ")
