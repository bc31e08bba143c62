"""migrate-test and verify: the rehearsal."""

from __future__ import annotations

from ops.application.manage import READ_ONLY, manage
from ops.engine.command import Command, Query, Tool
from ops.engine.effects import StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, Watch, check
from ops.infra.postgres.session_settings import UNLIMITED
from ops.procedures.clone import not_production, room_for_copy
from ops.procedures.prove_recovery import drop_roundtrip, is_gone, swap_back, swap_in, way_back
from ops.procedures.trial_beside import beside

migrate_test = Procedure(
    "migrate-test",
    "Migrate the clone",
    """Runs the application's own migrations on the test database, which must be a clone of production, so that
    everything that can go wrong goes wrong there first.""",
    """The message names the migration and the database's own words. Only the clone was touched: correct the
    migration, then run `inv clone-prod-to-test` and `inv migrate-test` again, or just `inv release` (where clones are
    defanged, only that: it rehearses on true rows, beside the test database).""",
    needs=(Need.PRODUCTION, Need.REHEARSAL_DATABASE, Need.MIGRATIONS, Need.CLONE),
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
    needs=(Need.PRODUCTION, Need.BESIDE_PRODUCTION, Need.REHEARSAL_DATABASE, Need.MIGRATIONS, Need.CLONE),
    restores=True,
)


@check(
    "The application talks to the clone, and to nothing else", "read the variable of app.database_env in the settings"
)
def app_talks_to_clone(c: RunInputs) -> Command:
    """Settings with a database of their own would migrate that one: production, in the worst case."""
    return Tool("check-app", {"target": c.target, "database_of": c.test})


@check("The test target leads to the clone of production, by its mark", "inv clone-prod-to-test")
def is_clone(c: RunInputs) -> list[Command]:
    """Asked where the test target's own address leads, since that is where the application is going to write. Nothing
    in it may lead to another server: the migrations would write there, too."""
    return _leads_to(c, f"generalprobe clone of {c.target}, run {c.backup}")


def _leads_to(c: RunInputs, marker: str) -> list[Command]:
    given = {"system": c.test_server.system, "database": c.test_server.database, "marker": marker}
    return [Query("check_clone.sql", c.test, parameters=given), Query("check_isolated.sql", c.test)]


@check("The pending migrations leave alone what was not backed up", "inv release")
def leaves_alone(c: RunInputs) -> Command:
    """The clone does not have those rows, so nothing that happens to them could be seen."""
    return Tool("check-touched", {"target": c.target, "backup_id": c.backup})


@check("The copy from before the migrations is there", "inv clone-prod-to-test")
def copy_is_there(c: RunInputs) -> Command:
    """Without it nothing could be compared."""
    return Query("check_frozen.sql", c.test, c.names.before, {"wanted": "off"})


@check("No migration is left to apply on the clone", "inv status")
def clone_is_migrated(c: RunInputs) -> Command:
    """migrate can end with 0 without having applied anything."""
    return manage(c, c.test, "migrate", "--check")


@check("The certificate holds: all is as it was rehearsed, and it is not expired", "inv release", once=True)
def certificate_holds(c: RunInputs) -> Command:
    """What was rehearsed must be what is promoted; a migration edited since then was never rehearsed."""
    return Tool("check-certificate", {"target": c.target, "name": c.release.certificate})


@check("The migration in which it stopped is one transaction", "inv clone-prod-to-test")
def stopped_in_transaction(c: RunInputs) -> Command:
    """Done in part, and then again, the clone would not be what production becomes."""
    return Tool("check-atomic", {"target": c.target, "database_of": c.test})


def drop_before(c: RunInputs) -> Command:
    """The copy goes; it carries our mark."""
    return Query("drop_database.sql", c.test, "postgres", {"name": c.names.before, "marker": "generalprobe clone "})


def measure(c: RunInputs) -> Watch:
    """The locks, rows and times of each migration."""
    return Watch(
        "migrations", {"test": c.test, "run": c.run, "backup": c.backup, "report": f"{c.run_folder}/measures.json"}
    )


