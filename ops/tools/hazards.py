"""The tool of the first look: what the pending migrations would do to production."""

from __future__ import annotations

from ops.errors import Refused
from ops.hazards import look_ahead
from ops.tools.registry import tool
from ops.world import World


@tool
def hazards(world: World, *, target: str) -> str:
    """Say what the pending migrations would do to production, and refuse what can't succeed."""
    seen = look_ahead(world, target)
    lines = [hazard.title for hazard in seen.hazards if hazard.level != "note"] or [h.title for h in seen.hazards]
    if stops := seen.of("stop"):
        first = "; ".join(hazard.title for hazard in stops[:3]) + (f"; and {len(stops) - 3} more" if stops[3:] else "")
        message = f"{target}: the migrations can't succeed, and nothing was changed: {first}"
        raise Refused(message, f"inv hazards --target={target}")
    more = [f"and {len(lines) - 6} more"] if len(lines) > 6 else []
    told = "\n  ".join([f"hazards: {seen.counted()}", *lines[:6], *more])
    return told + (f"\n  inv hazards --target={target}   says how to write it right" if lines else "")
