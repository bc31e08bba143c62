"""Define backup-pgbackrest, drill-pgbackrest and unpack: pgBackRest's backups, each proved by a restore."""

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
    """Return whether `inv drill` means a backup of pgBackRest: by its id, or the newest one of this engine."""
    return backup_id.endswith(PHYSICAL) or (engine == "pgbackrest" and backup_id in NEWEST)


backup_pgbackrest = Procedure(
    "backup-pgbackrest",
    "Back production up with pgBackRest",
    """`inv backup` runs this procedure if the inventory has `engine: pgbackrest`. Use it for databases whose dump takes
    too long. pgBackRest backs up the complete server, with the tool's id as annotation. Then the backup is restored
    aside, on the database's machine, and every table of the restored copy is read. The store receives the fingerprint
    and the manifest; the data stay in pgBackRest's repository. The run proves that every table can be read, and that
    schema and applied migrations are production's. It does not prove that the rows equal production's rows: pgBackRest
    and the fingerprint share no snapshot.""",
    """Production was only read, except for a switch to a new WAL segment. The restored copy carries the run's mark:
    `inv resume` continues or repeats the restore, `inv undo` removes the copy. A finished backup of pgBackRest stays
    in its repository and is not made twice.""",
    exclusive=False,
    task="inv backup",
    afterwards=lambda c: f"inv unpack --backup={c.backup}   makes a dump of the backup, for a rollback or a salvage",
    needs=(Need.PRODUCTION, Need.STANZA, Need.NEW_BACKUP),
    instead_of="backup",
    meant=lambda engine, _: engine == "pgbackrest",
)

drill_pgbackrest = Procedure(
    "drill-pgbackrest",
    "Prove that a backup of pgBackRest can be restored",
    """`inv drill` runs this procedure with a backup of pgBackRest. It restores the backup aside, on the database's
    machine, proves by fingerprint that the backup is unchanged, reports the time, and removes the restored copy.
    Production is not queried, so the drill also works while production is down.""",
    """If the proof fails, the backup has changed since it was taken: `inv backups` lists the proved backups, `inv
    backup` takes a new one. Nothing else was changed. `inv undo` removes the restored copy.""",
    exclusive=False,
    task="inv drill --backup=latest",
    needs=(Need.STANZA_BACKUP,),
    restores=True,
    instead_of="drill",
    meant=_drills_stanza,
)

unpack = Procedure(
    "unpack",
    "Make a dump of a backup of pgBackRest",
    """Makes a dump of a backup of pgBackRest, which `inv rollback`, `inv salvage` and `inv drill` accept. Restores the
    newest backup, or the backup that `--backup=ID` names, aside on the database's machine, proves that the backup is
    unchanged, and dumps the restored database. `inv backups` lists the backups. Production is not queried, so the
    command also works while production is down.""",
    """The restored copy carries the run's mark: `inv resume` repeats the restore, `inv undo` removes the copy. An
    unfinished dump has a name that ends in `.partial`, and no command uses it.""",
    exclusive=False,
    task="inv unpack --backup=latest",
    afterwards=lambda c: f"inv rollback --target={c.target} --backup={c.unpacked}",
    effects=(Effect.UNPACKS,),
    needs=(Need.BACKUP_TO_UNPACK,),
    restores=True,
)


def stanza(c: RunInputs) -> PgBackRestInputs:
    """Return the stanza, which these procedures always have."""
    if c.pgbackrest is None:
        raise ValueError("no stanza")
    return c.pgbackrest


def at(c: RunInputs) -> dict[str, str]:
    """Return the options that every action gets: the planned place."""
    return {"target": c.target, "stanza": stanza(c).stanza, "folder": stanza(c).folder}


def restored(c: RunInputs) -> str:
    """Return the path of the fingerprint of the restored server."""
    return f"{c.run_folder}/restored.jsonl"


@check("pgBackRest's stanza has no error, and belongs to the planned server", "inv plan")
def stanza_is_well(c: RunInputs) -> Command:
    """Refuse the stanza of another server, whose backup would be proved in production's name."""
    return Tool("check-stanza", {**at(c), "system": c.system})


