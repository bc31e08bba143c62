"""Define backup: one consistent dump with its fingerprint, proved readable."""

from __future__ import annotations

from ops.engine.command import Command, Query, Shell, Tool, joined
from ops.engine.effects import Effect, StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check
from ops.infra.stores.encryption import DUMP
from ops.procedures.checks import backup_is_whole, by_several, is_production

# Decrypts the file $1 with the identity $2, and pipes the result to the rest of the words.
OPENED = 'f="$1" i="$2"; shift 2; "$OPS_PYTHON" -m ops.infra.stores.encryption open "$i" < "$f" | "$@"'

backup = Procedure(
    "backup",
    "Back up production",
    """Dumps production and takes a fingerprint of every table in the same snapshot, and proves that the dump can be
    read. Run it before anything that changes production. It only reads production, and the application stays
    available.""",
    """An unfinished backup has a name that ends in `.partial`, and no command restores from it. Production was only
    read. `inv resume` continues the backup.""",
    exclusive=False,
    effects=(Effect.MINOR,),
    needs=(Need.PRODUCTION, Need.NEW_BACKUP),
)


def made(c: RunInputs) -> RunInputs:
    """Return the inputs with which this run restores the backup that the run made."""
    return c.replace(encryption={"sealed": bool(c.encryption.recipients)})


def safety(c: RunInputs) -> RunInputs:
    """Return the inputs of the safety backup."""
    return c.whole(f"{c.run}_safety")


def kept_safety(c: RunInputs) -> RunInputs:
    """Return the inputs with which the safety backup is copied to the remote store."""
    return safety(c).replace(remote=c.remote)


def encrypted(c: RunInputs) -> dict[str, str]:
    """Return the dump's recipients; empty without encryption."""
    return {"recipients": " ".join(c.encryption.recipients)} if c.encryption.recipients else {}


def elsewhere(c: RunInputs) -> dict[str, str]:
    """Return how to run pg_dump beside the database; empty if pg_dump runs on this machine."""
    port = c.dump.standby_port if c.dump.standby else c.dump.port
    return {"over": joined(c.dump.over), "port": port} if c.dump.over else {}


def dumped(c: RunInputs) -> dict[str, str]:
    """Return the parameters of the dump."""
    given = {"jobs": str(c.jobs), "compress": c.dump.compress} | encrypted(c) | excluding(c) | elsewhere(c)
    return given | ({"rate": str(c.dump.rate)} if c.dump.rate else {})


@check("The store has disk space for the backup, and no foreign key refers to excluded rows", "inv doctor")
def can_be_made(c: RunInputs) -> Command:
    """Refuse a dump that would fill the disk, or that could not be restored.

    A disk that fills up leaves an unfinished backup and blocks everything else that writes to the disk. A restore
    stops at a foreign key that refers to a table whose rows the inventory's `dump` excludes."""
    return Tool("check-room", {"target": c.target, "backup_id": c.backup, **excluding(c)})


@check("The standby is production's, and not too far behind production", "inv doctor")
def standby_is_near(c: RunInputs) -> list[Command]:
    """Refuse a standby without production's newest rows, and a server that is not production's standby."""
    given = {"target": c.target, "max_lag": f"{c.dump.max_lag:g}", **excluding(c)}
    return [Tool("check-standby", given)] if c.dump.standby else []


def excluding(c: RunInputs) -> dict[str, str]:
    """Return the action's option that names the tables whose rows are excluded."""
    return {"exclude": " ".join(c.dump.exclude)} if c.dump.exclude else {}


def listed(c: RunInputs) -> list[Command]:
    """Return the commands that read the dump's table of contents.

    For a streamed dump, the pg_restore beside the database has read the table of contents: the one on this machine
    may be older. Compare the received bytes with the sent bytes instead."""
    if c.dump.over:
        return [Tool("check-streamed", {"target": c.target, "backup_id": c.backup})]
    words = from_dump(made(c), "pg_restore", "--list", folder=c.partial)
    can = c.encryption.identity or not c.encryption.recipients
    return [Shell(words, c.target, output=f"{c.partial}/list.txt")] if can else []


@check("pg_dump finished, and the dump can be read", "inv resume")
def dump_reads(c: RunInputs) -> list[Command]:
    """Detect a dump that pg_dump left unfinished, which can still be listed.

    The file `dumped` is written when pg_dump has finished."""
    return [
        Shell(("test", "-f", f"{c.partial}/dumped"), c.target),
        *listed(c),
        Shell(("grep", "-q", '"complete" : true', f"{c.partial}/fingerprint.jsonl"), c.target),
    ]


def jobs(c: RunInputs) -> tuple[str, ...]:
    """Return the number of parallel jobs for pg_restore. An encrypted dump is one stream and allows only one job."""
    return () if c.encryption.sealed else (f"--jobs={c.jobs}",)


