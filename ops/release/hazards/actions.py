"""The tool of the first look: what the pending migrations would do to production."""

from __future__ import annotations

from ops.core.errors import Refused
from ops.core.text import listed
from ops.engine.registry import tool
from ops.infra.session.session import Session
from ops.release.hazards.scan import look_ahead
from ops.release.migration_list import MOST, head, in_order


@tool
def hazards(session: Session, *, target: str) -> str:
    """Say what the pending migrations would do to production, and refuse what can't succeed."""
    seen = look_ahead(session, target)
    lines = [hazard.title for hazard in seen.hazards if hazard.level != "note"] or [h.title for h in seen.hazards]
    if stops := seen.of("stop"):
        first = listed([hazard.title for hazard in stops], joint="; ")
        message = f"{target}: the migrations can't succeed, and nothing was changed: {first}"
        raise Refused(message, f"inv hazards --target={target}")
    more = [f"and {len(lines) - 6} more"] if lines[6:] else []
    order = [head(seen.pending), *in_order(seen.pending, seen.blocks(), MOST)] if seen.pending else []
    told = "\n".join([*order, "\n  ".join([f"hazards: {seen.counted()}", *lines[:6], *more])])
    return told + (f"\n  inv hazards --target={target}   says how to write it right" if lines else "")
