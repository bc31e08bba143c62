"""Define release, from the backup to the promoted release, and auto-rollback, which undoes a failed release."""

from __future__ import annotations

from ops.engine.command import Command, Query, Tool
from ops.engine.effects import Effect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check
from ops.procedures.backup import backup
from ops.procedures.checks import take_fingerprint
from ops.procedures.clone import COPIES, copy_before, not_production, restore_clone, room_for_copy, swap_clone
from ops.procedures.freeze import UNFREEZES, unfreeze_now
from ops.procedures.promote import promote, way_back
from ops.procedures.prove_recovery import swap_trial
from ops.procedures.rehearse import certify_release, compare_clone, migrate_clone
from ops.procedures.rollback import rollback

hazards = Procedure(
    "hazards",
    "Check the pending migrations for hazards",
    """Reads the operations of the pending migrations from the application, and compares them with production's rows:
    which operations delete rows, cannot succeed, or lock tables.""",
    """Exit code 3 means that a migration cannot succeed. The message names the migration and the cause; `inv hazards`
    shows how to correct it. Nothing was changed.""",
)


@hazards.step("Check the pending migrations for hazards", takes=Time.DATABASE, reads=True, again=True)
def look(c: RunInputs) -> Command:
    """Refuse a migration that cannot succeed, before anything runs.

    Report a migration that would lose data, with the number of rows. The rehearsal proves whether the data are lost."""
    return Tool("hazards", {"target": c.target})


release = Procedure(
    "release",
    "Release: rehearse on a clone of production, then promote",
    """Releases an application with its migrations: checks the migrations for hazards, backs production up, restores the
    backup as a clone, migrates the clone with the new code, accounts for every row, and then migrates production.
    Production is changed only if every row was accounted for on the clone, and if neither the code nor production's
    schema has changed since then. Without a `deploy` command in the inventory, the release does not deploy the
    application's new code: deploy it yourself when the release is done.""",
    """Before "Freeze production" the live database was not changed: the steps change the store and the test server, and
    a trial database on production's server. Exit code 5 before that step means that the migrations would lose data.
    After "Freeze production" the error message and `inv status` report whether production was migrated. If production
    was not migrated: `inv resume` continues the release, and `inv undo` ends it and lets production take writes again.
    If production was migrated: `inv resume` continues the release, and `inv rollback --backup=…` with the backup that
    the message names restores production.""",
    undone_by=way_back,
    effects=(Effect.RELEASES,),
    needs=(Need.PRODUCTION, Need.BESIDE_PRODUCTION, Need.REHEARSAL_DATABASE, Need.MIGRATIONS, Need.NEW_BACKUP),
    restores=True,
    changes_production=True,
    source=lambda c: c.test,
)


def cloned(c: RunInputs) -> RunInputs:
    """Return the inputs of a rehearsal whose clone this run restored and proved."""
    return c.replace(release={"clones": True})


for part in (hazards, backup, restore_clone):
    release.include(part)


@release.step("Copy the clone before the migrations", gates=(not_production, room_for_copy), **COPIES)
def keep_before(c: RunInputs) -> Command:
    """Copy the clone's files inside the server, so that old and new rows can be compared.

    The clone was proved to equal the backup. The copy is made before the clone gets the test database's name, under
    which other sessions could write to the clone."""
    return copy_before(c, c.names.spare)


for part in (swap_clone, migrate_clone, compare_clone, swap_trial, certify_release):
    release.include(part, inputs=cloned)


@check("The databases of the rehearsal do not exist", "inv resume")
def rehearsal_is_gone(c: RunInputs) -> list[Command]:
    """Detect databases that would stay on the test server until the next rehearsal."""
    return [Query("check_gone.sql", c.test, "postgres", {"name": name}) for name in _copies(c)]


def _copies(c: RunInputs) -> tuple[str, ...]:
    """Return the migrated clone, the copy from before the migrations, and the remains of an earlier rehearsal."""
    return c.test_server.database, c.names.before, c.names.test_replaced


@release.step(
    "Drop the databases of the rehearsal",
    changes="the test server: the databases of the rehearsal are dropped",
    gates=(not_production,),
    proof=rehearsal_is_gone,
    stays="The databases were copies of the backup, and the backup stays.",
    again=True,
    when=lambda c: c.rehearses,
    only="Only if the inventory has `defang`.",
)
def drop_rehearsal(c: RunInputs) -> list[Command]:
    """Drop the databases of the rehearsal, which contain unmasked rows.

    A rehearsal needs unmasked rows to prove that every row survives, so it has a database that no settings file
    names. The test database is not changed: `inv clone-prod-to-test` makes a new, defanged clone."""
    mark = "generalprobe clone "
    return [Query("drop_database.sql", c.test, "postgres", {"name": name, "marker": mark}) for name in _copies(c)]


release.include(promote)

auto_rollback = Procedure(
    "auto-rollback",
    "Roll a failed release back",
    """`inv release --auto-rollback` runs this procedure when production was migrated and a later step fails. It rolls
    production back to the last backup of the release, which was taken while production was frozen. Then it proves row
    for row that production equals its state before the migrations, and lets production take writes again. The procedure
    runs only if the release froze production before the last backup. Otherwise rows could be lost, and an operator has
    to decide.""",
    """Production stays frozen until the procedure ends, so no row is lost. `inv resume` continues. After the swap,
    `inv undo` swaps the migrated database back in.""",
    task="inv release --auto-rollback",
    afterwards=lambda c: f"inv status --target={c.target}   then correct the cause, and release again",
    effects=(Effect.REPLACES, Effect.SAVES, Effect.KEEPS),
    needs=(Need.PRODUCTION, Need.BESIDE_PRODUCTION, Need.BACKUP_TO_RESTORE, Need.FAILED_RELEASE),
    restores=True,
    changes_production=True,
    usual_backup="latest",
)
auto_rollback.include(rollback)


@auto_rollback.step(
    "Take the fingerprint of production after the rollback", takes=Time.DATABASE, reads=True, again=True
)
def look_again(c: RunInputs) -> Command:
    """Record the contents of every table after the rollback."""
    return take_fingerprint(c, c.target, output=f"{c.run_folder}/production-again.jsonl")


@auto_rollback.step("Prove that production equals its state before the release", reads=True, again=True)
def prove(c: RunInputs) -> Command:
    """Compare every table and every sequence with the fingerprint from immediately before the migrations.

    Tables are compared row for row."""
    before = f"{c.folder}/runs/{c.rollback.failed_run}/production-before.jsonl"
    return Tool("check-as-before", {"before": before, "after": f"{c.run_folder}/production-again.jsonl"})


@auto_rollback.step("Let production take writes again", **UNFREEZES)
def unfreeze(c: RunInputs) -> Command:
    """Lift the freeze: production equals its state before the release."""
    return unfreeze_now(c)
