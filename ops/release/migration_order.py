"""Which migrations block readers or writers, for the lists of a plan and of a promotion."""

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
    """Return the lines of a plan: what was measured of these migrations, or else what can be foreseen."""
    blocks = _measured(session, c)
    if blocks is None:
        try:
            seen = look_ahead(session, c.target)
        except OpsError as error:
            return [*in_order(c.release.pending, {}), f"{PLAIN}which of them block is not known: {error.message}"]
        unseen = f"{PLAIN}not all of it could be looked at: inv hazards --target={c.target}   says what"
        return [*in_order(c.release.pending, seen.blocks()), *([unseen] if seen.unseen else [])]
    return in_order(c.release.pending, blocks)


def _measured(session: Session, c: RunInputs) -> dict[str, str] | None:
    """Return what was blocked in the rehearsal of these migrations; None where it was not measured."""
    found = migration_metrics.newest(target_folder(session, c.target), c.backup, c.release.pending)
    return {name: f"in the rehearsal {said}" for name, said in found.blocks().items()} if found else None


def _applied(session: Session, c: RunInputs, output: str) -> str:
    """Say which migrations ``migrate`` has applied to production; what can't be read is no reason to fail then."""
    blocks = None
    with contextlib.suppress(OSError, OpsError):
        blocks = _measured(session, c)
    return "\n".join(in_order(applied_migrations(output), blocks or {}, MOST))


HOOKS.results["migrations"] = _applied
