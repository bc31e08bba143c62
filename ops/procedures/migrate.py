"""migrate-test and verify: the rehearsal."""

from __future__ import annotations

from ops.command import Command, Query, Tool
from ops.django import manage
from ops.inputs import Inputs
from ops.procedures.clone import not_production, room_for_copy
from ops.procedures.way_back import way_back
from ops.step import Procedure, Watch, check

migrate_test = Procedure(
    "migrate-test",
    "Migrate the clone",
    """Runs the application's own migrations on the test database, which must be a clone of production, so that
    everything that can go wrong goes wrong there first.""",
    """The message names the migration and the database's own words. Only the clone was touched: correct the
    migration, then run `inv clone-prod-to-test` and `inv migrate-test` again, or just `inv release` (where clones are
    defanged, only that: it rehearses on true rows, beside the test database).""",
)

verify = Procedure(
    "verify",
    "Verify that every row survived",
    """Compares the migrated clone with the clone as it was before, table by table and row by row, wherever the
    migrations moved the data; then runs the inventory's checks. What loses or changes data is refused here, while
    production is still untouched.""",
    """Exit code 5 means that rows, values or links would be lost or changed; the text counts them and says how to
    write the migration right. The clone before the migrations is kept beside the migrated one, so both can be looked
    at.""",
)


@check(
    "The application talks to the clone, and to nothing else", "read the variable of app.database_env in the settings"
)
def app_talks_to_clone(c: Inputs) -> Command:
    """Settings with a database of their own would migrate that one: production, in the worst case."""
    return Tool("check-app", {"target": c.target, "database_of": c.test})


@check("The test target leads to the clone of production, by its mark", "inv clone-prod-to-test")
def is_clone(c: Inputs) -> Command:
    """Asked where the test target's own address leads, since that is where the application is going to write."""
    marker = f"generalprobe clone of {c.target}, run {c.backup}"
    given = {"system": c.test_system, "database": c.test_database, "marker": marker}
    return Query("check_clone.sql", c.test, parameters=given)


@check("The pending migrations leave alone what was not backed up", "inv release")
def leaves_alone(c: Inputs) -> Command:
    """The clone does not have those rows, so nothing that happens to them could be seen."""
    return Tool("check-touched", {"target": c.target, "backup_id": c.backup})


@check("The copy from before the migrations is there", "inv clone-prod-to-test")
def copy_is_there(c: Inputs) -> Command:
    """Without it nothing could be compared."""
    return Query("check_frozen.sql", c.test, c.before, {"wanted": "off"})


@check("No migration is left to apply on the clone", "inv status")
def clone_is_migrated(c: Inputs) -> Command:
    """migrate can end with 0 without having applied anything."""
    return manage(c, c.test, "migrate", "--check")


@check("The certificate holds: all is as it was rehearsed, and it is not expired", "inv release", once=True)
def certificate_holds(c: Inputs) -> Command:
    """What was rehearsed must be what is promoted; a migration edited since then was never rehearsed."""
    return Tool("check-certificate", {"target": c.target, "name": c.certificate})


@check("The migration in which it stopped is one transaction", "inv clone-prod-to-test")
def stopped_in_transaction(c: Inputs) -> Command:
    """Done in part, and then again, the clone would not be what production becomes."""
    return Tool("check-atomic", {"target": c.target, "database_of": c.test})


def drop_before(c: Inputs) -> Command:
    """The copy goes; it carries our mark."""
    return Query("drop_database.sql", c.test, "postgres", {"name": c.before, "marker": "generalprobe clone "})


def measure(c: Inputs) -> Watch:
    """The locks, rows and times of each migration."""
    return Watch(
        "migrations", {"test": c.test, "run": c.run, "backup": c.backup, "report": f"{c.run_folder}/measures.json"}
    )


@migrate_test.step(
    "Keep a copy of the clone as it is",
    gates=(not_production, is_clone, leaves_alone, room_for_copy),
    proof=copy_is_there,
    undo=drop_before,
    again=True,
)
def keep_before(c: Inputs) -> Command:
    """Inside the server and file by file; afterwards old and new can be compared row by row. It refuses a database
    that does not carry a clone's mark."""
    given = {"source": c.test_database, "name": c.before, "marker": f"generalprobe clone before, run {c.run}"}
    return Query("copy_database.sql", c.test, "postgres", given)


@migrate_test.step(
    "Run the migrations on the clone",
    gates=(not_production, is_clone, leaves_alone, app_talks_to_clone),
    proof=clone_is_migrated,
    stays="The clone is a throw-away: `inv clone-prod-to-test` makes a fresh one.",
    again=True,
    repeatable=(stopped_in_transaction,),
    watch=measure,
)
def migrate(c: Inputs) -> list[Command]:
    """The application's own command with the new release's code, on the clone. What it is about to run is noted: the
    certificate is bound to that, and not to what lies in the folder later. The tool also measures meanwhile, over a
    connection of its own: each migration's time, locks, rows, rewritten tables and WAL."""
    noted = {"target": c.target, "test": c.test, "backup_id": c.backup, "run": c.run}
    return [Tool("note-rehearsal", noted), manage(c, c.test, "migrate", "--noinput")]


@verify.step("Take the fingerprint of the clone before", reads=True, again=True)
def before(c: Inputs) -> Command:
    """Every table as it was, from the copy that was kept."""
    return Query("fingerprint.sql", c.test, c.before, output=f"{c.run_folder}/before.jsonl")


@verify.step("Take the fingerprint of the migrated clone", reads=True, again=True)
def after(c: Inputs) -> Command:
    """Every table as it is now."""
    return Query("fingerprint.sql", c.test, output=f"{c.run_folder}/after.jsonl")


@verify.step("Account for every row", reads=True, again=True)
def account(c: Inputs) -> Command:
    """Tables and columns that are gone are looked for by content. Every old row must be found as one new row; what is
    not found is counted, with keys. What `migrations.expect.yaml` declares may go, at most so much; and a declaration
    of what did not happen is refused, too. The copy from before is first proved to be the backup itself."""
    return Tool(
        "verdict",
        {
            "target": c.target,
            "test": c.test,
            "backup": c.fingerprint,
            "before": f"{c.run_folder}/before.jsonl",
            "before_database": c.before,
            "after": f"{c.run_folder}/after.jsonl",
            "report": f"{c.run_folder}/verdict.json",
            "draft": "yes" if c.draft else "no",
        },
    )


@verify.step(
    "Run the application's own checks on the clone",
    reads=True,
    again=True,
    when=lambda c: bool(c.checks),
    only="Only where the inventory has `checks`.",
)
def checks(c: Inputs) -> list[Command]:
    """The application knows best what right data look like. Each must exit 0."""
    noted = Tool("note-checks", {"target": c.target, "report": f"{c.run_folder}/checks.json"})
    return [*(manage(c, c.test, *words) for words in c.checks), noted]


verify.include(way_back)


@verify.step(
    "Write the certificate",
    proof=certificate_holds,
    stays="A certificate changes nothing; it expires by itself.",
    again=True,
)
def write_certificate(c: Inputs) -> Command:
    """Binds the result to what was rehearsed: the migrations' files, the application's commit, production's schema and
    migrations, the backup and its manifest, the declarations, the checks, the versions; with an expiry. Promotion
    refuses where any of them differs."""
    return Tool(
        "certify",
        {
            "target": c.target,
            "backup_id": c.backup,
            "report": f"{c.run_folder}/verdict.json",
            "after": f"{c.run_folder}/after.jsonl",
            "name": c.certificate,
        },
    )
