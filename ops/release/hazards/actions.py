"""Report hazards as a step of a release."""

from __future__ import annotations

from ops.core.errors import Refused
from ops.core.text import listed
from ops.engine.registry import tool
from ops.infra.session.session import Session
from ops.release.hazards.scan import look_ahead
from ops.release.migration_list import MOST, head, in_order


@tool
def hazards(session: Session, *, target: str) -> str:
    """Report the hazards of the pending migrations. Refuse migrations that cannot succeed."""
    seen = look_ahead(session, target)
    lines = [hazard.title for hazard in seen.hazards if hazard.level != "note"] or [h.title for h in seen.hazards]
    if stops := seen.of("stop"):
        first = listed([hazard.title for hazard in stops], joint="; ")
        message = f"{target}: the pending migrations cannot succeed: {first}. Nothing was changed"
        raise Refused(message, f"inv hazards --target={target}")
    more = [f"and {len(lines) - 6} more"] if lines[6:] else []
    order = [head(seen.pending), *in_order(seen.pending, seen.blocks(), MOST)] if seen.pending else []
    report = "\n".join([*order, "\n  ".join([f"hazards: {seen.counted()}", *lines[:6], *more])])
    return report + (f"\n  inv hazards --target={target}   shows how to correct each migration" if lines else "")
