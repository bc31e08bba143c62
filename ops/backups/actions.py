"""Define the actions of backup, clone and rollback: check disk space and requirements, write manifests, compare."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

from ops.application.probe import commit_of, identity
from ops.backups import disk_space, exclusions, foreign_keys, restored_objects, unchanged_tables
from ops.backups.pgbackrest.presence import gone
from ops.backups.remote_dump import Streamed, read_report
from ops.backups.requirements import SERVER, lacking, needs
from ops.core.errors import Code, OpsError, Refused, StepFailed
from ops.core.files import sha256
from ops.core.permissions import whole_id
from ops.core.text import counted, megabytes
from ops.core.text import listed as few
from ops.engine.registry import tool
from ops.infra.session import replica
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.stores import encryption
from ops.infra.stores import manifest as backup
from ops.verdict import fingerprint


@tool
def seal(session: Session, *, target: str, backup_id: str, run: str, base: str = "") -> str:
    """Write the manifest of a finished dump: fingerprint, sha256 of every file, versions, migrations, commit.

    ``base`` is the backup from which the rows of unchanged tables are taken."""
    return sealed(session, target, backup_id, run, base=base)


def sealed(session: Session, target: str, backup_id: str, run: str, delta_of: str = "", base: str = "") -> str:
    """Write the manifest. ``delta_of`` names the backup to which a delta belongs; ``base`` as in ``seal``."""
    final = backup.folder_of(target_folder(session, target), backup_id)
    partial = final.with_name(f"{backup_id}.partial")
    if final.exists() and not partial.exists():
        return f"{backup_id} already has a manifest"
    found, sent = fingerprint.read(partial / "fingerprint.jsonl"), sent_of(partial)
    who, reused = identity(session, target), _reused(partial, found, base)
    manifest = backup.seal(
        partial,
        final,
        {
            "backup": backup_id,
            "target": target,
            "database": session.database(target),
            "taken_at": datetime.now(UTC),
            "server": found.server,
            "client": sent.major if sent else str(session.commands.tools.major if session.commands.tools else ""),
            "system": who["system"],
            "schema_digest": found.schema,
            "migrations": found.migrations,
            "commit": commit_of(session, target),
            "run": run,
            "delta_of": delta_of,
            "base": base if reused else "",
            "rows": {t.name: t.rows for t in found.tables.values()},
            "excluded": found.excluded,
            "standby": found.standby,
            # A delta holds only a few rows of the database.
            "database_bytes": 0 if delta_of else max(int(who["size"]) - found.excluded_bytes, 0),
        },
    )
    count = found.large_objects[0] if found.large_objects else 0
    large = f", {counted(count, 'large object')}" if count else ""
    held = len(found.tables) - len(found.excluded)
    said = f"{backup_id}: {found.rows:,} rows in {held} tables{large}, {megabytes(manifest.size)}"
    there = f"dumped there by {sent.client}" if sent else ""
    from_standby = found.standby.said if found.standby else ""
    more = filter(None, [reused, there, from_standby, fingerprint.not_backed_up(found.excluded)])
    return "; ".join([said, *more, *found.said_left_out()])


def _reused(folder: Path, found: fingerprint.Fingerprint, base: str) -> str:
    """Return a sentence about the rows that a new backup takes from another one; empty if it takes none."""
    if wrong := unchanged_tables.misplaced(folder, found.tables):
        raise StepFailed(f"{folder}: the rows of {few(wrong)} are missing or there twice", "inv undo")
    return unchanged_tables.reused(folder, base)


def sent_of(folder: Path) -> Streamed | None:
    """Return what pg_dump beside the database reported at its end; None for a dump that was made on this machine."""
    path = folder / "streamed.json"
    return read_report(path) if path.exists() else None


@tool
def check_streamed(session: Session, *, target: str, backup_id: str) -> str:
    """Compare a streamed dump with the bytes and the sha256 that were computed beside the database."""
    final = backup.folder_of(target_folder(session, target), backup_id)
    partial = final.with_name(f"{backup_id}.partial")
    sent, plain = sent_of(partial), partial / "dump"
    if sent is None:
        raise StepFailed(f"{target}: {backup_id}: the report of the streamed dump is missing", "inv backup")
    if not plain.exists() and (partial / encryption.DUMP).exists():
        return f"{sent.bytes:,} bytes were dumped by {sent.client}, compared, and encrypted while they were received"
    if not plain.exists() or (plain.stat().st_size, sha256(plain)) != (sent.bytes, sent.sha256):
        raise StepFailed(f"{target}: {backup_id}: the file differs from what {sent.client} sent", "inv backup")
    return f"{sent.bytes:,} bytes, {sent.entries:,} entries equal what {sent.client} sent"


@tool
def store_backup(session: Session, *, target: str, backup_id: str) -> str:
    """Send a backup to the remote store, the manifest last. Files that the store already has are not sent again."""
    backup.folder_of(target_folder(session, target), backup_id)
    stored = session.stores.stored(target, backup_id)
    if stored is None:
        return f"{backup_id}: the store is this folder"
    return f"{megabytes(stored.put())} sent to {stored.store.url}"


@tool
def check_stored(session: Session, *, target: str, backup_id: str, deep: str = "") -> str:
    """Check that the remote store lists every file of a backup.

    ``deep`` also reads every file and compares its sha256."""
    stored = session.stores.stored(target, whole_id(backup_id, "backup's id", "inv backups"))
    if stored is None:
        return check_backup(session, target=target, backup_id=backup_id)
    manifest = stored.check(deep=bool(deep))
    return f"{backup_id}: {len(manifest.files)} files, {megabytes(manifest.size)} are in {stored.store.url}"


def _others(target: str) -> str:
    anew = f"inv backup --target={target}   backs up production as it is now"
    return f"inv backups --target={target}   lists the others;   {anew}"


@tool
def check_backup(session: Session, *, target: str, backup_id: str) -> str:
    """Read every file of a backup and compare its sha256 with the manifest.

    Files that are missing or damaged on this machine are first fetched from the remote store."""
    folder = backup.folder_of(target_folder(session, target), backup_id)
    wrong = backup.damage(folder)
    if wrong and (stored := session.stores.stored(target, backup_id)):
        stored.fetch()
        wrong = backup.damage(folder)
    if wrong:
        said = f"{target}: backup {backup_id} is damaged: {'; '.join(wrong[:3])}"
        raise StepFailed(said, _others(target), code=Code.BAD_BACKUP)
    if lost := gone(session, backup.read_manifest(folder)):
        raise StepFailed(f"{target}: backup {backup_id}: {lost}", _others(target))
    keys = session.secrets.opener(target) if backup.read_manifest(folder).sealed else []
    if keys and not encryption.opens(folder / encryption.DUMP, keys):
        said = f"{target}: the identity in the inventory does not decrypt backup {backup_id}"
        hint = "encrypt: {identity: …} in the inventory, with the identity of the backup's recipients"
        raise StepFailed(said, hint, code=Code.BAD_BACKUP)
    return f"{backup_id}: every file is unchanged"


@tool
def same_fingerprint(session: Session, *, before: str, after: str, form: str = "", broken: str = "") -> str:
    """Compare two fingerprints: equal tables, sequences that are equal or further, and every object unchanged.

    ``form`` is empty for a complete restore, or ``bare`` for one without owners and grants. ``broken`` is the report
    of ``add-keys``: those foreign keys are NOT VALID or missing."""
    one, two = (fingerprint.read(session.inventory.path(name)) for name in (before, after))
    wrong = fingerprint.differences(one, two)
    keys = foreign_keys.names(session.inventory.path(broken)) if broken else {}
    wrong += restored_objects.missing(one.objects, two.objects, (one.server, two.server), form, keys)
    if wrong:
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        said = f"{after}: differs from the dump: {'; '.join(wrong[:3])}{more}"
        raise StepFailed(said, "inv backup", code=Code.BAD_BACKUP)
    rest = fingerprint.not_backed_up(one.excluded)
    said = f"{one.rows:,} rows in {len(one.tables) - len(one.excluded)} tables are equal"
    said += f", and {len(one.objects):,} objects and their properties are equal" if one.objects else ""
    said += "".join(f"; {line}" for line in restored_objects.left_open(one.objects, two.objects, form, keys))
    return said + (f"; {rest}" if rest else "")


@tool
def check_room(session: Session, *, target: str, backup_id: str, exclude: str = "") -> str:
    """Report the disk space that a backup needs and the free disk space, and the excluded tables.

    The backup is refused if the disk space is not enough, or if a restore would fail without the excluded rows."""
    out = exclusions.look(session, target, exclude.split()) if exclude else None
    found = disk_space.for_backup(session, target, out.bytes if out else 0, backup_id)
    if not found.enough:
        said = f"{target}: not enough disk space for a backup in {found.folder}: {found.said}; nothing was written"
        # The run adds the command to repeat.
        raise Refused(f"{said}; `inv prune-backups --plan` lists backups that can be removed", found.hint)
    return found.said + (f"; {exclusions.said(out)}" if out else "")


@tool
def check_standby(session: Session, *, target: str, max_lag: str, exclude: str = "") -> str:
    """Report how far the standby is behind production.

    A server that is not production's standby is refused, and a lag above the limit."""
    out = exclusions.look(session, target, exclude.split()).tables if exclude else {}
    return f"the standby is {replica.examine(session, target, float(max_lag), out).said}"


