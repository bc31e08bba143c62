"""What a procedure can declare that it has to know beside its target.

``ops/procedures/planning`` obtains each need in two ways: from the servers for a run, from placeholders for a page.
They are obtained in the order in which they stand here, so a need may use what those before it have found.
"""

from __future__ import annotations

from enum import Enum, auto


class Need(Enum):
    """A part of the inputs that a procedure declares."""

    # The live database answers: its name, server and application.
    PRODUCTION = auto()
    # Something is made beside the live database: what a new database there is made from.
    BESIDE_PRODUCTION = auto()
    # The test database that people reach; what is restored there is defanged where the inventory says so.
    TEST_DATABASE = auto()
    # The database with true rows on which a release is rehearsed: the test database, or one beside it.
    REHEARSAL_DATABASE = auto()
    # The release has migrations that production lacks; without any there is nothing to do.
    MIGRATIONS = auto()
    # The rehearsal database is a clone already: the backup of which it is one.
    CLONE = auto()
    # A rehearsal was certified.
    CERTIFICATE = auto()
    # The backup to which production is taken back; it holds every table.
    BACKUP_TO_RESTORE = auto()
    # The backup, also a partial one, and the tables whose lost rows come back from it.
    BACKUP_TO_SALVAGE = auto()
    # The release that failed, whose own last backup is restored.
    FAILED_RELEASE = auto()
    # The kept database that becomes live again.
    KEPT_TO_SWAP_IN = auto()
    # The kept database that goes.
    KEPT_TO_DISCARD = auto()
    # The backup that a drill proves, and the test server; production only where the restore is tried there.
    BACKUP_TO_PROVE = auto()
    # Railway's own backup of the volume; production is asked where it answers.
    VOLUME_BACKUP = auto()
    # pgBackRest's stanza, for a new backup of it.
    STANZA = auto()
    # One of pgBackRest's backups; production is not asked for anything.
    STANZA_BACKUP = auto()
    # One of them of which no dump was made yet.
    BACKUP_TO_UNPACK = auto()
    # A backup is made for the store: what stays out of it, and how fast it is written.
    NEW_BACKUP = auto()
