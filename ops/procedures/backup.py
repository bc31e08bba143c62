"""backup: one consistent dump with its fingerprint, proved readable."""

from __future__ import annotations

from ops.engine.command import Command, Query, Shell, Tool, joined
from ops.engine.effects import Effect, StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check
from ops.infra.stores.encryption import DUMP
from ops.procedures.checks import backup_is_whole, is_production

# Opens the first word with the identity that the second one names, and gives it to the rest.
OPENED = 'f="$1" i="$2"; shift 2; "$OPS_PYTHON" -m ops.infra.stores.encryption open "$i" < "$f" | "$@"'

backup = Procedure(
    "backup",
    "Back up production",
    """Takes one consistent dump of production together with a fingerprint of every table, both from the same snapshot,
    and proves that the dump can be read. Run it before anything that changes production, and whenever in doubt: it
    only reads, and the application goes on working meanwhile.""",
    """A backup that failed is not a backup: what is half-written ends in `.partial` and is never offered for a
    restore. Production was only read. `inv resume` takes it up again.""",
    exclusive=False,
    effects=(Effect.MINOR,),
    needs=(Need.PRODUCTION, Need.NEW_BACKUP),
)


def made(c: RunInputs) -> RunInputs:
    """The inputs of whoever restores a backup that this run makes."""
    return c.replace(encryption={"sealed": bool(c.encryption.recipients)})


def safety(c: RunInputs) -> RunInputs:
    """The inputs of the safety backup."""
    return c.whole(f"{c.run}_safety")


def kept_safety(c: RunInputs) -> RunInputs:
    """The same when it goes into the store."""
    return safety(c).replace(remote=c.remote)


def encrypted(c: RunInputs) -> dict[str, str]:
    """What tells the dump to whom it is encrypted; nothing where it is not."""
    return {"recipients": " ".join(c.encryption.recipients)} if c.encryption.recipients else {}


def elsewhere(c: RunInputs) -> dict[str, str]:
    """What tells the dump that pg_dump is to run beside the database; nothing where it runs here."""
    return {"over": joined(c.dump.over), "port": c.dump.port} if c.dump.over else {}


def dumped(c: RunInputs) -> dict[str, str]:
    """What tells the dump how it is to be made."""
    given = {"jobs": str(c.jobs), "compress": c.dump.compress} | encrypted(c) | excluding(c) | elsewhere(c)
    return given | ({"rate": str(c.dump.rate)} if c.dump.rate else {})


@check("There is room for it where the backups are, and no foreign key leads to what stays out", "inv doctor")
def can_be_made(c: RunInputs) -> Command:
    """A disk that fills up in the middle leaves half a backup, and stands in the way of whatever else writes there. And
    a restore would stop at a key that leads to a table whose rows the inventory's `dump` excludes."""
    return Tool("check-room", {"target": c.target, "backup_id": c.backup, **excluding(c)})


def excluding(c: RunInputs) -> dict[str, str]:
    """The option of a tool that has to know whose rows stay out."""
    return {"exclude": " ".join(c.dump.exclude)} if c.dump.exclude else {}


def listed(c: RunInputs) -> list[Command]:
    """What reads the dump's table of contents. Of a dump that came as a stream it was read where it was made, by the
    pg_restore of that place: the one here may be older, and what arrived is held against what was sent."""
    if c.dump.over:
        return [Tool("check-streamed", {"target": c.target, "backup_id": c.backup})]
    words = from_dump(made(c), "pg_restore", "--list", folder=c.partial)
    can = c.encryption.identity or not c.encryption.recipients
    return [Shell(words, c.target, output=f"{c.partial}/list.txt")] if can else []


@check("pg_dump came to its end, and the dump can be read", "inv resume")
def dump_reads(c: RunInputs) -> list[Command]:
    """pg_dump can end early, and what it leaves may still be listed: `dumped` is written when it came to its end."""
    return [
        Shell(("test", "-f", f"{c.partial}/dumped"), c.target),
        *listed(c),
        Shell(("grep", "-q", '"complete" : true', f"{c.partial}/fingerprint.jsonl"), c.target),
    ]


def jobs(c: RunInputs) -> tuple[str, ...]:
    """How many at once restore; what comes as one stream can't be read at several places."""
    return () if c.encryption.sealed else (f"--jobs={c.jobs}",)


