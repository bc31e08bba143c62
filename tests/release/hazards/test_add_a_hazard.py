"""A hazard is one file: its code, its texts and one small function."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import ops.release.hazards
from ops.application.operations import Application, Operation
from ops.release.hazards.rule import RULES
from ops.release.hazards.scan import judge

MADE_UP = '''
"""A rule about tables that are named after the moon."""

from collections.abc import Iterator

from ops.release.hazards.rule import Found, Place, rule


@rule(
    "GP999",
    "note",
    what="{words} makes {table}, by {light}",
    why="Nobody has been there since.",
    how="    Name it after a planet.",
)
def moonlit(place: Place) -> Iterator[Found]:
    """Tables of the moon's."""
    for table in place.operation.makes:
        if "moon" in table:
            yield Found({"light": "moonlight"}, table=table)
'''


def test_a_made_up_hazard_is_found_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "moon.py").write_text(MADE_UP)
    monkeypatch.setattr(ops.release.hazards, "__path__", [*ops.release.hazards.__path__, str(tmp_path)])
    made = [
        Operation(migration="shop.0002", index=number, kind="CreateModel", acts_as="CreateModel", new_table=table)
        for number, table in enumerate(("shop_moon", "shop_sun"))
    ]
    try:
        found = judge(Application(operations=tuple(made)), None)  # type: ignore[arg-type]
        [one] = [hazard for hazard in found if hazard.code == "GP999"]
        assert one.title == "GP999 shop.0002: CreateModel makes shop_moon, by moonlight"
        assert (one.table, one.why, one.how) == (
            "shop_moon",
            "Nobody has been there since.",
            "    Name it after a planet.",
        )
    finally:
        RULES.pop("GP999", None)
        sys.modules.pop("ops.release.hazards.moon", None)
