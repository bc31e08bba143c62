"""Define promote: apply to production the rehearsed migrations, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from ops.application.manage import MIGRATE, READ_ONLY, manage
from ops.engine.command import Command, Query, Tool
from ops.engine.effects import Effect, StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check, commands
from ops.infra.postgres.session_settings import UNLIMITED
from ops.procedures.backup import backup, excluding, in_store
from ops.procedures.checks import backup_is_whole, by_several, is_production, take_fingerprint
from ops.procedures.deploy import DEPLOYS, deploy_words
from ops.procedures.freeze import FREEZES, FROZEN, UNFREEZES, freeze_now, no_writers, unfreeze_now
from ops.procedures.rehearse import certificate_holds

IF_FROZEN = "Only if the release freezes production: if a migration does more than add, or with `freeze: always`."


def last(c: RunInputs) -> RunInputs:
    """Return the inputs of the last backup, taken while production is frozen.

    It takes the rows of tables that have not changed from the backup of the rehearsal."""
    return c.whole(f"{c.run}_last").replace(dump={"base": c.backup})


def kept_last(c: RunInputs) -> RunInputs:
    """Return the inputs with which the last backup is copied to the remote store."""
    return last(c).replace(remote=c.remote)


def rollback_hint(c: RunInputs) -> str:
    """Return the command that rolls a migrated production back."""
    return f"inv rollback --target={c.target} --backup={last(c).backup if c.freezes else c.backup}"


def resume_hint(c: RunInputs) -> str:
    """Return the command for a failure after every row was accounted for."""
    return f"correct what failed, then   inv resume --run={c.run} --target={c.target}"


def way_back(c: RunInputs) -> str:
    """Return the command that undoes a release which turns out to be wrong later."""
    return f"{rollback_hint(c)}   if the release turns out to be wrong"


def explained(c: RunInputs) -> Tool:
    """Return the action that reports production's state and the next command after an unsuccessful run."""
    backup_id = last(c).backup if c.freezes else c.backup
    given = {"target": c.target, "name": c.release.certificate, "run": c.run, "backup_id": backup_id}
    return Tool("explain-promotion", {**given, "frozen": "yes" if c.freezes else "no"})


promote = Procedure(
    "promote",
    "Promote the rehearsed release to production",
    """Applies to production exactly the migrations that were rehearsed on the clone. Requires a certificate, which
    states that every row survived, and that nothing has changed since. If the migrations move or remove data,
    production is frozen and a last backup is taken first, so that a rollback loses no write.""",
    """The error message reports whether production was migrated. If production was not migrated: `inv undo` lets
    production take writes again. If production was migrated and something is wrong: `inv rollback --backup=…` with the
    backup that the message names; a frozen production stays frozen until then. With `--auto-rollback`, a release that
    froze production is rolled back automatically, and production is proved to be as before.""",
    undone_by=way_back,
    effects=(Effect.RELEASES,),
    needs=(Need.PRODUCTION, Need.MIGRATIONS, Need.CERTIFICATE),
    changes_production=True,
)


@check("The pending migrations are those of the rehearsal", "inv status")
def rest_is_rehearsed(c: RunInputs) -> Command:
    """Refuse to continue an interrupted promotion with migrations that were not rehearsed."""
    return Tool("check-rest", {"target": c.target, "name": c.release.certificate})


@check("The application connects to production", "read the variable of app.database_env in the settings")
def app_talks_to_production(c: RunInputs) -> Command:
    """Prevent the migrations from changing another database."""
    return Tool("check-app", {"target": c.target, "database_of": c.target})


@check("The maintenance window is open for long enough, if the inventory has one", "wait for the window")
def window_is_open(c: RunInputs) -> Command:
    """Prevent locks and a freeze outside the window: they affect users.

    The rest of the release, with twice the time of the migrations, and a rollback must fit into the window."""
    return _window(c, begun=False)


