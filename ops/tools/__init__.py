"""The tools; importing this package registers all of them."""

from __future__ import annotations

from ops.tools import backups, failed, hazards, health, kept, measured, promotion, rehearsal
from ops.tools.registry import TOOLS, WATCHES

__all__ = ["TOOLS", "WATCHES", "backups", "failed", "hazards", "health", "kept", "measured", "promotion", "rehearsal"]
