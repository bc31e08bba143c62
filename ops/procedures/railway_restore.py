"""Define railway-restore: restore a Railway volume backup in place. Prefer a dump if there is one."""

from __future__ import annotations

from ops.engine.command import Command, Tool
from ops.engine.effects import Effect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check, commands
from ops.procedures.backup import backup, in_store, kept_safety, safety
from ops.procedures.checks import is_production, same_place, take_fingerprint
from ops.procedures.freeze import FREEZES, FROZEN, UNFREEZES, freeze_now, no_writers, unfreeze_now

WITH_DUMP = "Not with `--no-safety`."
IF_FREEZES = "Only if production is not frozen yet, and not with `--no-safety`."

railway_restore = Procedure(
    "railway-restore",
    "Restore a Railway volume backup in place",
    """Replaces the database's volume with one of Railway's volume backups. Only on Railway, and only if no dump can be
    restored: `inv rollback` restores a dump beside production, shows which rows would be set aside, and retains the
    replaced database. This procedure stops the service and replaces everything written since the volume backup.
    Production is frozen and dumped first, so that no row is lost. `--no-safety` omits freeze and dump, for a database
    that does not answer or cannot be dumped. Before you start, run `inv backups`, which lists the volume backups with
    their IDs, and `export VOLUME_BACKUP=ID`.""",
    """Before the request to Railway, production is only frozen, and `inv undo` lets production take writes again.
    After the request, only the safety backup undoes the restore: `inv rollback "--backup=${RUN}_safety"` with RUN as
    the id of this run (`inv backups` lists it). If the volume exchange is staged and not applied, apply it on
    Railway's canvas (Deploy), then run `inv resume`, which requests no second restore. The replaced volume stays on
    Railway, unmounted, with its own volume backups. Railway's support knows for how long.""",
    exclusive=False,
    task="inv railway-restore --backup=$VOLUME_BACKUP",
    afterwards=lambda c: (
        f"inv salvage --backup={c.run}_safety --table=TABLE --target={c.target}   brings back rows written since"
        if not c.railway.no_safety
        else f"inv backup --target={c.target}"
    ),
    effects=(Effect.REPLACES, Effect.SAVES),
    needs=(Need.VOLUME_BACKUP,),
)


def last(c: RunInputs) -> RunInputs:
    """Return the inputs of the safety backup. Volume backups of the replaced volume are useless: they go with it."""
    return safety(c).replace(railway={"backups": False})


def kept_last(c: RunInputs) -> RunInputs:
    """Return the inputs with which the safety backup is copied to the remote store."""
    return kept_safety(c).replace(railway={"backups": False})


def dumped(c: RunInputs) -> str:
    """Return the id of the safety backup; empty if none is made."""
    return "" if c.railway.no_safety else last(c).backup


def report(c: RunInputs) -> str:
    """Return the path of the record of the former volume."""
    return f"{c.run_folder}/volume.json"


def meant(c: RunInputs) -> dict[str, str]:
    """Return the options that name the volume and the volume backup."""
    return {"target": c.target, "place": c.railway.database, "volume_backup": c.railway.volume_backup}


def ways_on(c: RunInputs) -> str:
    """Return the commands to choose from if the state of the restore on Railway is unclear."""
    back = f"inv rollback --backup={dumped(c)} --target={c.target}   if Railway has restored; " if dumped(c) else ""
    return f"{back}inv unfreeze --target={c.target}   if the restore was cancelled on Railway"


def _noted(c: RunInputs) -> dict[str, str]:
    return {"target": c.target, "report": report(c), "database": c.database, "system": c.system}


@check("Railway still has this backup of the database's volume", "inv backups", once=True)
def has_backup(c: RunInputs) -> list[Command]:
    """Detect a volume backup that has expired, or a name that now belongs to another service."""
    return [*same_place(c), Tool("check-volume-backup", meant(c))]


@check("No other change is staged in the Railway environment", "Railway: the project's canvas, Details", once=True)
def nothing_staged(c: RunInputs) -> Command:
    """Prevent other staged changes: Railway applies them together with the volume exchange."""
    return Tool("check-unstaged", {"target": c.target})