@check("The rest of the maintenance window is enough for the migrations and a rollback", "wait for the window")
def window_still_open(c: RunInputs) -> Command:
    """Check the window again: the last backup can take longer than in the rehearsal."""
    return _window(c, begun=True)


def _window(c: RunInputs, *, begun: bool) -> Command:
    words = {True: "yes", False: "no"}
    given = {"target": c.target, "name": c.release.certificate, "frozen": words[c.freezes], "begun": words[begun]}
    return Tool("check-window", given)


@check("Production is frozen, if the rehearsal requires it")
def freeze_as_measured(c: RunInputs) -> Command:
    """Refuse a release that was planned without a freeze if the rehearsal requires a freeze.

    With `freeze: auto` the rehearsal requires a freeze if a migration updates or deletes rows that existed before,
    rewrites or drops a table, or blocks writers for a long time."""
    return Tool(
        "check-freeze", {"target": c.target, "name": c.release.certificate, "frozen": "yes" if c.freezes else "no"}
    )


@check(
    "The role in production's address may write the settings of the live database",
    "ask an administrator to run it, then repeat the command",
)
def settings_are_ours(c: RunInputs) -> Command:
    """Prevent a rollback from stopping halfway at a setting that only an administrator may write.

    A rollback copies the settings of the live database to the restored database."""
    return Query("check_settings.sql", c.target, "postgres", {"live": c.database})


@check("A frozen production equals the last backup", "inv undo", once=True)
def nothing_written(c: RunInputs) -> Command:
    """Detect rows that no backup contains: a rollback would lose them.

    An administrator, or a session that changes its own settings, can write to a frozen production."""
    compared = {"before": last(c).fingerprint, "after": f"{c.run_folder}/production-before.jsonl"}
    return Tool("check-unwritten", {"target": c.target, **(compared if c.freezes else {})})


@check("No migration is pending on production", "inv status")
def is_migrated(c: RunInputs) -> Command:
    """Detect an incomplete migration: `migrate` can exit with 0 without having applied a migration."""
    return manage(c, c.target, "migrate", "--check")


@check("The interrupted migration is one transaction")
def is_atomic(c: RunInputs) -> Command:
    """Allow a repetition of a migration in one transaction: a failed transaction leaves nothing."""
    return Tool("check-atomic", {"target": c.target, "database_of": c.target})


@check("The interrupted migration only builds and drops indexes concurrently")
def only_indexes(c: RunInputs) -> Command:
    """Allow a repetition of a migration whose unfinished indexes can be dropped first."""
    return Tool("check-only-indexes", {"target": c.target, "database_of": c.target})


@check("Production equals its state before the migrations")
def is_as_before(c: RunInputs) -> list[Command]:
    """Compare every table row for row, the schema and every sequence.

    A migration that is not recorded as applied can still have changed production."""
    now = f"{c.run_folder}/production-now.jsonl"
    given = {"before": f"{c.run_folder}/production-before.jsonl", "after": now}
    return [take_fingerprint(c, c.target, output=now), Tool("check-as-before", given)]


@check("The interrupted migrations changed nothing on production")
def left_nothing(c: RunInputs) -> list[Command]:
    """Detect a migration that was applied in part and not recorded: it was not one transaction.

    Without writers, production is compared. With writers, only a migration in one transaction is certain to leave
    nothing."""
    checks = (is_as_before,) if c.freezes else (certificate_holds, is_atomic)
    return [command for one in checks for command in commands(one.act, c)]


@check("The rehearsal restored the backup, proved it, and timed a rollback", "inv release")
def way_back_is_proved(c: RunInputs) -> Command:
    """Refuse to depend on a rollback that was never tried."""
    return Tool("check-recovery", {"target": c.target, "name": c.release.certificate})


