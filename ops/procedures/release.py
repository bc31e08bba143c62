"""release: all of it, from the backup to the promoted release."""

from __future__ import annotations

from ops.command import Command, Query
from ops.inputs import Inputs
from ops.procedures.backup import backup
from ops.procedures.clone import clone, not_production
from ops.procedures.hazards import hazards
from ops.procedures.migrate import migrate_test, verify
from ops.procedures.promote import promote, way_back
from ops.step import Procedure, check

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
for part in (hazards, backup, clone, migrate_test, verify):
    release.include(part)


@check("Nothing is left of the copy with true rows on which it was rehearsed", "inv resume")
def rehearsal_is_gone(c: Inputs) -> list[Command]:
    """It would lie there until the next rehearsal."""
    return [Query("check_gone.sql", c.test, "postgres", {"name": name}) for name in _copies(c)]


def _copies(c: Inputs) -> tuple[str, ...]:
    """The migrated copy, the one from before the migrations, and what an earlier rehearsal had left."""
    return c.test_database, c.before, c.test_replaced


@release.step(
    "Drop the copy on which it was rehearsed",
    gates=(not_production,),
    proof=rehearsal_is_gone,
    stays="It was a copy of the backup, and the backup stays.",
    again=True,
    when=lambda c: c.rehearses,
    only="Only where the inventory has `defang`.",
)
def drop_rehearsal(c: Inputs) -> list[Command]:
    """Only true rows can prove that every row survives; so it had a database of its own, which nobody's settings name,
    and it is needed no more. The test database is not touched: `inv clone-prod-to-test` renews it, defanged."""
    mark = "generalprobe clone "
    return [Query("drop_database.sql", c.test, "postgres", {"name": name, "marker": mark}) for name in _copies(c)]


release.include(promote)
