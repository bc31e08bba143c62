"""The list of migrations: their order, the mark, and what a long list leaves out."""

from __future__ import annotations

from ops.release.hazards.rule import Hazard
from ops.release.hazards.scan import Foresight
from ops.release.migration_list import head, in_order

NAMES = ["b.0002_x", "a.0001_y", "b.0003_z"]


def hazard(migration: str, level: str, what: str) -> Hazard:
    return Hazard("GP502", level, migration, "", "", "", None, what, "", "")  # type: ignore[arg-type]


def test_the_order_is_kept_and_what_blocks_is_marked() -> None:
    assert head(NAMES[:1]) == "1 pending migration, in the order in which they run:"
    assert in_order(NAMES, {"a.0001_y": "writes to t wait"}) == [
        "      b.0002_x",
        "LOCK  a.0001_y: writes to t wait",
        "      b.0003_z",
    ]


def test_a_step_names_of_many_migrations_those_that_block() -> None:
    blocks = {"b.0003_z": "writes to t wait"}
    assert in_order(NAMES, blocks, 2) == ["LOCK  b.0003_z: writes to t wait", "      2 others, which block nobody"]
    assert in_order(NAMES, blocks, 3) == in_order(NAMES, blocks)
    assert in_order(NAMES, {}, 2) == ["      3 others, which block nobody"]
    assert in_order([], {}, 2) == []


def test_what_would_block_is_told_once_for_each_migration() -> None:
    found = (
        hazard("a.0001_y", "lock", "writes to t wait"),
        hazard("b.0002_x", "loss", "rows go"),
        hazard("a.0001_y", "lock", "reads of u wait"),
    )
    assert Foresight(found, tuple(NAMES), ()).blocks() == {"a.0001_y": "writes to t wait; reads of u wait"}
