"""Define migrate-test and verify, the two parts of a rehearsal."""

from __future__ import annotations

from ops.application.manage import READ_ONLY, manage
from ops.engine.command import Command, Query, Tool
from ops.engine.effects import StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, Watch, check
from ops.infra.postgres.session_settings import UNLIMITED
from ops.procedures.checks import take_fingerprint
from ops.procedures.clone import COPIES, copy_before, not_production, room_for_copy
from ops.procedures.prove_recovery import drop_roundtrip, is_gone, swap_back, swap_in, way_back
from ops.procedures.trial_beside import beside

migrate_test = Procedure(
    "migrate-test",
    "Migrate the clone",
    """Runs the application's own migrations on the test database, which must be a clone of production, so that a
    faulty migration fails on the clone first.""",
    """The message names the migration and quotes the database's error. Only the clone was changed. Correct the
    migration, then run `inv clone-prod-to-test` and `inv migrate-test` again, or `inv release`. If clones are
    defanged, run `inv release`, which rehearses on unmasked rows beside the test database.""",
    needs=(Need.PRODUCTION, Need.REHEARSAL_DATABASE, Need.MIGRATIONS, Need.CLONE),
)

migrate_clone = Procedure("migrate-test", "Migrate the clone", "Part of every rehearsal.", "")
compare_clone = Procedure("verify", "Account for every row", "Part of every rehearsal.", "")
certify_release = Procedure("verify", "Write the certificate", "Part of every rehearsal.", "")

verify = Procedure(
    "verify",
    "Verify that every row survived",
    """Compares the migrated clone with a copy from before the migrations, row by row, also where the migrations moved
    rows to another table; then runs the inventory's checks. Migrations that lose or change data are refused here,
    before production is changed.""",
    """Exit code 5 means that rows, values or links would be lost or changed. The message counts them and describes how
    to correct the migration. The copy from before the migrations stays beside the migrated clone, so both can be
    queried.""",
    needs=(Need.PRODUCTION, Need.BESIDE_PRODUCTION, Need.REHEARSAL_DATABASE, Need.MIGRATIONS, Need.MIGRATED_CLONE),
    restores=True,
)


@check(
    "The application connects to the clone and to no other database",
    "read the variable of app.database_env in the settings",
)
def app_talks_to_clone(c: RunInputs) -> Command:
    """Detect settings that ignore the variable: the migrations would change another database."""
    return Tool("check-app", {"target": c.target, "database_of": c.test})


@check("The test target's address leads to the clone of this release", "inv clone-prod-to-test")
def is_clone(c: RunInputs) -> list[Command]:
    """Check the database at the test target's own address, because the application is going to write there.

    The clone is recognized by its mark, which is the comment of the database. The clone must have no connection to
    another server: the migrations would write there, too."""
    return _leads_to(c, f"generalprobe clone of {c.target}, run {c.backup}")


def _leads_to(c: RunInputs, marker: str) -> list[Command]:
    given = {"system": c.test_server.system, "database": c.test_server.database, "marker": marker}
    return [Query("check_clone.sql", c.test, parameters=given), Query("check_isolated.sql", c.test)]


@check("The pending migrations do not touch excluded tables", "inv release")
def leaves_alone(c: RunInputs) -> Command:
    """Refuse migrations of excluded tables: the clone has none of their rows, so changes cannot be rehearsed."""
    return Tool("check-touched", {"target": c.target, "backup_id": c.backup})


@check("No migration is pending on the clone", "inv status")
def clone_is_migrated(c: RunInputs) -> Command:
    """Detect an incomplete migration: `migrate` can exit with 0 without having applied a migration."""
    return manage(c, c.test, "migrate", "--check")


@check("The certificate has not expired, and what it names has not changed", "inv release", once=True)
def certificate_holds(c: RunInputs) -> Command:
    """Refuse to promote after a change of anything that the certificate names.

    The certificate names the migrations' files, the application's commit, production's schema, the backup and more."""
    return Tool("check-certificate", {"target": c.target, "name": c.release.certificate})


@check("The interrupted migration is one transaction", "inv clone-prod-to-test")
def stopped_in_transaction(c: RunInputs) -> Command:
    """Refuse to repeat a migration that ran in part: the clone could differ from production."""
    return Tool("check-atomic", {"target": c.target, "database_of": c.test})


def measure(c: RunInputs) -> Watch:
    """Measure the locks, rows and times of each migration."""
    return Watch(
        "migrations", {"test": c.test, "run": c.run, "backup": c.backup, "report": f"{c.run_folder}/measures.json"}
    )


