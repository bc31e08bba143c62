"""List the migrations of a plan and of a promotion, with those that block readers or writers."""

from __future__ import annotations

import contextlib

from ops.application.manage import applied_migrations
from ops.core.errors import OpsError
from ops.engine.hooks import HOOKS
from ops.engine.inputs import RunInputs
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.release.hazards.scan import look_ahead
from ops.release.measuring import migration_metrics
from ops.release.migration_list import MOST, PLAIN, in_order


def planned(session: Session, c: RunInputs) -> list[str]:
    """Return the lines of a plan, by the measurements of these migrations or else by their hazards."""
    blocks = _measured(session, c)
    if blocks is None:
        try:
            seen = look_ahead(session, c.target)
        except OpsError as error:
            return [*in_order(c.release.pending, {}), f"{PLAIN}it is unknown which of them block: {error.message}"]
        unseen = f"{PLAIN}some migrations could not be checked: inv hazards --target={c.target}   lists them"
        return [*in_order(c.release.pending, seen.blocks()), *([unseen] if seen.unseen else [])]
    return in_order(c.release.pending, blocks)


def _measured(session: Session, c: RunInputs) -> dict[str, str] | None:
    """Return what these migrations blocked in the rehearsal, or None if that was not measured."""
    found = migration_metrics.newest(target_folder(session, c.target), c.backup, c.release.pending)
    return {name: f"in the rehearsal {said}" for name, said in found.blocks().items()} if found else None


def _applied(session: Session, c: RunInputs, output: str) -> str:
    """List the migrations that ``migrate`` applied to production, even if the measurements cannot be read."""
    blocks = None
    with contextlib.suppress(OSError, OpsError):
        blocks = _measured(session, c)
    return "\n".join(in_order(applied_migrations(output), blocks or {}, MOST))


HOOKS.results["migrations"] = _applied
