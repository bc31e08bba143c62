"""The tools; importing this package registers all of them."""

from __future__ import annotations

from ops.tools import (
    backups,
    defang,
    delta,
    failed,
    hazards,
    health,
    kept,
    loss,
    measured,
    physical,
    promotion,
    railway,
    rehearsal,
    room,
    salvage,
    volume,
)
from ops.tools.registry import TOOLS, WATCHES

__all__ = [
    "TOOLS",
    "WATCHES",
    "backups",
    "defang",
    "delta",
    "failed",
    "hazards",
    "health",
    "kept",
    "loss",
    "measured",
    "physical",
    "promotion",
    "railway",
    "rehearsal",
    "room",
    "salvage",
    "volume",
]
