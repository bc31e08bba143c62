"""railway-restore: Railway's own backup of the whole volume, in place; a dump is the better way, where there is one."""

from __future__ import annotations

from ops.engine.command import Command, Query, Tool
from ops.engine.effects import Effect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check, commands
from ops.procedures.backup import backup, in_store, kept_safety, safety
from ops.procedures.checks import is_production, same_place
from ops.procedures.freeze import FREEZES, FROZEN, UNFREEZES, freeze_now, no_writers, unfreeze_now

WITH_DUMP = "Not with `--no-safety`."
IF_FREEZES = "Only where production is not frozen yet, and not with `--no-safety`."

railway_restore = Procedure(
    "railway-restore",
    "Restore Railway's own backup, in place",
    """Puts one of Railway's own backups in the place of the database's whole volume. Only on Railway, and only where no
    dump will do: `inv rollback` restores beside production, shows which rows would go, and keeps what was live; this
    takes the service down and replaces all that was written since. What is live is frozen and dumped before, so that
    nothing is lost; with `--no-safety`, for a database that does not answer or can't be dumped, it is not. First of
    all: `inv backups`, which lists Railway's own with their IDs, and then `export VOLUME_BACKUP=ID`.""",
    """Until Railway was asked, production is only frozen, and `inv undo` lets it take writes again. After that nothing
    takes it back but the last dump: `inv rollback "--backup=${RUN}_safety"`, RUN being this run (`inv backups` lists
    it). If the exchange is staged and not applied, apply
    it on Railway's canvas (Deploy), then `inv resume`: it asks for no second restore. The volume that was replaced
    stays on Railway, unmounted, with its own backups; Railway's support can tell for how long.""",
    exclusive=False,
    task="inv railway-restore --backup=$VOLUME_BACKUP",
    afterwards=lambda c: (
        f"inv salvage --backup={c.run}_safety --table=TABLE --target={c.target}   brings back what was written since"
        if not c.railway.no_safety
        else f"inv backup --target={c.target}"
    ),
    effects=(Effect.REPLACES, Effect.SAVES),
    needs=(Need.VOLUME_BACKUP,),
)


def last(c: RunInputs) -> RunInputs:
    """The inputs of the last dump. Railway's own backups of what is replaced go with its volume."""
    return safety(c).replace(railway={"backups": False})


def kept_last(c: RunInputs) -> RunInputs:
    """The same when it goes into the store."""
    return kept_safety(c).replace(railway={"backups": False})


def dumped(c: RunInputs) -> str:
    """The id of the last dump; empty where none is made."""
    return "" if c.railway.no_safety else last(c).backup


def report(c: RunInputs) -> str:
    """Where it is noted what was there before."""
    return f"{c.run_folder}/volume.json"


def meant(c: RunInputs) -> dict[str, str]:
    """Whose volume, and which of its backups."""
    return {"target": c.target, "place": c.railway.database, "volume_backup": c.railway.volume_backup}


def ways_on(c: RunInputs) -> str:
    """What to type where Railway was asked and neither the restore nor the way back is plain."""
    back = f"inv rollback --backup={dumped(c)} --target={c.target}   where it is in place; " if dumped(c) else ""
    return f"{back}inv unfreeze --target={c.target}   where it was given up on Railway"


def _noted(c: RunInputs) -> dict[str, str]:
    return {"target": c.target, "report": report(c), "database": c.database, "system": c.system}


@check("Railway still has that backup of this database's volume", "inv backups", once=True)
def has_backup(c: RunInputs) -> list[Command]:
    """A name can be given to another service, and a backup expires."""
    return [*same_place(c), Tool("check-volume-backup", meant(c))]


@check("Nothing else is staged in that environment", "Railway: the project's canvas, Details", once=True)
def nothing_staged(c: RunInputs) -> Command:
    """Railway stages the exchange of the volume, and applies with it whatever else waits there."""
    return Tool("check-unstaged", {"target": c.target})


@check("No other run is at work, and the database is the planned one", "inv status", once=True)
def is_alone(c: RunInputs) -> list[Command]:
    """A run lock can't be held here: it is a session of the server that goes down."""
    if c.railway.no_safety:
        return same_place(c)
    alone = Tool("check-alone", {"target": c.target, "database": c.database, "run": c.run})
    return [*commands(is_production.act, c), alone]


@check("The database answers, is the planned one, and is not what was there before", "inv resume")
def is_restored(c: RunInputs) -> Command:
    """The CLI can say that it restored and deployed, and nothing was."""
    return Tool("check-volume-restored", _noted(c))


@check("Railway was not asked for the restore")
def not_asked(c: RunInputs) -> Command:
    """As long as it was not, production is what it was."""
    return Tool("check-volume-untouched", {"target": c.target, "report": report(c)})


@railway_restore.step(
    "Say what goes, and which dump is the better way",
    gates=(has_backup,),
    reads=True,
    again=True,
    reports=("excluded",),
)
def look(c: RunInputs) -> Command:
    """Railway's backup is of the whole volume: which rows were written since can't be known before."""
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
    """Every new session is read-only and the old ones end: nothing can be written any more that the last dump does not
    hold. The service goes down for the restore anyway."""
    return freeze_now(c)


railway_restore.include(
    backup,
    inputs=last,
    when=lambda c: not c.railway.no_safety,
    prefix="safety-",
    label="Safety backup: ",
    only=WITH_DUMP,
)


@railway_restore.step("Note which volume there is", reads=True, again=True)
def note(c: RunInputs) -> Command:
    """What answers afterwards must be another volume, or a server that has gone back, and the same database."""
    return Tool("note-volume", {"target": c.target, "volume_backup": c.railway.volume_backup, "report": report(c)})


@railway_restore.step(
    "Let Railway put its backup in the place of the volume",
    changes="production: its whole volume",
    takes=Time.RAILWAY,
    gates=(is_alone, has_backup, nothing_staged),
    proof=is_restored,
    final='The volume was replaced. The way back is the last dump: `inv rollback "--backup=${RUN}_safety"`, RUN being '
    "this run.",
    untouched=not_asked,
    again=True,
    confirm=True,
    doubted=lambda facts: True,
    data="Railway's backup is live, in place of all that was written since",
    on_failure=ways_on,
    ends=FROZEN,
)
def restore(c: RunInputs) -> Command:
    """`railway postgres pitr backup restore`: copies the backup into a new volume, stages the exchange, applies all
    that is staged in the environment, and deploys. It is asked for once, and waited for until the database answers;
    with a large volume that can take half an hour and more."""
    return Tool("volume-restore", meant(c) | _noted(c))


@railway_restore.step("Account for what is live now", takes=Time.DATABASE, reads=True, again=True)
def account(c: RunInputs) -> list[Command]:
    """Rows per table against our nearest dump, and against the last one: now it can be said what went."""
    after = f"{c.run_folder}/live.jsonl"
    given = {"target": c.target, "report": report(c), "after": after}
    return [
        Query("fingerprint.sql", c.target, output=after),
        Tool("volume-account", given | ({"safety": dumped(c)} if dumped(c) else {})),
    ]


@railway_restore.step(
    "Let production take writes again",
    when=lambda c: not c.frozen,
    only="Not where production was frozen before.",
    **UNFREEZES,
)
def unfreeze(c: RunInputs) -> Command:
    """Also where this run froze nothing: Railway's backup may be of a moment at which production was read-only, and
    would leave it so."""
    return unfreeze_now(c)


railway_restore.include(
    in_store,
    inputs=kept_last,
    when=lambda c: not c.railway.no_safety,
    prefix="safety-",
    label="Safety backup: ",
    only=WITH_DUMP,
)