@tool
def check_server_room(session: Session, *, target: str, server: str, backup_id: str, like: str = "postgres") -> str:
    """Report the disk space that a restored copy needs on a server; refuse the restore if it is not enough.

    Disk space is checked only if the server's disk can be measured from this machine."""
    need = 0
    with contextlib.suppress(OpsError):
        need = backup.read_manifest(backup.folder_of(target_folder(session, target), backup_id)).database_bytes
    found = disk_space.for_copy(session, server, like, need) if need else None
    if found is None:
        return "the server's disk can't be measured from here" if need else f"the size of {backup_id} is not known"
    if not found.enough:
        said = f"{server}: not enough disk space for a copy in {found.folder}: {found.said}; nothing was written"
        # The run adds the command to repeat.
        raise Refused(f"{said}; `inv status` lists kept databases", "free disk space there")
    return found.said


@tool
def check_restorable(session: Session, *, target: str, backup_id: str) -> str:
    """Refuse a restore for which roles, rights, extensions, tablespaces, encoding or version are missing.

    The error lists everything that is missing."""
    folder = backup.folder_of(target_folder(session, target), backup_id)
    wanted = needs(backup.read_manifest(folder), folder)
    with session.connect(target, "postgres") as connection:
        row = connection.execute(SERVER.encode(), [wanted.encoding or "UTF8"]).fetchone()
    assert row is not None
    if said := lacking(wanted, row[0]):
        what = "; ".join(lacks for lacks, _ in said)
        raise Refused(
            f"{target}: its server can't restore {backup_id}: {what}; nothing was changed",
            "; ".join(way for _, way in said) + "   as an administrator",
        )
    version, roles, extensions = row[0]["number"] // 10000, len(wanted.roles), len(wanted.extensions)
    return f"PostgreSQL {version} has all requirements: {roles} roles, {extensions} extensions, and the rights"
