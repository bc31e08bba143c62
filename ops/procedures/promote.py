"""promote: production gets what was rehearsed, and nothing else."""

from __future__ import annotations

from ops.command import Command, Query, Tool
from ops.django import manage
from ops.inputs import Inputs
from ops.procedures.backup import backup, backup_is_whole, in_store, is_production
from ops.procedures.health import deploy_words, is_healthy
from ops.procedures.migrate import certificate_holds
from ops.step import Procedure, check, commands

FROZEN = "production is frozen: reading works, writing is refused"
IF_FROZEN = "Only where production is frozen: when a migration does more than add, or with `freeze: always`."


def last(c: Inputs) -> Inputs:
    """The inputs of the last backup, taken while production is frozen."""
    return c.whole(f"{c.run}_last")


def kept_last(c: Inputs) -> Inputs:
    """The same when it goes into the store."""
    return last(c).model_copy(update={"remote": c.remote})


def rollback_hint(c: Inputs) -> str:
    """What to type when production was migrated and should not have been."""
    return f"inv rollback --target={c.target} --backup={last(c).backup if c.frozen else c.backup}"


def way_back(c: Inputs) -> str:
    """What takes a release back, for whoever finds tomorrow that it was wrong."""
    return f"{rollback_hint(c)}   takes it back"


def explained(c: Inputs) -> Tool:
    """What stands on production and what to type, where it does not end well."""
    backup_id = last(c).backup if c.frozen else c.backup
    given = {"target": c.target, "name": c.certificate, "run": c.run, "backup_id": backup_id}
    return Tool("explain-promotion", {**given, "frozen": "yes" if c.frozen else "no"})


promote = Procedure(
    "promote",
    "Promote the rehearsed release to production",
    """Applies to production exactly the migrations that were rehearsed on its copy, when a certificate says that
    every row survived and nothing has changed since. Where the migrations move or remove data, production refuses
    writes meanwhile, and a last backup is taken, so that the way back loses nothing.""",
    """The text says whether production was migrated. If it was not: `inv undo` lets it take writes again. If it was,
    and something is wrong: `inv rollback --backup=…` with the backup that the text names; production stays frozen
    until then. With `--auto-rollback` a frozen production is taken back by itself, and proved to be as before.""",
    afterwards=way_back,
)


@check("The migrations that are left are those of the rehearsal", "inv status")
def rest_is_rehearsed(c: Inputs) -> Command:
    """Also after a stop between two migrations: what goes on must be the rest of what was rehearsed."""
    return Tool("check-rest", {"target": c.target, "name": c.certificate})


@check("The application talks to production", "read the variable of app.database_env in the settings")
def app_talks_to_production(c: Inputs) -> Command:
    """Otherwise another database would be migrated."""
    return Tool("check-app", {"target": c.target, "database_of": c.target})


@check("The maintenance window is open for long enough, where one is asked for", "wait for the window")
def window_is_open(c: Inputs) -> Command:
    """Locks and a freeze are felt; users were told when. The release, as long as its rehearsal took and half as fast,
    and the way back must fit into what is left of it."""
    return _window(c, begun=False)


@check("What is left of the maintenance window is enough for the migrations and the way back", "wait for the window")
def window_still_open(c: Inputs) -> Command:
    """The last backup may have taken longer than it did in the rehearsal."""
    return _window(c, begun=True)


def _window(c: Inputs, *, begun: bool) -> Command:
    words = {True: "yes", False: "no"}
    given = {"target": c.target, "name": c.certificate, "frozen": words[c.frozen], "begun": words[begun]}
    return Tool("check-window", given)


@check("Production is frozen meanwhile, where the rehearsal asks for it")
def freeze_as_measured(c: Inputs) -> Command:
    """With `freeze: auto`: where rows that were there are updated or deleted, a table is rewritten or dropped, or
    writers would wait for long, nobody should write meanwhile. A release is planned before that is known."""
    return Tool("check-freeze", {"target": c.target, "name": c.certificate, "frozen": "yes" if c.frozen else "no"})


@check("New sessions of production are read-only", "inv resume")
def is_frozen(c: Inputs) -> Command:
    """A write between the last backup and the migration would be lost by a rollback."""
    return Query("check_frozen.sql", c.target, parameters={"wanted": "on"})


@check("New sessions of production may write", "inv unfreeze")
def takes_writes(c: Inputs) -> Command:
    """A production that stays read-only is an outage."""
    return Query("check_frozen.sql", c.target, parameters={"wanted": "off"})


@check("No migration is left to apply on production", "inv status")
def is_migrated(c: Inputs) -> Command:
    """migrate can end with 0 without having applied anything."""
    return manage(c, c.target, "migrate", "--check")


@check("The migration in which it stopped is one transaction")
def is_atomic(c: Inputs) -> Command:
    """What fails in one transaction leaves nothing, so it may be tried again."""
    return Tool("check-atomic", {"target": c.target, "database_of": c.target})


@check("Production is what it was right before the migrations")
def is_as_before(c: Inputs) -> list[Command]:
    """Every table row for row, the schema and every sequence; that no migration is recorded shows nothing."""
    now = f"{c.run_folder}/production-now.jsonl"
    given = {"before": f"{c.run_folder}/production-before.jsonl", "after": now}
    return [Query("fingerprint.sql", c.target, output=now), Tool("check-as-before", given)]