@migrate_test.step(
    "Keep a copy of the clone as it is",
    changes="the test server: a copy of the clone",
    takes=Time.DATABASE,
    gates=(not_production, is_clone, leaves_alone, room_for_copy),
    proof=copy_is_there,
    undo=drop_before,
    again=True,
)
def keep_before(c: RunInputs) -> Command:
    """Inside the server and file by file; afterwards old and new can be compared row by row. It refuses a database
    that does not carry a clone's mark."""
    given = {
        "source": c.test_server.database,
        "name": c.names.before,
        "marker": f"generalprobe clone before, run {c.run}",
    }
    return Query("copy_database.sql", c.test, "postgres", given)


@migrate_test.step(
    "Run the migrations on the clone",
    changes="the clone: its tables and rows",
    does=(StepEffect.REHEARSES,),
    takes=Time.MIGRATIONS,
    reports=("excluded",),
    gates=(not_production, is_clone, leaves_alone, app_talks_to_clone),
    proof=clone_is_migrated,
    stays="The clone is a throw-away: `inv clone-prod-to-test` makes a fresh one.",
    again=True,
    repeatable=(stopped_in_transaction,),
    watch=measure,
)
def migrate(c: RunInputs) -> list[Command]:
    """The application's own command with the new release's code, on the clone. What it is about to run is noted: the
    certificate is bound to that, and not to what lies in the folder later. The tool also measures meanwhile, over a
    connection of its own: each migration's time, locks, rows, rewritten tables and WAL."""
    noted = {"target": c.target, "test": c.test, "backup_id": c.backup, "run": c.run}
    return [Tool("note-rehearsal", noted), manage(c, c.test, "migrate", "--noinput", options=UNLIMITED)]


@verify.step(
    "Take the fingerprint of the clone before",
    takes=Time.DATABASE,
    does=(StepEffect.COUNTS,),
    reads=True,
    again=True,
)
def before(c: RunInputs) -> Command:
    """Every table as it was, from the copy that was kept."""
    return Query("fingerprint.sql", c.test, c.names.before, output=f"{c.run_folder}/before.jsonl")


@verify.step(
    "Take the fingerprint of the migrated clone",
    takes=Time.DATABASE,
    does=(StepEffect.ACCOUNTS,),
    reads=True,
    again=True,
)
def after(c: RunInputs) -> Command:
    """Every table as it is now."""
    return Query("fingerprint.sql", c.test, output=f"{c.run_folder}/after.jsonl")


@verify.step(
    "Account for every row",
    takes=Time.DATABASE,
    does=(StepEffect.ACCOUNTS,),
    reads=True,
    again=True,
    reports=("verdict", "excluded"),
)
def account(c: RunInputs) -> Command:
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
            "before_database": c.names.before,
            "after": f"{c.run_folder}/after.jsonl",
            "report": f"{c.run_folder}/verdict.json",
            "draft": "yes" if c.release.draft else "no",
        },
    )


@verify.step(
    "Run the application's own checks on the clone",
    takes=Time.APPLICATION,
    does=(StepEffect.ACCOUNTS,),
    reads=True,
    again=True,
    when=lambda c: bool(c.release.checks),
    only="Only where the inventory has `checks`.",
)
def checks(c: RunInputs) -> list[Command]:
    """The application knows best what right data look like. Each must exit 0. They read: a session that writes is
    refused here as it will be on production."""
    noted = Tool("note-checks", {"target": c.target, "report": f"{c.run_folder}/checks.json"})
    return [*(manage(c, c.test, *words, options=READ_ONLY) for words in c.release.checks), noted]


DRAWS = {
    "again": True,
    "when": lambda c: c.release.draws,
    "only": "Only where the migrations' code, or that of a default, may draw values (random, secrets, uuid, …).",
}


def live_on_test(c: RunInputs, incoming: str, marker: str) -> Command:
    """Holds where the database with this mark has the test database's name."""
    given = {"live": c.test_server.database, "incoming": incoming, "marker": marker}
    return Query("check_swapped.sql", c.test, "postgres", given)


