"""All procedures that have a task and a page, by name."""

from __future__ import annotations

from ops.procedures.auto_rollback import auto_rollback
from ops.procedures.backup import backup
from ops.procedures.clone import clone_prod_to_test
from ops.procedures.drill import drill
from ops.procedures.freeze import freeze, unfreeze
from ops.procedures.kept import discard, to_replaced
from ops.procedures.migrate import migrate_test, verify
from ops.procedures.physical import backup_pgbackrest, drill_pgbackrest, unpack
from ops.procedures.promote import promote
from ops.procedures.railway_restore import railway_restore
from ops.procedures.release import release
from ops.procedures.rollback import rollback
from ops.procedures.salvage import salvage
from ops.step import Procedure

PROCEDURES: dict[str, Procedure] = {
    procedure.name: procedure
    for procedure in (
        release,
        backup,
        clone_prod_to_test,
        migrate_test,
        verify,
        promote,
        rollback,
        auto_rollback,
        to_replaced,
        discard,
        salvage,
        railway_restore,
        drill,
        freeze,
        unfreeze,
        backup_pgbackrest,
        drill_pgbackrest,
        unpack,
    )
}