@check("The migrations left nothing on production")
def left_nothing(c: Inputs) -> list[Command]:
    """A migration that is not one transaction can be done in part and not be recorded. Where nobody writes, production
    is compared; where users do, only a transaction is sure to have left nothing."""
    checks = (is_as_before,) if c.frozen else (certificate_holds, is_atomic)
    return [command for one in checks for command in commands(one.act, c)]


@check("The way back was restored, proved and timed in the rehearsal", "inv release")
def way_back_is_proved(c: Inputs) -> Command:
    """A plan that was never tried is a hope."""
    return Tool("check-recovery", {"target": c.target, "name": c.certificate})


# The guide's checklist: a backup, a rehearsal, verified data, a way back, a window where one is needed.
BASE = (is_production, backup_is_whole, certificate_holds, way_back_is_proved, app_talks_to_production)
GATES = (*BASE, window_is_open)


def freeze_now(c: Inputs) -> Command:
    """Production refuses writes."""
    return Query("freeze.sql", c.target, "postgres", parameters={"live": c.database})


def unfreeze_now(c: Inputs) -> Command:
    """Production takes writes again."""
    return Query("unfreeze.sql", c.target, "postgres", parameters={"live": c.database})


@promote.step(
    "Freeze production",
    gates=GATES,
    proof=is_frozen,
    undo=unfreeze_now,
    again=True,
    confirm=True,
    meanwhile=FROZEN,
    when=lambda c: c.frozen,
    only=IF_FROZEN,
)
def freeze(c: Inputs) -> Command:
    """Every new session is read-only and the old ones end: reading goes on, writing is refused until the release is
    through. Nothing can be written between the last backup and the migration."""
    return freeze_now(c)


promote.include(backup, inputs=last, when=lambda c: c.frozen, prefix="last-", label="Last backup: ", only=IF_FROZEN)


@promote.step("Take the fingerprint of production before", gates=(freeze_as_measured,), reads=True, again=True)
def fingerprint_before(c: Inputs) -> Command:
    """What every table holds right before the migrations."""
    return Query("fingerprint.sql", c.target, output=f"{c.run_folder}/production-before.jsonl")


@promote.step("Note what production holds", reads=True, again=True)
def hold(c: Inputs) -> Command:
    """What was written since the rehearsal must survive, too: a table or column that was empty then and would be
    dropped must still be empty, and every table is noted as it is."""
    return Tool(
        "hold-production",
        {
            "target": c.target,
            "name": c.certificate,
            "before": f"{c.run_folder}/production-before.jsonl",
            "report": f"{c.run_folder}/production-held.json",
        },
    )


@promote.step(
    "Run the migrations on production",
    gates=(*BASE, window_still_open, freeze_as_measured, rest_is_rehearsed),
    proof=is_migrated,
    final="Migrations are not run backwards: that would bring tables back empty. The way back is the backup: "
    "`inv rollback`, which loses nothing while production is frozen.",
    untouched=left_nothing,
    data="production was migrated",
    again=True,
    repeatable=(is_atomic, is_as_before),
    confirm=True,
    retries=lambda c: c.retries,
    on_failure=rollback_hint,
    explain=explained,
)
def migrate(c: Inputs) -> Command:
    """The same command as on the clone. It waits for a lock only briefly, so that it never queues the whole
    application behind itself; then it tries again, with growing pauses."""
    options = f"-c lock_timeout={round(c.lock_timeout * 1000)} -c default_transaction_read_only=off"
    return manage(c, c.target, "migrate", "--noinput", options=options)


@promote.step("Take the fingerprint of production after", reads=True, again=True, on_failure=rollback_hint)
def fingerprint_after(c: Inputs) -> Command:
    """What every table holds now."""
    return Query("fingerprint.sql", c.target, output=f"{c.run_folder}/production-after.jsonl")


@promote.step("Account for every row of production", reads=True, again=True, on_failure=rollback_hint)
def account(c: Inputs) -> Command:
    """The rehearsal proved where each table and column goes; production must hold the same there."""
    return Tool(
        "verify-production",
        {
            "target": c.target,
            "name": c.certificate,
            "held": f"{c.run_folder}/production-held.json",
            "after": f"{c.run_folder}/production-after.jsonl",
            "frozen": "yes" if c.frozen else "no",
        },
    )


@promote.step(
    "Run the application's own checks on production",
    reads=True,
    again=True,
    on_failure=rollback_hint,
    when=lambda c: bool(c.checks),
    only="Only where the inventory has `checks`.",
)
def checks(c: Inputs) -> list[Command]:
    """The same as on the clone. They read; while production is frozen, they could not write if they wanted."""
    return [manage(c, c.target, *words) for words in c.checks]


@promote.step(
    "Deploy the application",
    proof=is_healthy,
    stays="The former release is deployed again by `inv rollback`, together with its data.",
    again=True,
    on_failure=rollback_hint,
    when=lambda c: c.deploys,
    only="Only where the inventory has a `deploy` command.",
)
def deploy(c: Inputs) -> Command:
    """The new code meets the new schema."""
    return deploy_words(c)


@promote.step(
    "Let production take writes again",
    gates=(is_production,),
    proof=takes_writes,
    stays="`inv freeze` makes it read-only again.",
    again=True,
    ends=FROZEN,
    when=lambda c: c.frozen,
    only=IF_FROZEN,
)
def unfreeze(c: Inputs) -> Command:
    """The release is through."""
    return unfreeze_now(c)


promote.include(
    in_store,
    inputs=kept_last,
    when=lambda c: c.frozen,
    prefix="last-",
    label="Last backup: ",
    only="Only where production is frozen, and with a remote store.",
)
