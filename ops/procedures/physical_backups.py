"""backup-pgbackrest, drill-pgbackrest, unpack: pgBackRest's backups, each proved by restoring it aside."""

from __future__ import annotations

from ops.backups.pgbackrest.pgbackrest_cli import backup_words, words
from ops.backups.pgbackrest.stanza import NEWEST
from ops.engine.command import Command, Query, Shell, Tool
from ops.engine.effects import Effect, StepEffect
from ops.engine.inputs import PHYSICAL, PgBackRestInputs, RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check, commands
from ops.procedures.backup import dump_reads, encrypted, in_store
from ops.procedures.checks import backup_is_whole, is_production


def _drills_stanza(engine: str, backup_id: str) -> bool:
    """`inv drill` means the newest backup of the inventory's engine, or the one that is named."""
    return backup_id.endswith(PHYSICAL) or (engine == "pgbackrest" and backup_id in NEWEST)


backup_pgbackrest = Procedure(
    "backup-pgbackrest",
    "Back production up with pgBackRest",
    """What `inv backup` does where the inventory has `engine: pgbackrest`: for databases whose dump takes too long.
    pgBackRest backs the whole server up, with our id as its annotation; then that very backup is restored aside, every
    table of it is read, and what was found is kept as a backup of ours: fingerprint and manifest, while the data stay
    with pgBackRest. It proves that every table can be read whole, and that schema and applied migrations are
    production's. It does not prove that the rows equal production's at a moment: there is no snapshot that both
    share.""",
    """Production was only read, but for a switch to a new WAL segment. What was restored aside carries our mark: `inv
    resume` goes on with it or begins it anew, `inv undo` removes it. A backup that pgBackRest made stays with it, and
    is not made twice.""",
    exclusive=False,
    task="inv backup",
    afterwards=lambda c: f"inv unpack --backup={c.backup}   makes a dump of it, for a rollback or a salvage",
    needs=(Need.PRODUCTION, Need.STANZA, Need.NEW_BACKUP),
    instead_of="backup",
    meant=lambda engine, _: engine == "pgbackrest",
)

drill_pgbackrest = Procedure(
    "drill-pgbackrest",
    "Prove that a backup of pgBackRest's can be restored",
    """What `inv drill` does with a backup of pgBackRest's: restores it aside on the database's machine, proves by
    fingerprint that it holds what it held when it was taken, says how long that took, and removes it again. Production
    is not asked for anything, so this works, too, when it is down.""",
    """If the proof fails, this backup is not what it was: `inv backups` says which ones were proved, `inv backup` takes
    a new one. Nothing else was touched; `inv undo` removes what was restored.""",
    exclusive=False,
    task="inv drill --backup=latest",
    needs=(Need.STANZA_BACKUP,),
    restores=True,
    instead_of="drill",
    meant=_drills_stanza,
)

unpack = Procedure(
    "unpack",
    "Make a dump of a backup of pgBackRest's",
    """The way back from pgBackRest: restores one of its backups aside on the database's machine, proves that it holds
    what it held when it was taken, and dumps the database there into a backup of the ordinary kind, so that `inv
    rollback`, `inv salvage` and `inv drill` take it. It is the newest one, unless `--backup=ID` names another: `inv
    backups` lists them. Production is not asked for anything, so this works, too, when it is down.""",
    """What was restored aside carries our mark: `inv resume` begins it anew, `inv undo` removes it. A half-written dump
    ends in `.partial`, and nothing takes it for a backup.""",
    exclusive=False,
    task="inv unpack --backup=latest",
    afterwards=lambda c: f"inv rollback --target={c.target} --backup={c.unpacked}",
    effects=(Effect.UNPACKS,),
    needs=(Need.BACKUP_TO_UNPACK,),
    restores=True,
)


def stanza(c: RunInputs) -> PgBackRestInputs:
    """The stanza; these procedures have one."""
    if c.pgbackrest is None:
        raise ValueError("no stanza")
    return c.pgbackrest


def at(c: RunInputs) -> dict[str, str]:
    """What every tool is told: where, as the run was planned."""
    return {"target": c.target, "stanza": stanza(c).stanza, "folder": stanza(c).folder}


def restored(c: RunInputs) -> str:
    """The fingerprint of what was restored."""
    return f"{c.run_folder}/restored.jsonl"


