"""release: all of it, from the backup to the promoted release; and auto-rollback, which takes a failed one back."""

from __future__ import annotations

from ops.engine.command import Command, Query, Tool
from ops.engine.effects import Effect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check
from ops.procedures.backup import backup
from ops.procedures.clone import clone, not_production
from ops.procedures.freeze import UNFREEZES, unfreeze_now
from ops.procedures.promote import promote, way_back
from ops.procedures.rehearse import migrate_test, verify
from ops.procedures.rollback import rollback

hazards = Procedure(
    "hazards",
    "Look at what the pending migrations would do",
    """Reads the pending migrations from the application itself, as operations with their tables and columns, and holds
    them against production's rows: what would be deleted without a copy, what can't succeed, what locks.""",
    """Exit code 3 means that a migration can't succeed: the text says which and why, and `inv hazards` how to write it
    right. Nothing was changed.""",
)


@hazards.step("Look at what the pending migrations would do", takes=Time.DATABASE, reads=True, again=True)
def look(c: RunInputs) -> Command:
    """What can't succeed is refused here, before anything has run. What would lose data is told with its rows; whether
    it really does is proved by the rehearsal."""
    return Tool("hazards", {"target": c.target})


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
    effects=(Effect.RELEASES,),
    needs=(Need.PRODUCTION, Need.BESIDE_PRODUCTION, Need.REHEARSAL_DATABASE, Need.MIGRATIONS, Need.NEW_BACKUP),
    restores=True,
    changes_production=True,
    source=lambda c: c.test,
)
for part in (hazards, backup, clone, migrate_test, verify):
    release.include(part)


@check("Nothing is left of the copy with true rows on which it was rehearsed", "inv resume")
def rehearsal_is_gone(c: RunInputs) -> list[Command]:
    """It would lie there until the next rehearsal."""
    return [Query("check_gone.sql", c.test, "postgres", {"name": name}) for name in _copies(c)]


def _copies(c: RunInputs) -> tuple[str, ...]:
    """The migrated copy, the one from before the migrations, and what an earlier rehearsal had left."""
    return c.test_server.database, c.names.before, c.names.test_replaced


@release.step(
    "Drop the copy on which it was rehearsed",
    changes="the test server: the copies of the rehearsal are dropped",
    gates=(not_production,),
    proof=rehearsal_is_gone,
    stays="It was a copy of the backup, and the backup stays.",
    again=True,
    when=lambda c: c.rehearses,
    only="Only where the inventory has `defang`.",
)
def drop_rehearsal(c: RunInputs) -> list[Command]:
    """Only true rows can prove that every row survives; so it had a database of its own, which nobody's settings name,
    and it is needed no more. The test database is not touched: `inv clone-prod-to-test` renews it, defanged."""
    mark = "generalprobe clone "
    return [Query("drop_database.sql", c.test, "postgres", {"name": name, "marker": mark}) for name in _copies(c)]


release.include(promote)

auto_rollback = Procedure(
    "auto-rollback",
    "Take a failed release back",
    """What `inv release --auto-rollback` does by itself when production was migrated and something is wrong: a whole
    rollback to the last backup of that release, which was taken while production was frozen. It then proves row for row
    that production is what it was right before the migrations, and lets it take writes again. Only where the release
    froze production before its last backup: otherwise rows could be lost, and a person decides.""",
    """Production stays frozen until this has come to its end, so nothing is lost meanwhile: `inv resume` goes on with
    it. After the swap, `inv undo` swaps the migrated database back.""",
    task="inv release --auto-rollback",
    afterwards=lambda c: f"inv status --target={c.target}   then mend what failed, and release again",
    effects=(Effect.REPLACES, Effect.SAVES, Effect.KEEPS),
    needs=(Need.PRODUCTION, Need.BESIDE_PRODUCTION, Need.BACKUP_TO_RESTORE, Need.FAILED_RELEASE),
    restores=True,
    changes_production=True,
    usual_backup="latest",
)
auto_rollback.include(rollback)


@auto_rollback.step("Take the fingerprint of production once more", takes=Time.DATABASE, reads=True, again=True)
def look_again(c: RunInputs) -> Command:
    """What every table holds now that it is back."""
    return Query("fingerprint.sql", c.target, output=f"{c.run_folder}/production-again.jsonl")


@auto_rollback.step("Prove that production is what it was before the release", reads=True, again=True)
def prove(c: RunInputs) -> Command:
    """Every table, row for row, and every sequence, against the fingerprint that the release took of production right
    before its migrations: nothing was lost."""
    before = f"{c.folder}/runs/{c.rollback.failed_run}/production-before.jsonl"
    return Tool("check-as-before", {"before": before, "after": f"{c.run_folder}/production-again.jsonl"})


@auto_rollback.step("Let production take writes again", **UNFREEZES)
def unfreeze(c: RunInputs) -> Command:
    """It is as before; users can go on."""
    return unfreeze_now(c)
