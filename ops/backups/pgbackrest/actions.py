"""Define the actions of pgBackRest's backups: make one, restore it aside, write its manifest."""

from __future__ import annotations

import json
import shutil
import time
from datetime import UTC, datetime

from ops.application.probe import applied, commit_of, identity
from ops.backups.pgbackrest.pgbackrest_cli import Kept, Stanza
from ops.backups.pgbackrest.scratch_restore import Aside
from ops.backups.pgbackrest.stanza import OnStanza
from ops.core.errors import StepFailed, Unreachable
from ops.core.files import make_folder
from ops.core.text import megabytes
from ops.engine.registry import tool
from ops.infra.session.server import schema_digest
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.stores import manifest as backup
from ops.verdict import fingerprint

# Seconds between two checks of a running backup.
PAUSE = 2


def on_stanza(session: Session, target: str, stanza: str, folder: str) -> OnStanza:
    """Return the target's stanza; refuse another stanza than the planned one."""
    found = OnStanza(session, target)
    found.still(stanza, folder)
    return found


@tool
def check_stanza(session: Session, *, target: str, stanza: str, folder: str, system: str) -> str:
    """Refuse a stanza that is not ready for a backup of this server."""
    found = on_stanza(session, target, stanza, folder).must_be_well(system)
    return f"stanza {found.name}: {found.message}, {len(found.backups)} backups"


@tool
def check_aside(session: Session, *, target: str, stanza: str, folder: str, backup_id: str) -> str:
    """Refuse a restore without disk space, or into a folder of somebody else."""
    on = on_stanza(session, target, stanza, folder)
    live, size = live_server(session, target)
    return Aside(on).check(_needed(on, backup_id, size), live)


def _needed(on: OnStanza, backup_id: str, size: int) -> int:
    """Return the cluster's size in bytes, from the backup, or else from the newest backup and the server."""
    found = on.info()
    one = found.named(backup_id)
    return one.size if one else max([size, *(kept.size for kept in found.backups[-1:])])


def live_server(session: Session, target: str) -> tuple[list[str], int]:
    """Return the folders of the live server that its role may read, and the bytes of its databases.

    Both are empty if the server is down."""
    import psycopg

    folders: list[str] = []
    size = 0
    try:
        with session.connect(target) as connection:
            for query in (
                "SHOW data_directory",
                "SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE pg_tablespace_location(oid) <> ''",
            ):
                try:
                    folders += [str(row[0]) for row in connection.execute(query)]
                except psycopg.errors.InsufficientPrivilege:
                    continue
            words = "SELECT sum(pg_database_size(oid)) FROM pg_database WHERE has_database_privilege(oid, 'CONNECT')"
            size = int((connection.execute(words).fetchone() or (0,))[0] or 0)
    except (Unreachable, psycopg.Error):
        pass
    return folders, size


@tool
def await_stanza(session: Session, *, target: str, stanza: str, folder: str, backup_id: str) -> str:
    """Wait until the stanza has no running backup; refuse if this backup was made in between or has errors."""
    found = _idle(on_stanza(session, target, stanza, folder))
    if broken := [one.label for one in found.backups if one.backup == backup_id and one.broken]:
        said = f"pgBackRest found errors in {broken[-1]}, made for {backup_id}: the server's files are damaged"
        raise StepFailed(f"{target}: {said}", f"pgbackrest --stanza={found.name} --set={broken[-1]} info")
    if one := found.named(backup_id):
        # Not an answer of the step: the next resume asks whether the step is done, and it is.
        raise Unreachable(f"{target}: pgBackRest has meanwhile made {one.label} for {backup_id}", "inv resume")
    return "no backup is running"


def _idle(on: OnStanza) -> Stanza:
    """Wait until pgBackRest makes no backup, and return its report."""
    while (found := on.info()).busy:
        time.sleep(PAUSE)
    return found


@tool
def check_listed(session: Session, *, target: str, stanza: str, folder: str, backup_id: str) -> str:
    """Check that pgBackRest lists a backup with our id and without errors; wait for a running backup.

    A killed run can leave pgBackRest running."""
    on = on_stanza(session, target, stanza, folder)
    _idle(on)
    one = on.must_have(backup_id)
    return f"{one.label}: {megabytes(one.size)}, {megabytes(one.repository)} added to its repository"


@tool
def restore_aside(session: Session, *, target: str, stanza: str, folder: str, run: str, backup_id: str) -> str:
    """Restore a backup of pgBackRest into the folder aside, and start a server there."""
    on = on_stanza(session, target, stanza, folder)
    return Aside(on).restore(on.must_have(backup_id, _label(session, target, backup_id)), run, backup_id)


