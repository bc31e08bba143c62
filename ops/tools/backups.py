"""Tools of backup, clone and rollback: seal, check and compare what was dumped."""

from __future__ import annotations

from datetime import UTC, datetime

from ops import backup, fingerprint
from ops.errors import StepFailed
from ops.probes import commit_of, identity, target_folder
from ops.tools.registry import tool
from ops.world import World


@tool
def seal(world: World, *, target: str, backup_id: str, run: str) -> str:
    """Write the manifest of a finished dump: fingerprint, sha256 of every file, versions, migrations, commit."""
    final = backup.folder_of(target_folder(world, target), backup_id)
    partial = final.with_name(f"{backup_id}.partial")
    if final.exists() and not partial.exists():
        return f"{backup_id} is sealed already"
    found = fingerprint.read(partial / "fingerprint.jsonl")
    manifest = backup.seal(
        partial,
        final,
        {
            "backup": backup_id,
            "target": target,
            "database": world.database(target),
            "taken_at": datetime.now(UTC),
            "server": found.server,
            "client": str(world.tools.major if world.tools else ""),
            "system": identity(world, target)["system"],
            "schema_digest": found.schema,
            "migrations": found.migrations,
            "commit": commit_of(world, target),
            "run": run,
            "rows": {t.name: t.rows for t in found.tables.values()},
        },
    )
    count = found.large_objects[0] if found.large_objects else 0
    large = f", {count:,} large object{'s' * (count != 1)}" if count else ""
    said = f"{backup_id}: {found.rows:,} rows in {len(found.tables)} tables{large}, {manifest.size / 1e6:,.1f} MB"
    return "; ".join([said, *found.said_left_out()])


@tool
def check_backup(world: World, *, target: str, backup_id: str) -> str:
    """Read every file of a backup and compare its sha256 with the manifest."""
    folder = backup.folder_of(target_folder(world, target), backup_id)
    if wrong := backup.damage(folder):
        raise StepFailed(f"{target}: backup {backup_id} is damaged: {'; '.join(wrong[:3])}", "inv backups")
    return f"{backup_id}: every file is what was written"


@tool
def same_fingerprint(world: World, *, before: str, after: str) -> str:
    """Compare two fingerprints: every table equal, every sequence as far or further."""
    one, two = (fingerprint.read(world.inventory.path(name)) for name in (before, after))
    if wrong := fingerprint.differences(one, two):
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise StepFailed(f"{after}: not what was dumped: {'; '.join(wrong[:3])}{more}", "inv backup")
    return f"{one.rows:,} rows in {len(one.tables)} tables are equal"


@tool
def loss_preview(world: World, *, target: str, before: str, after: str) -> str:
    """Say which tables of the live database differ from a backup, with rows: what a rollback would set aside."""
    old, new = (fingerprint.read(world.inventory.path(name)) for name in (before, after))
    said = []
    for name in sorted(old.tables.keys() | new.tables.keys()):
        was, is_now = old.tables.get(name), new.tables.get(name)
        if was is None or is_now is None:
            there = was or is_now
            said.append(f"{name}: {there.rows if there else 0:,} rows, {'only in the backup' if was else 'only live'}")
        elif (was.rows, was.checksum, was.columns) != (is_now.rows, is_now.checksum, is_now.columns):
            said.append(f"{name}: {is_now.rows:,} rows live, {was.rows:,} in the backup")
    return "live and backup differ in\n  " + "\n  ".join(said) if said else "the live database equals the backup"
