"""The tools; importing this package registers all of them."""

from __future__ import annotations

from ops.tools import backups, hazards, promotion, rehearsal
from ops.tools.registry import TOOLS

__all__ = ["TOOLS", "backups", "hazards", "promotion", "rehearsal"]
