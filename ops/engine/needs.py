"""The needs that a procedure can declare: the inputs that it requires in addition to its target.

``ops/procedures/planning`` obtains each need from the servers for a run, and from placeholders for a page.
The needs are obtained in the order of this file, so a need may use the results of earlier needs.
"""

from __future__ import annotations

from enum import Enum, auto


class Need(Enum):
    """A part of the inputs that a procedure declares."""

    # The live database answers: its name, server and application.
    PRODUCTION = auto()
    # The template of a new database on production's server.
    BESIDE_PRODUCTION = auto()
    # The test database that people reach; its clone is defanged if the inventory has `defang`.
    TEST_DATABASE = auto()
    # The database with unmasked rows on which a release is rehearsed: the test database, or a database beside it.
    REHEARSAL_DATABASE = auto()
    # The pending migrations of the release; if there are none, there is nothing to do.
    MIGRATIONS = auto()
    # The backup of which the rehearsal database is a clone.
    CLONE = auto()
    # The same, of a clone that was migrated.
    MIGRATED_CLONE = auto()
    # The certificate of a rehearsal.
    CERTIFICATE = auto()
    # The backup to which production is rolled back; it contains every table.
    BACKUP_TO_RESTORE = auto()
    # The backup (a partial backup is allowed) and the tables whose lost rows are restored from the backup.
    BACKUP_TO_SALVAGE = auto()
    # The failed release whose last backup is restored.
    FAILED_RELEASE = auto()
    # The kept database that becomes live again.
    KEPT_TO_SWAP_IN = auto()
    # The kept database that is dropped.
    KEPT_TO_DISCARD = auto()
    # The backup that a drill proves, and the test server; production only if the restore is tried there.
    BACKUP_TO_PROVE = auto()
    # Railway's backup of the volume; production is queried only if it answers.
    VOLUME_BACKUP = auto()
    # The pgBackRest stanza of a new backup.
    STANZA = auto()
    # A pgBackRest backup; production is not queried.
    STANZA_BACKUP = auto()
    # A pgBackRest backup of which no dump was made yet.
    BACKUP_TO_UNPACK = auto()
    # The exclusions and the rate limit of a new backup in the store.
    NEW_BACKUP = auto()
