"""Read how long the steps of earlier runs took, for estimates."""

from __future__ import annotations

from ops.engine import journal
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.stores import manifest
from ops.release.measuring.estimate import Took, history


def step_times(session: Session, target: str) -> dict[str, Took]:
    """Return the last seconds of each step that a run of the target has done, with the size of the database then."""
    folder = target_folder(session, target)
    sizes = {found.backup: found.database_bytes for found in manifest.backups(folder)}
    return history(journal.runs(folder), sizes)