@check("Rows and values that the migrations drop were rehearsed or are declared", "inv release")
def losses_are_declared(c: RunInputs) -> Command:
    """Compare the tables and columns to drop with production, because users have written since the rehearsal.

    A table or column that the migrations drop, and whose data they do not move, must be empty. Otherwise it may have at
    most what `migrations.expect.yaml` declares, and what was written since the rehearsed backup. The check runs before
    the freeze, and again before the migrations."""
    return Tool("check-losses", {"target": c.target, "name": c.release.certificate})


# The guide's checklist: a backup, a rehearsal, verified data, a proved rollback, a maintenance window if required.
BASE = (
    is_production,
    backup_is_whole,
    certificate_holds,
    way_back_is_proved,
    app_talks_to_production,
    settings_are_ours,
)
GATES = (*BASE, losses_are_declared, window_is_open)


@check("The store has disk space for the last backup", "inv prune-backups --plan")
def room_for_last(c: RunInputs) -> Command:
    """Refuse to freeze production for a backup that the disk cannot hold."""
    return Tool("check-room", {"target": c.target, "backup_id": last(c).backup, **excluding(last(c))})


@promote.step(
    "Freeze production",
    takes=Time.DATABASE,
    gates=(*GATES, room_for_last, no_writers),
    meanwhile=FROZEN,
    when=lambda c: c.freezes,
    only=IF_FROZEN,
    **FREEZES,
)
def freeze(c: RunInputs) -> Command:
    """Make every new session read-only, and end the present sessions.

    Production serves reads and refuses writes until the release ends. No session can write between the last backup and
    the migrations."""
    return freeze_now(c)


@promote.step("Record the freeze", reads=True, again=True, when=lambda c: c.freezes, only=IF_FROZEN)
def note_freeze(c: RunInputs) -> Command:
    """Record each setting that freezes production, and the transaction that wrote the setting.

    A freeze that was lifted and made again has another transaction. `inv status` uses the record to prove that
    nothing was written since the last backup."""
    return Query("production.sql", c.target, output=c.freeze_note)


promote.include(
    backup,
    inputs=last,
    when=lambda c: c.freezes,
    prefix="last-",
    label="Last backup: ",
    only=IF_FROZEN,
    does=(StepEffect.LAST,),
)


@promote.step(
    "Take the fingerprint of production before the migrations",
    takes=Time.DATABASE,
    alike=("verify.after",),
    gates=(freeze_as_measured,),
    reads=True,
    again=True,
)
def fingerprint_before(c: RunInputs) -> Command:
    """Record the contents of every table immediately before the migrations.

    If production is frozen and no transaction has written anything on its server since the last backup, the contents
    are those of that backup's fingerprint. Only the sequences are read again."""
    output = f"{c.run_folder}/production-before.jsonl"
    if not c.freezes:
        return take_fingerprint(c, c.target, output=output)
    query = Query("fingerprint_again.sql", c.target, output=output)
    return by_several(c, query, since=last(c).fingerprint)


@promote.step("Record production's rows", takes=Time.DATABASE, reads=True, again=True)
def hold(c: RunInputs) -> Command:
    """Record the state of every table, because rows written since the rehearsal must survive, too.

    If production is not frozen, also record every row of the tables that the migrations change, and hold a snapshot
    until those rows are accounted for. The snapshot is held only if each migration is one transaction: a concurrent
    index build would wait for the snapshot."""
    return Tool(
        "hold-production",
        {
            "target": c.target,
            "name": c.release.certificate,
            "before": f"{c.run_folder}/production-before.jsonl",
            "report": f"{c.run_folder}/production-held.json",
            "frozen": "yes" if c.freezes else "no",
        },
    )