@migrate_test.step(
    "Copy the clone before the migrations", gates=(not_production, is_clone, leaves_alone, room_for_copy), **COPIES
)
def keep_before(c: RunInputs) -> Command:
    """Copy the clone's files inside the server, so that old and new rows can be compared.

    The command refuses a database without a clone's mark."""
    return copy_before(c, c.test_server.database)


@migrate_clone.step(
    "Run the migrations on the clone",
    changes="the clone: its tables and rows",
    does=(StepEffect.REHEARSES,),
    takes=Time.MIGRATIONS,
    reports=("excluded",),
    gates=(not_production, is_clone, leaves_alone, app_talks_to_clone),
    proof=clone_is_migrated,
    stays="`inv clone-prod-to-test` makes a new clone.",
    again=True,
    repeatable=(stopped_in_transaction,),
    watch=measure,
)
def migrate(c: RunInputs) -> list[Command]:
    """Run the application's own migrate command on the clone, with the code of the new release.

    The step records which files it runs, and the certificate is bound to those files. Over a separate
    connection, the tool measures each migration's time, locks, rows, rewritten tables and WAL."""
    noted = {"target": c.target, "test": c.test, "backup_id": c.backup, "run": c.run}
    return [Tool("note-rehearsal", noted), manage(c, c.test, "migrate", "--noinput", options=UNLIMITED)]


@verify.step("Take the fingerprint of the clone before the migrations", takes=Time.DATABASE, reads=True, again=True)
def before(c: RunInputs) -> Command:
    """Record the contents of every table before the migrations, from the copy of the clone."""
    return take_fingerprint(c, c.test, c.names.before, output=f"{c.run_folder}/before.jsonl")


@compare_clone.step(
    "Take the fingerprint of the migrated clone",
    takes=Time.DATABASE,
    does=(StepEffect.COUNTS, StepEffect.ACCOUNTS),
    reads=True,
    again=True,
)
def after(c: RunInputs) -> Command:
    """Record the contents of every table after the migrations."""
    return take_fingerprint(c, c.test, output=f"{c.run_folder}/after.jsonl")


@compare_clone.step(
    "Account for every row",
    takes=Time.DATABASE,
    does=(StepEffect.ACCOUNTS,),
    reads=True,
    again=True,
    reports=("verdict", "excluded"),
)
def account(c: RunInputs) -> Command:
    """Find every row of the unmigrated clone in the migrated clone. Count the missing rows, and list their keys.

    If a table or column is missing, its rows or values are searched for in the other tables and columns.
    `migrations.expect.yaml` declares how many rows or values may be lost or changed. A declaration of a loss that did
    not occur is refused. The unmigrated copy of the clone is first proved to equal the backup."""
    return Tool(
        "verdict",
        {
            "target": c.target,
            "test": c.test,
            "backup": c.fingerprint,
            "before": c.fingerprint if c.release.clones else f"{c.run_folder}/before.jsonl",
            "before_database": c.names.before,
            "after": f"{c.run_folder}/after.jsonl",
            "report": f"{c.run_folder}/verdict.json",
            "draft": "yes" if c.release.draft else "no",
        },
    )


@compare_clone.step(
    "Run the application's own checks on the clone",
    takes=Time.APPLICATION,
    does=(StepEffect.ACCOUNTS,),
    reads=True,
    again=True,
    when=lambda c: bool(c.release.checks),
    only="Only if the inventory has `checks`.",
)
def checks(c: RunInputs) -> list[Command]:
    """Run the inventory's checks, which test the application's data. Each command must exit with 0.

    A check that writes is refused, as on production."""
    noted = Tool("note-checks", {"target": c.target, "report": f"{c.run_folder}/checks.json"})
    return [*(manage(c, c.test, *words, options=READ_ONLY) for words in c.release.checks), noted]


DRAWS = {
    "again": True,
    "when": lambda c: c.release.draws,
    "only": "Only if code of a migration or of a default may generate random values (random, secrets, uuid, …).",
}


def live_on_test(c: RunInputs, incoming: str, marker: str) -> Command:
    """Return the check that the database with this mark has the test database's name."""
    given = {"live": c.test_server.database, "incoming": incoming, "marker": marker}
    return Query("check_swapped.sql", c.test, "postgres", given)


@check("A second copy of the unmigrated clone has the clone's name, and accepts connections", "inv resume")
def copy_is_live(c: RunInputs) -> Command:
    """Check the name, because the migrated clone has another name during the second run."""
    return live_on_test(c, c.names.roundtrip, c.names.roundtrip_marker)


