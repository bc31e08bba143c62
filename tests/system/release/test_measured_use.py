"""What was measured is used: the certificate keeps it, a freeze is asked for, and the window must be long enough."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import Project
from tests.system.release.test_measures import CODE

pytestmark = pytest.mark.slow

# By its kind it only adds, so a plan made before the rehearsal has no freeze; the server writes the whole table anew.
REWRITES = 'migrations.AddField("session", "token", models.UUIDField(db_default=RandomUUID()))'
ADDS = 'migrations.AddField("session", "room", models.CharField(max_length=20, default="x"))'
IMPORT = "from django.contrib.postgres.functions import RandomUUID"


def shop_with(project: Callable[..., Project], operations: str, **target: object) -> Project:
    shop = project("b", **target)
    shop.manage("migrate", "lessons", "0002")
    (shop.folder / "shop/lessons/migrations/0003_next.py").write_text(CODE % (IMPORT, True, "0002_session", operations))
    return shop


def certificate(shop: Project) -> dict[str, Any]:
    path = sorted(shop.folder.glob("backups/shop/certificates/*.json"))[-1]
    return dict(json.loads(path.read_text()))


def applied(shop: Project) -> bool:
    return bool(shop.query("select 1 from django_migrations where app = 'lessons' and name = '0003_next'"))


def steps(events: list[dict[str, Any]]) -> list[str]:
    return [event["step"] for event in events if event["event"] == "step" and event["status"] == "done"]


def test_a_rewrite_asks_for_a_freeze_that_the_release_has_not_and_promote_has(project: Callable[..., Project]) -> None:
    shop = shop_with(project, REWRITES)
    before = shop.fingerprint()
    refused = shop.inv("release", "--confirm=shop", "--json")
    assert (refused.code, refused.outcome["outcome"]) == (3, "refused"), refused.out
    assert "needs a freeze" in refused.outcome["reason"]
    assert "lessons_session was rewritten" in refused.outcome["reason"]
    assert refused.outcome["hint"] == "inv promote --target=shop"
    assert "this run has not changed production's data" in refused.outcome["stands"]
    assert not applied(shop)
    assert shop.fingerprint() == before
    found = certificate(shop)["measured"]
    assert found["rewritten"] == ["public.lessons_session"]
    assert (found["updated"], found["deleted"], found["dropped"]) == (0, 0, [])
    assert found["seconds"] > 0

    promoted = shop.inv("promote", "--confirm=shop", "--json")
    assert promoted.code == 0, promoted.out + promoted.err
    assert "promote.freeze" in steps(promoted.events)
    assert "promote.unfreeze" in steps(promoted.events)
    assert applied(shop)


def test_what_only_adds_is_released_without_a_freeze(project: Callable[..., Project]) -> None:
    shop = shop_with(project, ADDS)
    done = shop.inv("release", "--confirm=shop", "--json")
    assert done.code == 0, done.out + done.err
    assert "promote.freeze" not in steps(done.events)
    found = certificate(shop)["measured"]
    assert (found["rewritten"], found["updated"], found["deleted"]) == ([], 0, 0)


def test_freeze_never_means_never(project: Callable[..., Project]) -> None:
    shop = shop_with(project, REWRITES, freeze="never")
    done = shop.inv("release", "--confirm=shop", "--json")
    assert done.code == 0, done.out + done.err
    assert "promote.freeze" not in steps(done.events)


def hours(before: int, after: int) -> dict[str, object]:
    """A window around this moment, in minutes."""
    opens, closes = (datetime.now(UTC) + timedelta(minutes=m) for m in (-before, after))
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    return {"days": days, "hours": f"{opens:%H:%M}-{closes:%H:%M}"}


@pytest.mark.parametrize("freeze", ["auto", "always"])
def test_a_window_that_is_open_but_too_short(project: Callable[..., Project], freeze: str) -> None:
    # Writers may be kept waiting five times for a quarter of an hour each: more than what is left of the window.
    shop = shop_with(project, ADDS, window=hours(60, 60), lock_timeout=900.0, freeze=freeze)
    refused = shop.inv("release", "--confirm=shop", "--json")
    assert (refused.code, refused.outcome["outcome"]) == (3, "refused"), refused.out
    reason = refused.outcome["reason"]
    assert "the window closes at" in reason
    assert "last safe start" in reason
    assert "the release needs about 7" in reason
    assert not applied(shop)
    assert shop.query("show default_transaction_read_only") == [("off",)]


def test_a_window_that_is_long_enough(project: Callable[..., Project]) -> None:
    shop = shop_with(project, ADDS, window=hours(60, 60))
    done = shop.inv("release", "--confirm=shop", "--json")
    assert done.code == 0, done.out + done.err
    assert applied(shop)
    said = shop.inv("tool.check-window", "--target=shop", f"--name={certificate(shop)['certificate']}",
                    "--frozen=yes", "--begun=no")  # fmt: skip
    assert "last safe start" in said.out


def test_a_window_that_is_closed(project: Callable[..., Project]) -> None:
    shop = shop_with(project, ADDS, window=hours(-60, 120))
    refused = shop.inv("release", "--confirm=shop", "--json")
    assert refused.code == 3
    assert "the maintenance window is closed" in refused.outcome["reason"]
    assert not applied(shop)
