"""Tools of backup, clone and rollback: seal, check and compare what was dumped."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ops import age, backup, fingerprint
from ops.engine.gone import gone
from ops.errors import StepFailed
from ops.files import sha256
from ops.private import whole_id
from ops.probes import commit_of, identity, target_folder
from ops.streamed import Streamed, read_report
from ops.tools.registry import tool
from ops.world import World


@tool
def seal(world: World, *, target: str, backup_id: str, run: str) -> str:
    """Write the manifest of a finished dump: fingerprint, sha256 of every file, versions, migrations, commit."""
    return sealed(world, target, backup_id, run)


def sealed(world: World, target: str, backup_id: str, run: str, delta_of: str = "") -> str:
    """Write the manifest; ``delta_of`` names the backup to which a delta belongs."""
    final = backup.folder_of(target_folder(world, target), backup_id)
    partial = final.with_name(f"{backup_id}.partial")
    if final.exists() and not partial.exists():
        return f"{backup_id} is sealed already"
    found, sent = fingerprint.read(partial / "fingerprint.jsonl"), sent_of(partial)
    who = identity(world, target)
    manifest = backup.seal(
        partial,
        final,
        {
            "backup": backup_id,
            "target": target,
            "database": world.database(target),
            "taken_at": datetime.now(UTC),
            "server": found.server,
            "client": sent.major if sent else str(world.tools.major if world.tools else ""),
            "system": who["system"],
            "schema_digest": found.schema,
            "migrations": found.migrations,
            "commit": commit_of(world, target),
            "run": run,
            "delta_of": delta_of,
            "rows": {t.name: t.rows for t in found.tables.values()},
            "excluded": found.excluded,
            # A delta is a few rows of the database.
            "database_bytes": 0 if delta_of else max(int(who["size"]) - found.excluded_bytes, 0),
        },
    )
    count = found.large_objects[0] if found.large_objects else 0
    large = f", {count:,} large object{'s' * (count != 1)}" if count else ""
    held = len(found.tables) - len(found.excluded)
    said = f"{backup_id}: {found.rows:,} rows in {held} tables{large}, {manifest.size / 1e6:,.1f} MB"
    there = f"dumped there by {sent.client}" if sent else ""
    more = filter(None, [there, fingerprint.not_backed_up(found.excluded)])
    return "; ".join([said, *more, *found.said_left_out()])


def sent_of(folder: Path) -> Streamed | None:
    """What pg_dump beside the database said at its end; None for a dump that was made here."""
    path = folder / "streamed.json"
    return read_report(path) if path.exists() else None


@tool
def check_streamed(world: World, *, target: str, backup_id: str) -> str:
    """Hold a dump that came as a stream against the bytes and the sha256 that were reckoned where it was made."""
    final = backup.folder_of(target_folder(world, target), backup_id)
    partial = final.with_name(f"{backup_id}.partial")
    sent, plain = sent_of(partial), partial / "dump"
    if sent is None:
        raise StepFailed(f"{target}: {backup_id}: there is no word of where it was dumped", "inv backup")
    if not plain.exists() and (partial / age.DUMP).exists():
        return f"{sent.bytes:,} bytes were dumped by {sent.client}, compared, and encrypted on their way"
    if not plain.exists() or (plain.stat().st_size, sha256(plain)) != (sent.bytes, sent.sha256):
        raise StepFailed(f"{target}: {backup_id}: what lies here is not what {sent.client} sent", "inv backup")
    return f"{sent.bytes:,} bytes, {sent.entries:,} entries are what {sent.client} sent"


@tool
def store_backup(world: World, *, target: str, backup_id: str) -> str:
    """Send a backup to the remote store, the manifest last; what is there already is not sent again."""
    backup.folder_of(target_folder(world, target), backup_id)
    stored = world.stored(target, backup_id)
    if stored is None:
        return f"{backup_id}: the store is this folder"
    return f"{stored.put() / 1e6:,.1f} MB sent to {stored.store.url}"


@tool
def check_stored(world: World, *, target: str, backup_id: str, deep: str = "") -> str:
    """Say whether the remote store has every file of a backup, by its list; ``deep``: by reading all of it."""
    stored = world.stored(target, whole_id(backup_id, "backup's id", "inv backups"))
    if stored is None:
        return check_backup(world, target=target, backup_id=backup_id)
    manifest = stored.check(deep=bool(deep))
    return f"{backup_id}: {len(manifest.files)} files, {manifest.size / 1e6:,.1f} MB are in {stored.store.url}"


@tool
def check_backup(world: World, *, target: str, backup_id: str) -> str:
    """Read every file of a backup and compare its sha256 with the manifest.

    What of it is only in the remote store, or damaged here, is fetched first.
    """
    folder = backup.folder_of(target_folder(world, target), backup_id)
    wrong = backup.damage(folder)
    if wrong and (stored := world.stored(target, backup_id)):
        stored.fetch()
        wrong = backup.damage(folder)
    if wrong:
        raise StepFailed(f"{target}: backup {backup_id} is damaged: {'; '.join(wrong[:3])}", "inv backups")
    if lost := gone(world, backup.read_manifest(folder)):
        raise StepFailed(f"{target}: backup {backup_id}: {lost}", "inv backups")
    keys = world.opener(target) if backup.read_manifest(folder).sealed else []
    if keys and not age.opens(folder / age.DUMP, keys):
        said = f"{target}: the identity at hand does not open backup {backup_id}"
        raise StepFailed(said, "encrypt: {identity: …} in the inventory, the one of those recipients")
    return f"{backup_id}: every file is what was written"


@tool
def same_fingerprint(world: World, *, before: str, after: str) -> str:
    """Compare two fingerprints: every table equal, every sequence as far or further."""
    one, two = (fingerprint.read(world.inventory.path(name)) for name in (before, after))
    if wrong := fingerprint.differences(one, two):
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise StepFailed(f"{after}: not what was dumped: {'; '.join(wrong[:3])}{more}", "inv backup")
    rest = fingerprint.not_backed_up(one.excluded)
    said = f"{one.rows:,} rows in {len(one.tables) - len(one.excluded)} tables are equal"
    return said + (f"; {rest}" if rest else "")
