"""promote: production gets what was rehearsed, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from ops.application.manage import MIGRATE, READ_ONLY, manage
from ops.engine.command import Command, Query, Tool
from ops.engine.effects import Effect, StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check, commands
from ops.infra.postgres.session_settings import UNLIMITED
from ops.procedures.backup import backup, in_store
from ops.procedures.checks import backup_is_whole, is_production
from ops.procedures.deploy import DEPLOYS, deploy_words
from ops.procedures.freeze import FREEZES, FROZEN, UNFREEZES, freeze_now, no_writers, unfreeze_now
from ops.procedures.rehearse import certificate_holds

IF_FROZEN = "Only where production is frozen: when a migration does more than add, or with `freeze: always`."


def last(c: RunInputs) -> RunInputs:
    """The inputs of the last backup, taken while production is frozen."""
    return c.whole(f"{c.run}_last")


def kept_last(c: RunInputs) -> RunInputs:
    """The same when it goes into the store."""
    return last(c).replace(remote=c.remote)


def rollback_hint(c: RunInputs) -> str:
    """What to type when production was migrated and should not have been."""
    return f"inv rollback --target={c.target} --backup={last(c).backup if c.freezes else c.backup}"


def way_back(c: RunInputs) -> str:
    """What takes a release back, for whoever finds tomorrow that it was wrong."""
    return f"{rollback_hint(c)}   takes it back"


def explained(c: RunInputs) -> Tool:
    """What stands on production and what to type, where it does not end well."""
    backup_id = last(c).backup if c.freezes else c.backup
    given = {"target": c.target, "name": c.release.certificate, "run": c.run, "backup_id": backup_id}
    return Tool("explain-promotion", {**given, "frozen": "yes" if c.freezes else "no"})


promote = Procedure(
    "promote",
    "Promote the rehearsed release to production",
    """Applies to production exactly the migrations that were rehearsed on its copy, when a certificate says that
    every row survived and nothing has changed since. Where the migrations move or remove data, production refuses
    writes meanwhile, and a last backup is taken, so that the way back brings back all that was written.""",
    """The text says whether production was migrated. If it was not: `inv undo` lets it take writes again. If it was,
    and something is wrong: `inv rollback --backup=…` with the backup that the text names; production stays frozen
    until then. With `--auto-rollback` a frozen production is taken back by itself, and proved to be as before.""",
    afterwards=way_back,
    effects=(Effect.RELEASES,),
    needs=(Need.PRODUCTION, Need.MIGRATIONS, Need.CERTIFICATE),
    changes_production=True,
)


@check("The migrations that are left are those of the rehearsal", "inv status")
def rest_is_rehearsed(c: RunInputs) -> Command:
    """Also after a stop between two migrations: what goes on must be the rest of what was rehearsed."""
    return Tool("check-rest", {"target": c.target, "name": c.release.certificate})


@check("The application talks to production", "read the variable of app.database_env in the settings")
def app_talks_to_production(c: RunInputs) -> Command:
    """Otherwise another database would be migrated."""
    return Tool("check-app", {"target": c.target, "database_of": c.target})


@check("The maintenance window is open for long enough, where one is asked for", "wait for the window")
def window_is_open(c: RunInputs) -> Command:
    """Locks and a freeze are felt; users were told when. The release, as long as its rehearsal took and half as fast,
    and the way back must fit into what is left of it."""
    return _window(c, begun=False)


@check("What is left of the maintenance window is enough for the migrations and the way back", "wait for the window")
def window_still_open(c: RunInputs) -> Command:
    """The last backup may have taken longer than it did in the rehearsal."""
    return _window(c, begun=True)


def _window(c: RunInputs, *, begun: bool) -> Command:
    words = {True: "yes", False: "no"}
    given = {"target": c.target, "name": c.release.certificate, "frozen": words[c.freezes], "begun": words[begun]}
    return Tool("check-window", given)


@check("Production is frozen meanwhile, where the rehearsal asks for it")
def freeze_as_measured(c: RunInputs) -> Command:
    """With `freeze: auto`: where rows that were there are updated or deleted, a table is rewritten or dropped, or
    writers would wait for long, nobody should write meanwhile. A release is planned before that is known."""
    return Tool(
        "check-freeze", {"target": c.target, "name": c.release.certificate, "frozen": "yes" if c.freezes else "no"}
    )


@check("The settings of the database are this role's to write", "an administrator types that, then the same again")
def settings_are_ours(c: RunInputs) -> Command:
    """A rollback gives the restored database the settings of the live one; one that only an administrator may write
    would stop it in the middle."""
    return Query("check_settings.sql", c.target, "postgres", {"live": c.database})


@check("Production holds what the last backup does, where it is frozen", "inv undo", once=True)
def nothing_written(c: RunInputs) -> Command:
    """An administrator, or a session that sets it for itself, can write to a frozen production: what is in no backup
    would be lost by a rollback."""
    compared = {"before": last(c).fingerprint, "after": f"{c.run_folder}/production-before.jsonl"}
    return Tool("check-unwritten", {"target": c.target, **(compared if c.freezes else {})})


@check("No migration is left to apply on production", "inv status")
def is_migrated(c: RunInputs) -> Command:
    """migrate can end with 0 without having applied anything."""
    return manage(c, c.target, "migrate", "--check")


@check("The migration in which it stopped is one transaction")
def is_atomic(c: RunInputs) -> Command:
    """What fails in one transaction leaves nothing, so it may be tried again."""
    return Tool("check-atomic", {"target": c.target, "database_of": c.target})


@check("The migration in which it stopped only builds and drops indexes concurrently")
def only_indexes(c: RunInputs) -> Command:
    """What it left is removed before it is run again."""
    return Tool("check-only-indexes", {"target": c.target, "database_of": c.target})


@check("Production is what it was right before the migrations")
def is_as_before(c: RunInputs) -> list[Command]:
    """Every table row for row, the schema and every sequence; that no migration is recorded shows nothing."""
    now = f"{c.run_folder}/production-now.jsonl"
    given = {"before": f"{c.run_folder}/production-before.jsonl", "after": now}
    return [Query("fingerprint.sql", c.target, output=now), Tool("check-as-before", given)]


@check("The migrations left nothing on production")
def left_nothing(c: RunInputs) -> list[Command]:
    """A migration that is not one transaction can be done in part and not be recorded. Where nobody writes, production
    is compared; where users do, only a transaction is sure to have left nothing."""
    checks = (is_as_before,) if c.freezes else (certificate_holds, is_atomic)
    return [command for one in checks for command in commands(one.act, c)]


@check("The way back was restored, proved and timed in the rehearsal", "inv release")
def way_back_is_proved(c: RunInputs) -> Command:
    """A plan that was never tried is a hope."""
    return Tool("check-recovery", {"target": c.target, "name": c.release.certificate})


@check("What would be dropped was rehearsed, or is declared", "inv release")
def losses_are_declared(c: RunInputs) -> Command:
    """Production was written to since the rehearsal. It is decided before production is frozen, and again right before
    it is migrated: a table or column that goes holds nothing, or what is declared and what was written since."""
    return Tool("check-losses", {"target": c.target, "name": c.release.certificate})


# The guide's checklist: a backup, a rehearsal, verified data, a way back, a window where one is needed.
BASE = (
    is_production,
    backup_is_whole,
    certificate_holds,
    way_back_is_proved,
    app_talks_to_production,
    settings_are_ours,
)
GATES = (*BASE, losses_are_declared, window_is_open)


@promote.step(
    "Freeze production",
    takes=Time.DATABASE,
    gates=(*GATES, no_writers),
    meanwhile=FROZEN,
    when=lambda c: c.freezes,
    only=IF_FROZEN,
    **FREEZES,
)
def freeze(c: RunInputs) -> Command:
    """Every new session is read-only and the old ones end: reading goes on, writing is refused until the release is
    through. Nothing can be written between the last backup and the migration."""
    return freeze_now(c)


@promote.step("Note since when production is frozen", reads=True, again=True, when=lambda c: c.freezes, only=IF_FROZEN)
def note_freeze(c: RunInputs) -> Command:
    """Each setting that freezes it, with the transaction that wrote it: a freeze that was ended and made again has
    another one. So it can be proved later that nothing was written since the last backup."""
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
    "Take the fingerprint of production before",
    takes=Time.DATABASE,
    gates=(freeze_as_measured,),
    reads=True,
    again=True,
)
def fingerprint_before(c: RunInputs) -> Command:
    """What every table holds right before the migrations."""
    return Query("fingerprint.sql", c.target, output=f"{c.run_folder}/production-before.jsonl")


@promote.step("Note what production holds", takes=Time.DATABASE, reads=True, again=True)
def hold(c: RunInputs) -> Command:
    """What was written since the rehearsal must survive, too, so every table is noted as it is; where production is not
    frozen, every row of the tables that the operations touch, and a snapshot is held until they are accounted for: only
    where each migration is one transaction, since what is built concurrently would wait for it."""
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
    gates=(*BASE, window_still_open, freeze_as_measured, rest_is_rehearsed, losses_are_declared, nothing_written),
    proof=is_migrated,
    final="Migrations are not run backwards: that would bring tables back empty. The way back is the backup: "
    "`inv rollback`; `inv status` says whether production has been frozen without a break since it was taken.",
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
    """The same command as on the clone. It waits for a lock only briefly, so that it never queues the whole
    application behind itself; then it tries again, with growing pauses. Where indexes are built or dropped
    concurrently, those statements wait for as long as it takes (`manage.py shell -c` calls the same migrate), and what
    an interrupted attempt left of them is dropped first. Where production is not frozen, that migrate also notifies
    of its transactions' savepoints, so that what they wrote is told from what users did."""
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
    reads=True,
    again=True,
    on_failure=rollback_hint,
    reports=("excluded",),
)
def account(c: RunInputs) -> list[Command]:
    """The rehearsal proved where each table and column goes; production must hold the same there. Where production is
    not frozen, users go on writing: tables that no operation touches may change, and of the others no more rows may be
    gone or changed than users write in that time, and none by the migrations, as far as a held snapshot can tell.
    Whenever this is done again, it looks at what is there then."""
    after = f"{c.run_folder}/production-after.jsonl"
    given = {
        "target": c.target,
        "name": c.release.certificate,
        "held": f"{c.run_folder}/production-held.json",
        "after": after,
        "frozen": "yes" if c.freezes else "no",
    }
    return [Query("fingerprint.sql", c.target, output=after), Tool("verify-production", given)]