@check("The migrated clone has its name back", "inv resume")
def clone_is_live_again(c: RunInputs) -> Command:
    """Check the name of the migrated clone, which is the database to compare and certify."""
    return live_on_test(c, c.names.migrated, f"generalprobe clone of {c.target}, run {c.backup}")


@check("The test target's address leads to the second copy", "inv undo")
def is_copy(c: RunInputs) -> list[Command]:
    """Check the database at the test target's own address, because the application is going to write there."""
    return _leads_to(c, c.names.roundtrip_marker)


@compare_clone.step(
    "Swap in a second copy of the unmigrated clone",
    changes="the test server: a second copy with the clone's name",
    takes=Time.DATABASE,
    gates=(not_production, room_for_copy),
    proof=copy_is_live,
    undo=drop_roundtrip,
    **DRAWS,
)
def copy_again(c: RunInputs) -> list[Command]:
    """Swap in a second copy of the unmigrated clone, to run the migrations again on the same rows.

    The migrations may write random values, which are different on production. A value that differs between the two
    runs is random, so production is not expected to have the clone's value."""
    copy = {"source": c.names.before, "name": c.names.roundtrip, "marker": c.names.roundtrip_marker}
    like = {"target": c.target, "test": c.test, "database": c.names.roundtrip, "before": c.fingerprint}
    return [
        swap_back(c, c.names.roundtrip, "second-back.txt"),
        Query("copy_database.sql", c.test, "postgres", copy),
        Tool("match-clone", like),
        swap_in(c, c.names.roundtrip, "second-in.txt"),
    ]


@compare_clone.step(
    "Run the migrations again on the second copy",
    changes="the second copy: its tables and rows",
    takes=Time.MIGRATIONS,
    alike=("migrate-test.migrate",),
    gates=(not_production, is_copy, app_talks_to_clone),
    proof=clone_is_migrated,
    stays="`inv undo` drops the second copy.",
    repeatable=(stopped_in_transaction,),
    **DRAWS,
)
def migrate_again(c: RunInputs) -> Command:
    """Run the same migrate command with the same code on the second copy."""
    return manage(c, c.test, "migrate", "--noinput", options=UNLIMITED)


@compare_clone.step(
    "Swap the migrated clone back in",
    changes="the test server: the migrated clone has its name back",
    gates=(not_production,),
    proof=clone_is_live_again,
    stays="The migrated clone keeps its own name.",
    **DRAWS,
)
def clone_again(c: RunInputs) -> list[Command]:
    """Give the migrated clone its name back. The second copy stays open for the comparison."""
    opened = Query("reopen.sql", c.test, "postgres", {"live": c.names.roundtrip})
    return [swap_back(c, c.names.roundtrip, "second-back.txt"), opened]


@compare_clone.step(
    "Compare the results of both migration runs",
    changes="the test server: the second copy is dropped",
    takes=Time.DATABASE,
    gates=(not_production,),
    proof=is_gone,
    stays="The second copy was a copy of the clone, and the clone stays.",
    **DRAWS,
)
def compare(c: RunInputs) -> list[Command]:
    """Compare the values that both runs wrote, then drop the second copy.

    On production, each value that was equal in both runs must be the same. A value that differed is random: production
    must have any value in its place."""
    compared = {"target": c.target, "test": c.test, "before": c.names.before, "again": c.names.roundtrip}
    return [
        Tool("compare-rehearsals", {**compared, "report": f"{c.run_folder}/verdict.json"}),
        Query("drop_database.sql", c.test, "postgres", {"name": c.names.roundtrip, "marker": c.names.roundtrip_marker}),
    ]


certify_release.include(beside)


@certify_release.step(
    "Write the certificate",
    changes="the store: a certificate",
    proof=certificate_holds,
    stays="A certificate changes nothing, and expires.",
    again=True,
)
def write_certificate(c: RunInputs) -> Command:
    """Bind the result to the rehearsed state, with an expiry date.

    The certificate names the migrations' files, the application's commit, production's schema and migrations, the
    backup and its manifest, the declarations, the checks and the versions. A promotion is refused if any of them
    differs."""
    return Tool(
        "certify",
        {
            "target": c.target,
            "backup_id": c.backup,
            "report": f"{c.run_folder}/verdict.json",
            "after": f"{c.run_folder}/after.jsonl",
            "name": c.release.certificate,
        },
    )


migrate_test.include(migrate_clone)
for part in (compare_clone, way_back, certify_release):
    verify.include(part)