@check("The folder has disk space for the restored copy, and no files of another program", "inv plan")
def aside_is_free(c: RunInputs) -> Command:
    """Prevent a full disk, and do not replace files of another program."""
    return Tool("check-aside", {**at(c), "backup_id": c.backup})


@check("pgBackRest lists the backup without errors", "inv resume")
def is_listed(c: RunInputs) -> Command:
    """Ask pgBackRest for the backup: an exit code is no proof."""
    return Tool("check-listed", {**at(c), "backup_id": c.backup})


def read_whole(c: RunInputs) -> list[Command]:
    """Return the commands that read every table of the restored server."""
    given = {"system": c.system, "database": c.database}
    return [
        Query("check_identity.sql", c.on_aside, parameters=given),
        Query("fingerprint.sql", c.on_aside, output=restored(c)),
    ]


@check("Every restored table can be read, and schema and migrations are production's", "inv resume")
def reads_whole(c: RunInputs) -> list[Command]:
    """Prove that the backup can be restored."""
    return [*read_whole(c), Tool("same-schema", {"target": c.target, "found": restored(c)})]


@check("The restored copy equals the fingerprint of the backup: every table, every sequence", "inv backups")
def equals_backup(c: RunInputs) -> list[Command]:
    """Detect damage to pgBackRest's repository since the backup."""
    return [*read_whole(c), Tool("same-fingerprint", {"before": c.fingerprint, "after": restored(c)})]


@check("The restored server is a copy of the planned server", "inv undo, then repeat the command")
def is_aside(c: RunInputs) -> Command:
    """Compare the system identifier, which a restored server inherits."""
    return Query("check_identity.sql", c.on_aside, parameters={"system": c.system, "database": c.database})


@check("The restored copy does not exist", "inv resume")
def aside_is_gone(c: RunInputs) -> Command:
    """Detect a restored copy that was not removed and uses disk space."""
    return Tool("check-aside-gone", {**at(c), "run": c.run})


def clear_aside(c: RunInputs) -> Command:
    """Stop the restored server and remove its folder, both identified by this run's mark."""
    return Tool("clear-aside", {**at(c), "run": c.run})


def restore_aside(c: RunInputs) -> Command:
    """Return the command that restores the backup aside."""
    return Tool("restore-aside", {**at(c), "run": c.run, "backup_id": c.backup})


@backup_pgbackrest.step(
    "Make a backup with pgBackRest",
    changes="pgBackRest: a new backup",
    takes=Time.DATABASE,
    gates=(is_production, stanza_is_well, aside_is_free),
    proof=is_listed,
    stays="The backup stays in pgBackRest's repository and expires by pgBackRest's rules. Production was only read.",
    again=True,
)
def make(c: RunInputs) -> list[Command]:
    """Wait for a backup that is already running, check that archiving works, and make one backup with the tool's id."""
    return [
        Tool("await-stanza", {**at(c), "backup_id": c.backup}),
        Shell(words(stanza(c), "check"), c.target, host=c.host),
        Shell(backup_words(stanza(c), c.backup), c.target, host=c.host),
        Tool("check-listed", {**at(c), "backup_id": c.backup}),
    ]


@backup_pgbackrest.step(
    "Restore the backup aside and read every table",
    changes="the database's machine: a folder with a separate server",
    takes=Time.DATABASE,
    does=(StepEffect.RESTORES,),
    gates=(is_production, aside_is_free),
    proof=reads_whole,
    undo=clear_aside,
    again=True,
)
def restore(c: RunInputs) -> Command:
    """Restore the backup into a folder on the database's machine, up to its first consistent state.

    A server starts there. It listens only on a socket in that folder, archives nothing, and runs no jobs and no
    background workers."""
    return restore_aside(c)


@backup_pgbackrest.step(
    "Write the manifest",
    changes="the store: the manifest of the backup",
    reports=("excluded",),
    proof=backup_is_whole,
    stays="A finished backup stays in the store. Retention removes it after pgBackRest has expired its backup.",
    again=True,
)
def seal(c: RunInputs) -> Command:
    """Write the fingerprint, pgBackRest's label, the versions and the applied migrations into the store.

    The data stay in pgBackRest's repository."""
    return Tool("seal-physical", {**at(c), "run": c.run, "backup_id": c.backup, "found": restored(c)})