@check("pgBackRest's stanza is well, and of the planned server", "inv plan")
def stanza_is_well(c: RunInputs) -> Command:
    """A stanza of another server would be backed up, and proved, in production's name."""
    return Tool("check-stanza", {**at(c), "system": c.system})


@check("There is room for it aside, and nothing there is another's", "inv plan")
def aside_is_free(c: RunInputs) -> Command:
    """It would fill the disk, or replace what is not ours."""
    return Tool("check-aside", {**at(c), "backup_id": c.backup})


@check("pgBackRest lists it, without errors", "inv resume")
def is_listed(c: RunInputs) -> Command:
    """An exit code is no proof."""
    return Tool("check-listed", {**at(c), "backup_id": c.backup})


def read_whole(c: RunInputs) -> list[Command]:
    """Reads every table of what was restored."""
    given = {"system": c.system, "database": c.database}
    return [
        Query("check_identity.sql", c.on_aside, parameters=given),
        Query("fingerprint.sql", c.on_aside, output=restored(c)),
    ]


@check("Every table of it can be read whole; schema and migrations are production's", "inv resume")
def reads_whole(c: RunInputs) -> list[Command]:
    """A backup that was never restored is a hope."""
    return [*read_whole(c), Tool("same-schema", {"target": c.target, "found": restored(c)})]


@check("What was restored equals what was read when it was taken: every table, every sequence", "inv backups")
def equals_backup(c: RunInputs) -> list[Command]:
    """What pgBackRest holds can be damaged since."""
    return [*read_whole(c), Tool("same-fingerprint", {"before": c.fingerprint, "after": restored(c)})]


@check("The server that was restored aside is the planned one's copy", "inv undo, and then again")
def is_aside(c: RunInputs) -> Command:
    """It carries the system identifier of the server that it was."""
    return Query("check_identity.sql", c.on_aside, parameters={"system": c.system, "database": c.database})


@check("What was restored aside is gone", "inv resume")
def aside_is_gone(c: RunInputs) -> Command:
    """It would only fill the disk."""
    return Tool("check-aside-gone", {**at(c), "run": c.run})


def clear_aside(c: RunInputs) -> Command:
    """Ends the server aside and removes its folder; both carry this run's mark."""
    return Tool("clear-aside", {**at(c), "run": c.run})


def restore_aside(c: RunInputs) -> Command:
    """What all three do."""
    return Tool("restore-aside", {**at(c), "run": c.run, "backup_id": c.backup})


@backup_pgbackrest.step(
    "Let pgBackRest make a backup",
    changes="pgBackRest: one more backup",
    takes=Time.DATABASE,
    gates=(is_production, stanza_is_well, aside_is_free),
    proof=is_listed,
    stays="pgBackRest keeps it, and expires it by its own rules; production was only read.",
    again=True,
)
def make(c: RunInputs) -> list[Command]:
    """Waits for one that is being made, looks whether archiving works, and makes one that carries our id; never two."""
    return [
        Tool("await-stanza", {**at(c), "backup_id": c.backup}),
        Shell(words(stanza(c), "check"), c.target, host=c.host),
        Shell(backup_words(stanza(c), c.backup), c.target, host=c.host),
        Tool("check-listed", {**at(c), "backup_id": c.backup}),
    ]


@backup_pgbackrest.step(
    "Restore it aside and read every table",
    changes="the database's machine: a folder with a server of its own",
    takes=Time.DATABASE,
    does=(StepEffect.RESTORES,),
    gates=(is_production, aside_is_free),
    proof=reads_whole,
    undo=clear_aside,
    again=True,
)
def restore(c: RunInputs) -> Command:
    """Into a folder of our own on the database's machine, as far as it is consistent. A server starts there that
    listens on a socket in that folder only, archives nothing, and runs no jobs and no workers."""
    return restore_aside(c)


@backup_pgbackrest.step(
    "Seal what was found with a manifest",
    changes="the store: the backup gets its manifest",
    reports=("excluded",),
    proof=backup_is_whole,
    stays="A finished backup harms nobody and stays; retention removes it when pgBackRest has expired its own.",
    again=True,
)
def seal(c: RunInputs) -> Command:
    """The fingerprint, pgBackRest's label, the versions and the applied migrations become a backup of the store; the
    data stay with pgBackRest."""
    return Tool("seal-physical", {**at(c), "run": c.run, "backup_id": c.backup, "found": restored(c)})