@check("A second copy of the clone as it was has its name, and is open", "inv resume")
def copy_is_live(c: RunInputs) -> Command:
    """The migrated clone is kept under another one meanwhile."""
    return live_on_test(c, c.names.roundtrip, c.names.roundtrip_marker)


@check("The migrated clone has its name again", "inv resume")
def clone_is_live_again(c: RunInputs) -> Command:
    """It is what is looked at, and certified."""
    return live_on_test(c, c.names.migrated, f"generalprobe clone of {c.target}, run {c.backup}")


@check("The test target leads to the second copy, by its mark", "inv undo")
def is_copy(c: RunInputs) -> list[Command]:
    """As with the clone itself: the application is going to write there."""
    return _leads_to(c, c.names.roundtrip_marker)


@verify.step(
    "Give a second copy of the clone as it was the clone's name",
    changes="the test server: a second copy, which gets the clone's name",
    takes=Time.DATABASE,
    gates=(not_production, room_for_copy),
    proof=copy_is_live,
    undo=drop_roundtrip,
    **DRAWS,
)
def copy_again(c: RunInputs) -> list[Command]:
    """Values that are drawn are other ones on production, and nobody could tell them from a fault there. So the
    migrations run once more, on the same rows, and what they write otherwise then is known."""
    copy = {"source": c.names.before, "name": c.names.roundtrip, "marker": c.names.roundtrip_marker}
    like = {"target": c.target, "test": c.test, "database": c.names.roundtrip, "before": c.fingerprint}
    return [
        swap_back(c, "second-back.txt"),
        Query("copy_database.sql", c.test, "postgres", copy),
        Tool("match-clone", like),
        swap_in(c, "second-in.txt"),
    ]


@verify.step(
    "Run the migrations once more, on the copy",
    changes="the second copy: its tables and rows",
    takes=Time.MIGRATIONS,
    gates=(not_production, is_copy, app_talks_to_clone),
    proof=clone_is_migrated,
    stays="The copy goes when its place is taken back.",
    repeatable=(stopped_in_transaction,),
    **DRAWS,
)
def migrate_again(c: RunInputs) -> Command:
    """The same command, with the same code."""
    return manage(c, c.test, "migrate", "--noinput", options=UNLIMITED)


@verify.step(
    "Give the migrated clone its name again",
    changes="the test server: the clone has its name again",
    gates=(not_production,),
    proof=clone_is_live_again,
    stays="It is the clone's own name.",
    **DRAWS,
)
def clone_again(c: RunInputs) -> list[Command]:
    """The copy stays beside it for a moment, open, to be compared."""
    return [swap_back(c, "second-back.txt"), Query("reopen.sql", c.test, "postgres", {"live": c.names.roundtrip})]


@verify.step(
    "Compare what both runs of the migrations wrote",
    changes="the test server: the second copy is dropped",
    takes=Time.DATABASE,
    gates=(not_production,),
    proof=is_gone,
    stays="It was a copy of the clone, and the clone stays.",
    **DRAWS,
)
def compare(c: RunInputs) -> list[Command]:
    """What both wrote alike, production must have; of the rest, only that there is a value. Then the copy is
    dropped."""
    compared = {"target": c.target, "test": c.test, "before": c.names.before, "again": c.names.roundtrip}
    return [
        Tool("compare-rehearsals", {**compared, "report": f"{c.run_folder}/verdict.json"}),
        Query("drop_database.sql", c.test, "postgres", {"name": c.names.roundtrip, "marker": c.names.roundtrip_marker}),
    ]


verify.include(way_back)
verify.include(beside)


@verify.step(
    "Write the certificate",
    changes="the store: a certificate",
    proof=certificate_holds,
    stays="A certificate changes nothing; it expires by itself.",
    again=True,
)
def write_certificate(c: RunInputs) -> Command:
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
            "name": c.release.certificate,
        },
    )