@check("No other run is active, and the database is the planned one", "inv status", once=True)
def is_alone(c: RunInputs) -> list[Command]:
    """Ask for other runs: this run cannot hold a lock, which is a session of the server that Railway stops."""
    if c.railway.no_safety:
        return same_place(c)
    alone = Tool("check-alone", {"target": c.target, "database": c.database, "run": c.run})
    return [*commands(is_production.act, c), alone]


@check("The planned database answers, from another volume or in an earlier state", "inv resume")
def is_restored(c: RunInputs) -> Command:
    """Detect a restore that the Railway CLI reported and that did not happen."""
    return Tool("check-volume-restored", _noted(c))


@check("No restore was requested from Railway")
def not_asked(c: RunInputs) -> Command:
    """Check that production is unchanged: no request was sent."""
    return Tool("check-volume-untouched", {"target": c.target, "report": report(c)})


@railway_restore.step(
    "Show what the restore would replace, and which dump is safer",
    gates=(has_backup,),
    reads=True,
    again=True,
    reports=("excluded",),
)
def look(c: RunInputs) -> Command:
    """Report the age of the volume backup, and the dumps. The rows written since then cannot be listed in advance."""
    given = {"target": c.target, "volume_backup": c.railway.volume_backup}
    return Tool("volume-glance", given | ({"safety": dumped(c)} if dumped(c) else {}))


@railway_restore.step(
    "Freeze production",
    gates=(is_alone, nothing_staged, no_writers),
    meanwhile=FROZEN,
    when=lambda c: c.freezes,
    only=IF_FREEZES,
    **FREEZES,
)
def freeze(c: RunInputs) -> Command:
    """Make every new session read-only, and end the present sessions.

    No session can write a row that the safety backup does not contain. Railway stops the service for the restore
    anyway."""
    return freeze_now(c)


railway_restore.include(
    backup,
    inputs=last,
    when=lambda c: not c.railway.no_safety,
    prefix="safety-",
    label="Safety backup: ",
    only=WITH_DUMP,
)


@railway_restore.step("Record the present volume", reads=True, again=True)
def note(c: RunInputs) -> Command:
    """Record the volume and the server, to prove the restore afterwards.

    After the restore, the same database must answer from another volume, or from a server in an earlier state."""
    return Tool("note-volume", {"target": c.target, "volume_backup": c.railway.volume_backup, "report": report(c)})


@railway_restore.step(
    "Restore the volume backup on Railway",
    changes="production: its volume",
    takes=Time.RAILWAY,
    gates=(is_alone, has_backup, nothing_staged),
    proof=is_restored,
    final='The volume was replaced. Restore the safety backup: `inv rollback "--backup=${RUN}_safety"`, with RUN as '
    "the id of this run.",
    untouched=not_asked,
    again=True,
    confirm=True,
    doubted=lambda facts: True,
    data="Railway's volume backup is live, and replaced everything written since",
    on_failure=ways_on,
    ends=FROZEN,
)
def restore(c: RunInputs) -> Command:
    """Run `railway postgres pitr backup restore`, and wait until the database answers.

    Railway copies the backup into a new volume, stages the volume exchange, applies all staged changes of the
    environment, and deploys. The command is run only once. A large volume can take half an hour or longer."""
    return Tool("volume-restore", meant(c) | _noted(c))


@railway_restore.step("Compare production with the dumps", takes=Time.DATABASE, reads=True, again=True)
def account(c: RunInputs) -> list[Command]:
    """Compare the rows of each table with the nearest dump and with the safety backup, and report the differences."""
    after = f"{c.run_folder}/live.jsonl"
    given = {"target": c.target, "report": report(c), "after": after}
    return [
        take_fingerprint(c, c.target, output=after),
        Tool("volume-account", given | ({"safety": dumped(c)} if dumped(c) else {})),
    ]


@railway_restore.step(
    "Let production take writes again",
    when=lambda c: not c.frozen,
    only="Not if production was frozen before the run.",
    **UNFREEZES,
)
def unfreeze(c: RunInputs) -> Command:
    """Let production take writes again, even if this run did not freeze it.

    Railway's backup may come from a time at which production was frozen."""
    return unfreeze_now(c)


railway_restore.include(
    in_store,
    inputs=kept_last,
    when=lambda c: not c.railway.no_safety,
    prefix="safety-",
    label="Safety backup: ",
    only=WITH_DUMP,
)