def from_dump(c: RunInputs, *words: str, folder: str = "") -> tuple[str, ...]:
    """The words that give the backup's dump to a program: its path, or where it is encrypted what is opened on the way.

    Args:
        folder: where the backup is; its own place unless told otherwise.
    """
    place = folder or c.backup_folder
    if not c.encryption.sealed:
        return (*words, f"{place}/dump")
    return ("sh", "-c", OPENED, "open", f"{place}/{DUMP}", c.encryption.identity, *words)


@backup.step(
    "Dump on one snapshot, with its fingerprint",
    changes="the store: a new folder, without a manifest yet",
    does=(StepEffect.DUMPS,),
    takes=Time.DATABASE,
    gates=(is_production, can_be_made),
    proof=dump_reads,
    stays="A half-written dump ends in `.partial`; nothing takes it for a backup, and production was only read.",
    again=True,
)
def dump(c: RunInputs) -> list[Command]:
    """Exports a snapshot, dumps it in parallel and takes the fingerprint of every table from that same snapshot
    meanwhile, so that a restored copy can be compared with it to the last bit. Of what the inventory's `dump` excludes
    no rows are dumped, and which tables those are stands in the manifest. With `pg_dump: container` or `host` there
    pg_dump runs beside the database and streams here; how many bytes it sent, and their sha256, are compared."""
    given = {"service": c.target, "folder": c.partial} | dumped(c)
    return [
        Shell(("rm", "-rf", c.partial), c.target),
        Shell(("install", "-d", "-m", "700", c.folder, f"{c.folder}/backups", c.partial), c.target),
        Query("dump.sql", c.target, parameters=given | encrypted(c) | elsewhere(c)),
    ]


@backup.step(
    "Seal it with its manifest",
    changes="the store: the backup gets its manifest",
    does=(StepEffect.DUMPS, StepEffect.SEALS),
    takes=Time.DATABASE,
    reports=("excluded",),
    proof=backup_is_whole,
    stays="A finished backup harms nobody and stays; old ones are removed by retention only.",
    again=True,
)
def seal(c: RunInputs) -> Command:
    """Writes the sha256 of every file, the versions, the applied migrations and the application's commit into the
    manifest, last of all, and gives the folder its name."""
    return Tool("seal", {"target": c.target, "backup_id": c.backup, "run": c.run})


@check("Every file of the backup is in the store, the manifest last", "inv resume")
def is_stored(c: RunInputs) -> Command:
    """What was sent only in part is no backup."""
    return Tool("check-stored", {"target": c.target, "backup_id": c.backup})


in_store = Procedure("backup", "Put a backup into the store", "Part of every backup.", "")


@in_store.step(
    "Put it into the store",
    changes="the remote store: the backup's files",
    takes=Time.DATABASE,
    proof=is_stored,
    stays="A finished backup harms nobody and stays; old ones are removed by retention only.",
    again=True,
    when=lambda c: bool(c.remote),
    only="Only with a remote store.",
)
def store(c: RunInputs) -> Command:
    """Sends its files, several at once, and its manifest last. What is
    there already is not sent again. The copy here stays, for a quick way back."""
    return Tool("store-backup", {"target": c.target, "backup_id": c.backup})


backup.include(in_store)


@check("Railway lists its own backup, where its plan has any", "inv resume")
def railway_lists_it(c: RunInputs) -> Command:
    """What the CLI says when it is asked for one is no proof."""
    return Tool("check-railway-backup", {"target": c.target, "name": c.backup})


@backup.step(
    "Ask Railway for a backup of its own, too",
    changes="Railway: one more backup of the volume",
    takes=Time.RAILWAY,
    proof=railway_lists_it,
    stays="One more of Railway's own backups; Railway removes it in its own time.",
    again=True,
    when=lambda c: c.railway.backups,
    only="Only where the inventory has `railway: {backups: true}`.",
)
def railway(c: RunInputs) -> Command:
    """A second net, of the whole volume, on the same platform: deleting the volume deletes it. To restore it takes the
    service down and replaces all that was written since, in place; the dump is restored beside what is live, so take
    that first."""
    return Tool("railway-backup", {"target": c.target, "name": c.backup})