def _label(session: Session, target: str, backup_id: str) -> str:
    """Return the label in the manifest; empty without a manifest."""
    place = backup.folder_of(target_folder(session, target), backup_id)
    return backup.read_manifest(place).label if place.exists() else ""


@tool
def clear_aside(session: Session, *, target: str, stanza: str, folder: str, run: str) -> str:
    """Stop the restored server and remove its folder, if both belong to this run."""
    place = Aside(on_stanza(session, target, stanza, folder))
    place.must_be_ours()
    if not place.of(run):
        return f"{place.folder} belongs to another run now, and stays"
    place.hold()
    return place.clear()


@tool
def check_aside_gone(session: Session, *, target: str, stanza: str, folder: str, run: str) -> str:
    """Check that nothing of a run is left in the folder aside."""
    place = Aside(on_stanza(session, target, stanza, folder))
    if not place.is_gone() and place.of(run):
        raise StepFailed(f"{target}: {place.folder} still exists", "inv resume")
    return f"{place.folder} holds nothing of run {run}"


@tool
def same_schema(session: Session, *, target: str, found: str) -> str:
    """Compare schema and applied migrations of the restored copy with production's."""
    there = fingerprint.read(session.inventory.path(found))
    if set(there.migrations) != set(applied(session, target)):
        raise StepFailed(f"{target}: production has other migrations now than the restored copy", "inv backup")
    if there.schema != schema_digest(session, target):
        raise StepFailed(f"{target}: production has another schema now than the restored copy", "inv backup")
    said = f"{there.rows:,} rows in {len(there.tables)} tables were read; schema and migrations are production's"
    return "; ".join([said, *there.said_left_out()])


@tool
def seal_physical(
    session: Session, *, target: str, stanza: str, folder: str, run: str, backup_id: str, found: str
) -> str:
    """Write the manifest of a backup of pgBackRest: fingerprint and label. The data stay in its repository."""
    final = backup.folder_of(target_folder(session, target), backup_id)
    partial = final.with_name(f"{backup_id}.partial")
    if final.exists():
        return f"{backup_id} already has a manifest"
    one = on_stanza(session, target, stanza, folder).must_have(backup_id)
    make_folder(partial)
    shutil.copyfile(session.inventory.path(found), partial / "fingerprint.jsonl")
    there = fingerprint.read(partial / "fingerprint.jsonl")
    facts = {
        "backup": backup_id,
        "target": target,
        "database": session.database(target),
        "taken_at": one.ended,
        "server": there.server,
        "client": "",
        "system": identity(session, target)["system"],
        "schema_digest": there.schema,
        "migrations": there.migrations,
        "commit": commit_of(session, target),
        "run": run,
        "rows": {table.name: table.rows for table in there.tables.values()},
    }
    backup.seal(partial, final, facts | _engine(stanza or OnStanza(session, target).key.stanza, one))
    held = f"{megabytes(one.repository)} added to pgBackRest's repository"
    return f"{backup_id}: {one.label}, {there.rows:,} rows in {len(there.tables)} tables, {held}"


def _engine(stanza: str, one: Kept) -> dict[str, object]:
    held = {"held": one.repository, "cluster": one.size}
    return {"engine": "pgbackrest", "stanza": stanza, "label": one.label, **held}


@tool
def seal_unpacked(session: Session, *, target: str, backup_id: str, source: str, run: str) -> str:
    """Write the manifest of a dump that was made of a backup of pgBackRest."""
    folder = target_folder(session, target)
    final = backup.folder_of(folder, backup_id)
    partial = final.with_name(f"{backup_id}.partial")
    if final.exists() and not partial.exists():
        return f"{backup_id} already has a manifest"
    of = backup.read_manifest(backup.folder_of(folder, source))
    there = fingerprint.read(partial / "fingerprint.jsonl")
    kept = json.loads(of.model_dump_json(include={"target", "database", "taken_at", "system", "commit"}))
    made = {
        "backup": backup_id,
        "server": there.server,
        "client": str(session.commands.tools.major if session.commands.tools else ""),
        "schema_digest": there.schema,
        "migrations": there.migrations,
        "run": run,
        "rows": {table.name: table.rows for table in there.tables.values()},
        "unpacked_of": source,
    }
    manifest = backup.seal(partial, final, kept | made)
    ago = datetime.now(UTC) - of.taken_at
    said = f"{backup_id}: {there.rows:,} rows in {len(there.tables)} tables, {megabytes(manifest.size)}"
    return f"{said}, as of {ago.total_seconds() / 3600:,.1f} h ago, made of {source} ({of.label})"