def from_dump(c: RunInputs, *words: str, folder: str = "") -> tuple[str, ...]:
    """Return the words that give a program the backup's dump: the path, or the command that decrypts the dump.

    Args:
        folder: the backup's folder; by default its folder in the store.
    """
    place = folder or c.backup_folder
    if not c.encryption.sealed:
        return (*words, f"{place}/dump")
    return ("sh", "-c", OPENED, "open", f"{place}/{DUMP}", c.encryption.identity, *words)


@backup.step(
    "Dump the database and take its fingerprint",
    changes="the store: a new folder, without a manifest yet",
    does=(StepEffect.DUMPS,),
    takes=Time.DATABASE,
    gates=(is_production, can_be_made, standby_is_near),
    proof=dump_reads,
    stays="An unfinished dump has a name that ends in `.partial`, and no command uses it. Production was only read.",
    again=True,
)
def dump(c: RunInputs) -> list[Command]:
    """Export a snapshot, dump the database in parallel, and take the fingerprint of every table in the same snapshot.

    Later a restored copy is compared with the fingerprint. Tables that the inventory's `dump` excludes are dumped
    without rows; the manifest names the tables. A last backup takes the fingerprint first, and the rows of tables that
    are unchanged since the rehearsal's backup come from there. With `pg_dump: container` or `pg_dump: host`, pg_dump
    runs beside the database and streams to this machine; the number of bytes and their sha256 are compared at both
    ends. With `dump: {from: standby}`, production's streaming replica is dumped, except for last and safety backups;
    its replay is paused during the dump, and the manifest has its lag."""
    given = {"service": c.dumped, "folder": c.partial} | dumped(c)
    given |= {"production": c.target} if c.dump.standby else {}
    query = Query("dump.sql", c.dumped, parameters=given | encrypted(c) | elsewhere(c))
    resumed = [Query("replay_resume.sql", c.dumped, "postgres", {"folder": c.partial})] if c.dump.standby else []
    return [
        Shell(("rm", "-rf", c.partial), c.target),
        Shell(("install", "-d", "-m", "700", c.folder, f"{c.folder}/backups", c.partial), c.target),
        by_several(c, query, base=f"{c.folder}/backups/{c.dump.base}") if c.dump.base else query,
        *resumed,
    ]


@backup.step(
    "Write the manifest",
    changes="the store: the manifest of the backup",
    does=(StepEffect.DUMPS, StepEffect.SEALS),
    takes=Time.DATABASE,
    reports=("excluded",),
    proof=backup_is_whole,
    stays="A finished backup stays in the store. Only retention removes backups.",
    again=True,
)
def seal(c: RunInputs) -> Command:
    """Write the manifest: the sha256 of every file, the versions, the applied migrations, the application's commit.

    The manifest is the last file. Then remove `.partial` from the folder's name."""
    base = {"base": c.dump.base} if c.dump.base else {}
    return Tool("seal", {"target": c.target, "backup_id": c.backup, "run": c.run} | base)


@check("Every file of the backup is in the remote store", "inv resume")
def is_stored(c: RunInputs) -> Command:
    """Detect a backup of which a file is missing in the remote store."""
    return Tool("check-stored", {"target": c.target, "backup_id": c.backup})


in_store = Procedure("backup", "Copy a backup to the remote store", "Part of every backup.", "")


@in_store.step(
    "Copy the backup to the remote store",
    changes="the remote store: the backup's files",
    takes=Time.DATABASE,
    proof=is_stored,
    stays="A finished backup stays in the store. Only retention removes backups.",
    again=True,
    when=lambda c: bool(c.remote),
    only="Only with a remote store.",
)
def store(c: RunInputs) -> Command:
    """Send the backup's files in parallel, and the manifest last.

    Files that the remote store already has are not sent again. The local copy stays, so that a rollback needs no
    download."""
    return Tool("store-backup", {"target": c.target, "backup_id": c.backup})


backup.include(in_store)


@check("Railway lists the volume backup, if the Railway plan includes volume backups", "inv resume")
def railway_lists_it(c: RunInputs) -> Command:
    """Ask Railway for the list: the output of the command that makes the backup is no proof."""
    return Tool("check-railway-backup", {"target": c.target, "name": c.backup})


@backup.step(
    "Make a volume backup on Railway",
    changes="Railway: a backup of the volume",
    takes=Time.RAILWAY,
    proof=railway_lists_it,
    stays="The volume backup stays. Railway removes it when it expires.",
    again=True,
    when=lambda c: c.railway.backups,
    only="Only where the inventory has `railway: {backups: true}`.",
)
def railway(c: RunInputs) -> Command:
    """Make a backup of the whole volume on Railway, in addition to the dump.

    Deleting the volume also deletes this backup. To restore it, Railway stops the service and replaces the volume,
    including everything written since. Prefer the dump, which is restored beside the live database."""
    return Tool("railway-backup", {"target": c.target, "name": c.backup})
