"""Releases a case on a project of its own, whose production is under load from before the backup until after."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.conftest import Project
from tests.live.cases import LOAD, TABLES, Case
from tests.support.load import writing

REHEARSAL = ("clone-prod-to-test", "migrate-test", "verify")


@dataclass
class Result:
    """How a release ended: its exit code and reason, what production had then, and what the load did."""

    code: int
    reason: str
    applied: bool
    frozen: bool
    statements: int
    seconds: float

    def wrong(self, case: Case) -> str:
        """In what that is not right; empty where it is."""
        if case.lost and self.code != 5:
            return f"the loss was missed (exit {self.code})"
        if not case.lost and (self.code or not self.applied or self.frozen):
            return f"refused wrongly (exit {self.code}, applied: {self.applied}, frozen: {self.frozen}): {self.reason}"
        return ""


def release(make: Callable[..., Project], case: Case, freeze: str, pause: float = 0.01) -> Result:
    """Rehearse and promote one case under load.

    Args:
        make: makes a project of a migration's operations, and keys of its inventory.
        freeze: ``always`` or ``never``.
        pause: seconds between two statements of one client; there are seven.
    """
    operations = case.sql if case.sql.startswith("migrations.") else f"migrations.RunSQL({case.sql!r})"
    shop = make(operations, checks=[], freeze=freeze)
    shop.query(TABLES)
    if case.declared:
        path = shop.folder / "shop/migrations.expect.yaml"
        path.write_text(f"lessons.0002_session:\n  - {case.declared}\n")
    started = time.monotonic()
    with writing(shop.production, *LOAD, pause=pause) as load:
        words = [*REHEARSAL, "promote"] if case.since else ["release"]
        for word in words:
            if word == "promote":
                shop.query(case.since)
            done = shop.inv(word, "--json", *([] if word in REHEARSAL else ["--confirm=shop"]))
            if done.code:
                break
    return Result(
        done.code,
        str(done.outcome.get("reason", "")),
        bool(shop.query("SELECT 1 FROM django_migrations WHERE name = '0002_session'")),
        shop.query("SHOW default_transaction_read_only") == [("on",)],
        load.done.total(),
        time.monotonic() - started,
    )
