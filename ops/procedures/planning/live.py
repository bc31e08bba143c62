"""Obtain a run's inputs from the servers."""

from __future__ import annotations

from collections.abc import Callable

from ops.core.errors import UsageError
from ops.engine.needs import Need
from ops.engine.step import Procedure
from ops.infra.session.session import Session
from ops.procedures.planning import former_state, look, new_backup, release_state, stanza_backups, test_database
from ops.procedures.planning.backup_to_prove import backup_to_prove
from ops.procedures.planning.from_inventory import Given, join
from ops.procedures.planning.look import Look, anew
from ops.procedures.planning.request import Wanted
from ops.procedures.planning.volume_backup import volume_backup

OBTAIN: dict[Need, Callable[[Look, Given], Given]] = {
    Need.PRODUCTION: look.production,
    Need.BESIDE_PRODUCTION: look.beside_production,
    Need.TEST_DATABASE: test_database.test_database,
    Need.REHEARSAL_DATABASE: test_database.rehearsal_database,
    Need.MIGRATIONS: release_state.migrations,
    Need.CLONE: test_database.clone,
    Need.MIGRATED_CLONE: test_database.migrated_clone,
    Need.CERTIFICATE: release_state.newest_certificate,
    Need.BACKUP_TO_RESTORE: former_state.backup_to_restore,
    Need.BACKUP_TO_SALVAGE: former_state.backup_to_salvage,
    Need.FAILED_RELEASE: former_state.failed_release,
    Need.KEPT_TO_SWAP_IN: former_state.kept_to_swap_in,
    Need.KEPT_TO_DISCARD: former_state.kept_to_discard,
    Need.BACKUP_TO_PROVE: backup_to_prove,
    Need.VOLUME_BACKUP: volume_backup,
    Need.STANZA: stanza_backups.stanza,
    Need.STANZA_BACKUP: stanza_backups.stanza_backup,
    Need.BACKUP_TO_UNPACK: stanza_backups.backup_to_unpack,
    Need.NEW_BACKUP: new_backup.new_backup,
}


class Live:
    """Query the servers, read-only.

    Args:
        session: the connections.
        target: a production target's name.
        wanted: the request of the command line.
    """

    def __init__(self, session: Session, target: str, wanted: Wanted) -> None:
        self.session, self.entry, self.wanted = session, session.inventory.target(target), wanted
        if self.entry.kind != "production":
            raise UsageError(f"{target} is a test target", f"--target={' or '.join(session.inventory.production)}")

    def begin(self, procedure: Procedure) -> Given:
        """Return the inputs of every run."""
        self._look = Look(self.session, self.entry, procedure, self.wanted)
        options = {"draft": self.wanted.draft, "auto_rollback": self.wanted.auto_rollback}
        return join(anew(self.session, self.entry), {"release": options})

    def obtain(self, need: Need, given: Given) -> Given:
        """Query one need.

        Raises:
            NothingToDo: the procedure has nothing to do.
            OpsError: a server or store does not answer, or must not be used.
        """
        return OBTAIN[need](self._look, given)

    def end(self, given: Given) -> Given:
        """Choose the tools, unless a need has chosen them."""
        return {} if "tools" in given else new_backup.choose_tools(self._look, given)