@promote.step(
    "Run the migrations on production",
    changes="production: its tables and rows",
    does=(StepEffect.MIGRATES,),
    takes=Time.MIGRATIONS,
    alike=("migrate-test.migrate",),
    gates=(*BASE, window_still_open, freeze_as_measured, rest_is_rehearsed, losses_are_declared, nothing_written),
    proof=is_migrated,
    final="A reversed migration would create empty tables. Use `inv rollback` to restore the backup. `inv status` "
    "reports whether production has been frozen without interruption since the backup.",
    untouched=left_nothing,
    data="production was migrated",
    again=True,
    repeatable=(is_atomic, only_indexes, is_as_before),
    confirm=True,
    retries=lambda c: c.locks.retries,
    on_failure=rollback_hint,
    explain=explained,
)
def migrate(c: RunInputs) -> list[Command]:
    """Run the same migrate command on production as on the clone.

    The command waits only briefly for a lock, so that the application's queries do not queue behind the migration.
    If the wait times out, the command is repeated after growing pauses. Statements that build or drop indexes
    concurrently wait without a limit; `manage.py shell -c` then runs the same migrate, and unfinished indexes of an
    interrupted attempt are dropped first. If production is not frozen, the command also reports its transactions'
    savepoints, so that rows written by the migrations can be distinguished from rows written by users."""
    options = f"-c lock_timeout={round(c.locks.timeout * 1000)} -c default_transaction_read_only=off {UNLIMITED}"
    if not c.release.concurrent and (c.freezes or not c.release.opaque):
        return [replace(manage(c, c.target, "migrate", "--noinput", options=options), result="migrations")]
    own = replace(manage(c, c.target, "shell", "-c", MIGRATE, options=options), result="migrations")
    if not c.release.concurrent:
        return [own]
    cleared = {"target": c.target, "report": f"{c.run_folder}/indexes-before.json"}
    return [Tool("clear-unfinished-indexes", cleared), own]


@promote.step(
    "Account for every row of production",
    takes=Time.DATABASE,
    alike=("verify.after", "verify.account"),
    reads=True,
    again=True,
    on_failure=rollback_hint,
    reports=("excluded",),
)
def account(c: RunInputs) -> list[Command]:
    """Prove that production holds every row where the rehearsal found it on the clone.

    If production is not frozen, users still write. Tables that no migration changes may then differ. In the other
    tables, no more rows may be missing or changed than users write in that time, and none by the migrations, as far
    as the held snapshot shows. A repeated step compares the contents at the time of the repetition."""
    after = f"{c.run_folder}/production-after.jsonl"
    given = {
        "target": c.target,
        "name": c.release.certificate,
        "held": f"{c.run_folder}/production-held.json",
        "after": after,
        "frozen": "yes" if c.freezes else "no",
    }
    return [take_fingerprint(c, c.target, output=after), Tool("verify-production", given)]


@promote.step(
    "Run the application's own checks on production",
    takes=Time.APPLICATION,
    alike=("verify.checks",),
    reads=True,
    again=True,
    on_failure=rollback_hint,
    when=lambda c: bool(c.release.checks),
    only="Only if the inventory has `checks`.",
)
def checks(c: RunInputs) -> list[Command]:
    """Run the same checks as on the clone, in read-only sessions."""
    return [manage(c, c.target, *words, options=READ_ONLY) for words in c.release.checks]


@promote.step(
    "Deploy the application",
    changes="the application: the new release runs",
    stays="`inv rollback` deploys the former release together with its data.",
    on_failure=resume_hint,
    when=lambda c: c.deploys,
    only="Only if the inventory has a `deploy` command.",
    **DEPLOYS,
)
def deploy(c: RunInputs) -> Command:
    """Deploy the new code, which fits the new schema."""
    return deploy_words(c)


@promote.step(
    "Let production take writes again",
    ends=FROZEN,
    when=lambda c: c.freezes,
    only=IF_FROZEN,
    **UNFREEZES,
)
def unfreeze(c: RunInputs) -> Command:
    """Lift the freeze at the end of the release."""
    return unfreeze_now(c)


promote.include(
    in_store,
    inputs=kept_last,
    when=lambda c: c.freezes,
    prefix="last-",
    label="Last backup: ",
    only="Only if the release freezes production, and with a remote store.",
)
