"""release: all of it, from the backup to the promoted release."""

from __future__ import annotations

from ops.procedures.backup import backup
from ops.procedures.clone import clone
from ops.procedures.hazards import hazards
from ops.procedures.migrate import migrate_test, verify
from ops.procedures.promote import promote, way_back
from ops.step import Procedure

release = Procedure(
    "release",
    "Release: rehearse on a copy of production, then promote",
    """The whole way of a release with migrations: looks at what they would do, backs production up, restores that
    backup as the test database, migrates it with the new code, accounts for every row, and only then migrates
    production. Production is touched after everything has been proved on its copy, and only if nothing has changed
    since.""",
    """Until "Freeze production" nothing but the test database was changed: exit code 5 means that data would be lost,
    and production is untouched. Later, the text says whether production was migrated: `inv status` explains,
    `inv resume` goes on, `inv undo` lets production take writes again as long as nothing was applied, and
    `inv rollback` brings back the last backup.""",
    afterwards=way_back,
)
for part in (hazards, backup, clone, migrate_test, verify, promote):
    release.include(part)