CLEARED = {
    "changes": "the database's machine: that folder is removed",
    "proof": aside_is_gone,
    "stays": "It was a copy of the backup, and the backup stays.",
    "again": True,
}


@backup_pgbackrest.step("Remove what was restored aside", **CLEARED)
def clear(c: RunInputs) -> Command:
    """It carries this run's mark; nothing else is removed."""
    return clear_aside(c)


backup_pgbackrest.include(in_store)


@drill_pgbackrest.step(
    "Restore it aside and prove it",
    changes="the database's machine: a folder with a server of its own",
    takes=Time.DATABASE,
    does=(StepEffect.RESTORES, StepEffect.DRILLS),
    reports=("excluded",),
    gates=(backup_is_whole, aside_is_free),
    proof=equals_backup,
    undo=clear_aside,
    again=True,
    on_failure=lambda _: "inv backups   says which backups were proved; inv backup   takes a new one",
)
def prove(c: RunInputs) -> Command:
    """Into a folder of our own, as when it was taken. Its time and its proof stand in the run's journal, and `inv
    backups` shows them."""
    return restore_aside(c)


@drill_pgbackrest.step("Remove what was restored aside", **CLEARED)
def remove(c: RunInputs) -> Command:
    """It carries this run's mark; nothing else is removed."""
    return clear_aside(c)


def as_dump(c: RunInputs) -> RunInputs:
    """The inputs of the dump that is made."""
    return c.replace(backup=c.unpacked)


@check("pg_dump came to its end, and the dump can be read", "inv resume")
def unpacked_reads(c: RunInputs) -> list[Command]:
    """What pg_dump leaves when it ends early may still be listed."""
    return list(commands(dump_reads.act, as_dump(c)))


@check("Every file of the dump has the sha256 of its manifest", "inv resume")
def dump_is_whole(c: RunInputs) -> list[Command]:
    """Without a manifest there is no backup."""
    return list(commands(backup_is_whole.act, as_dump(c)))


@unpack.step(
    "Restore it aside and prove it",
    changes="the database's machine: a folder with a server of its own",
    takes=Time.DATABASE,
    does=(StepEffect.RESTORES,),
    reports=("excluded",),
    gates=(backup_is_whole, aside_is_free),
    proof=equals_backup,
    undo=clear_aside,
    again=True,
)
def open_aside(c: RunInputs) -> Command:
    """Into a folder of our own, as when it was taken."""
    return restore_aside(c)


@unpack.step(
    "Dump it there on one snapshot, with its fingerprint",
    changes="the store: a new folder, without a manifest yet",
    takes=Time.DATABASE,
    gates=(is_aside,),
    proof=unpacked_reads,
    stays="A half-written dump ends in `.partial`; nothing takes it for a backup.",
    again=True,
    on_failure=lambda c: f"inv undo --run={c.run}   and then   inv unpack --backup={c.backup}",
)
def dump(c: RunInputs) -> list[Command]:
    """The same dump as of production: what takes a backup takes this one, too."""
    d = as_dump(c)
    given = {"service": c.on_aside, "folder": d.partial, "jobs": str(c.jobs), "compress": c.dump.compress} | encrypted(
        c
    )
    return [
        Shell(("rm", "-rf", d.partial), c.on_aside),
        Shell(("install", "-d", "-m", "700", d.folder, f"{d.folder}/backups", d.partial), c.on_aside),
        Query("dump.sql", c.on_aside, parameters=given),
    ]


@unpack.step(
    "Seal it with its manifest",
    changes="the store: the dump gets its manifest",
    takes=Time.DATABASE,
    proof=dump_is_whole,
    stays="A finished backup harms nobody and stays; old ones are removed by retention only.",
    again=True,
)
def seal_dump(c: RunInputs) -> Command:
    """Its moment, migrations and commit are those of pgBackRest's backup, and it says of which one it was made."""
    return Tool("seal-unpacked", {"target": c.target, "backup_id": c.unpacked, "source": c.backup, "run": c.run})


@unpack.step("Remove what was restored aside", **CLEARED)
def close_aside(c: RunInputs) -> Command:
    """It carries this run's mark; nothing else is removed."""
    return clear_aside(c)


unpack.include(in_store, inputs=as_dump)