CLEARED = {
    "changes": "the database's machine: the folder is removed",
    "proof": aside_is_gone,
    "stays": "The copy came from the backup, and the backup stays.",
    "again": True,
}


@backup_pgbackrest.step("Remove the restored copy", **CLEARED)
def clear(c: RunInputs) -> Command:
    """Remove the folder with this run's mark, and nothing else."""
    return clear_aside(c)


backup_pgbackrest.include(in_store)


@drill_pgbackrest.step(
    "Restore the backup aside and prove it",
    changes="the database's machine: a folder with a separate server",
    takes=Time.DATABASE,
    does=(StepEffect.RESTORES, StepEffect.DRILLS),
    reports=("excluded",),
    gates=(backup_is_whole, aside_is_free),
    proof=equals_backup,
    undo=clear_aside,
    again=True,
    on_failure=lambda _: "inv backups   lists the proved backups; inv backup   takes a new one",
)
def prove(c: RunInputs) -> Command:
    """Restore the backup into a folder on the database's machine, up to its first consistent state.

    The journal of the run records the time of the restore and the proof; `inv backups` shows both."""
    return restore_aside(c)


@drill_pgbackrest.step("Remove the restored copy", **CLEARED)
def remove(c: RunInputs) -> Command:
    """Remove the folder with this run's mark, and nothing else."""
    return clear_aside(c)


def as_dump(c: RunInputs) -> RunInputs:
    """Return the inputs of the new dump."""
    return c.replace(backup=c.unpacked)


@check("pg_dump finished, and the dump can be read", "inv resume")
def unpacked_reads(c: RunInputs) -> list[Command]:
    """Detect a dump that pg_dump left unfinished, which can still be listed."""
    return list(commands(dump_reads.act, as_dump(c)))


@check("Every file of the dump has the sha256 that the manifest names", "inv resume")
def dump_is_whole(c: RunInputs) -> list[Command]:
    """Refuse to use a backup without a manifest or with a changed file."""
    return list(commands(backup_is_whole.act, as_dump(c)))


@unpack.step(
    "Restore the backup aside and prove it",
    changes="the database's machine: a folder with a separate server",
    takes=Time.DATABASE,
    does=(StepEffect.RESTORES,),
    reports=("excluded",),
    gates=(backup_is_whole, aside_is_free),
    proof=equals_backup,
    undo=clear_aside,
    again=True,
)
def open_aside(c: RunInputs) -> Command:
    """Restore the backup into a folder on the database's machine, up to its first consistent state."""
    return restore_aside(c)


@unpack.step(
    "Dump the restored database and take its fingerprint",
    changes="the store: a new folder, without a manifest yet",
    takes=Time.DATABASE,
    gates=(is_aside,),
    proof=unpacked_reads,
    stays="An unfinished dump has a name that ends in `.partial`, and no command uses it.",
    again=True,
    on_failure=lambda c: f"inv undo --run={c.run}   and then   inv unpack --backup={c.backup}",
)
def dump(c: RunInputs) -> list[Command]:
    """Dump the restored database as production would be dumped, so that every command accepts the backup."""
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
    "Write the manifest of the dump",
    changes="the store: the manifest of the dump",
    takes=Time.DATABASE,
    proof=dump_is_whole,
    stays="A finished backup stays in the store. Only retention removes backups.",
    again=True,
)
def seal_dump(c: RunInputs) -> Command:
    """Write the manifest with the time, migrations and commit of pgBackRest's backup, and the id of that backup."""
    return Tool("seal-unpacked", {"target": c.target, "backup_id": c.unpacked, "source": c.backup, "run": c.run})


@unpack.step("Remove the restored copy", **CLEARED)
def close_aside(c: RunInputs) -> Command:
    """Remove the folder with this run's mark, and nothing else."""
    return clear_aside(c)


unpack.include(in_store, inputs=as_dump)