@promote.step(
    "Run the application's own checks on production",
    takes=Time.APPLICATION,
    reads=True,
    again=True,
    on_failure=rollback_hint,
    when=lambda c: bool(c.release.checks),
    only="Only where the inventory has `checks`.",
)
def checks(c: RunInputs) -> list[Command]:
    """The same as on the clone, and read-only as there."""
    return [manage(c, c.target, *words, options=READ_ONLY) for words in c.release.checks]


@promote.step(
    "Deploy the application",
    changes="the application: the new release runs",
    stays="The former release is deployed again by `inv rollback`, together with its data.",
    on_failure=rollback_hint,
    when=lambda c: c.deploys,
    only="Only where the inventory has a `deploy` command.",
    **DEPLOYS,
)
def deploy(c: RunInputs) -> Command:
    """The new code meets the new schema."""
    return deploy_words(c)


@promote.step(
    "Let production take writes again",
    ends=FROZEN,
    when=lambda c: c.freezes,
    only=IF_FROZEN,
    **UNFREEZES,
)
def unfreeze(c: RunInputs) -> Command:
    """The release is through."""
    return unfreeze_now(c)


promote.include(
    in_store,
    inputs=kept_last,
    when=lambda c: c.freezes,
    prefix="last-",
    label="Last backup: ",
    only="Only where production is frozen, and with a remote store.",
)
