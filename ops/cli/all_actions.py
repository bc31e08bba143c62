"""Import the actions of every feature, so that they register themselves in ``ops.engine.registry``."""

from __future__ import annotations

from ops.application import manage_failures
from ops.backups import actions, restore_trial_actions
from ops.backups.pgbackrest import actions as pgbackrest
from ops.defang import actions as defang
from ops.engine.registry import TOOLS
from ops.infra.session import run_hooks
from ops.recovery.rollback import actions as rollback
from ops.recovery.rollback import export, railway_volume, sequence_actions
from ops.recovery.salvage import actions as salvage
from ops.release import (
    clone_actions,
    health,
    index_actions,
    migration_gates,
    migration_order,
    railway_deploy,
    rehearsal,
    second_rehearsal,
)
from ops.release.hazards import actions as hazards
from ops.release.production import failed_release, promotion

__all__ = ["TOOLS"]
