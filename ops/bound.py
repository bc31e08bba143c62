"""What a certificate is bound to: as it was when it was rehearsed, and as it is now."""

from __future__ import annotations

import json
from pathlib import Path

from ops import __version__, backup, rehearsed
from ops.certificate import Bound, Proved
from ops.command import quote
from ops.errors import OpsError, Refused
from ops.files import sha256
from ops.fingerprint import Fingerprint
from ops.probes import applied, changes_of, commit_of, declarations, identity, pending, probe, target_folder
from ops.world import World


def checks_of(world: World, target: str) -> tuple[str, ...]:
    """The application's own checks, each as it is typed."""
    return tuple(" ".join(quote(word) for word in words) for words in world.inventory.target(target).checks)


def _noted(checks: Path) -> tuple[str, ...]:
    """The checks that were noted; where the file is damaged, none."""
    try:
        return tuple(map(str, json.loads(checks.read_bytes())))
    except (OSError, ValueError, TypeError, RecursionError):
        return ()


def bound_then(world: World, target: str, backup_id: str, checks: Path, proved: Proved, after: Fingerprint) -> Bound:
    """What was rehearsed: from the backup's manifest, from what was noted when the clone was migrated, and from what
    the comparison and the checks left.

    Args:
        checks: the file in which the checks were noted when they had passed.
        proved: what the comparison left.
        after: the fingerprint of the migrated clone.

    Raises:
        Refused: a part of the rehearsal is missing.
    """
    folder = target_folder(world, target)
    there = backup.folder_of(folder, backup_id)
    manifest, done = backup.read_manifest(there), rehearsed.read(folder, backup_id)
    if missing := [name for name, _ in done.migrations if name not in after.migrations]:
        raise Refused(
            f"{target}: the clone does not have {', '.join(missing[:3])}, so it was not rehearsed",
            f"inv clone-prod-to-test --target={target}   and then   inv migrate-test --target={target}",
        )
    passed = _noted(checks)
    if not_run := [check for check in checks_of(world, target) if check not in passed]:
        raise Refused(f"{target}: checks that did not run: {', '.join(not_run)}", f"inv verify --target={target}")
    return Bound(
        migrations=done.migrations,
        commit=done.commit,
        changes=done.changes,
        system=manifest.system,
        database=manifest.database,
        schema_digest=manifest.schema_digest,
        applied=tuple(sorted(set(manifest.migrations))),
        backup=backup_id,
        manifest=sha256(there / "manifest.json"),
        server=str(identity(world, target)["server"]),
        tool=__version__,
        expectations=proved.expectations,
        checks=passed,
    )


def bound_now(world: World, target: str, backup_id: str) -> Bound:
    """The same as it is now."""
    who = identity(world, target)
    there = backup.folder_of(target_folder(world, target), backup_id)
    try:
        backup.read_manifest(there)
        manifest = sha256(there / "manifest.json")
    except OpsError:
        backup_id = manifest = ""
    return Bound(
        migrations=tuple(pending(probe(world, target, target))),
        commit=commit_of(world, target),
        changes=changes_of(world, target),
        system=str(who["system"]),
        database=str(who["database"]),
        schema_digest=str(who["schema"]),
        applied=applied(world, target),
        backup=backup_id,
        manifest=manifest,
        server=str(who["server"]),
        tool=__version__,
        expectations=declarations(world, target).digest,
        checks=checks_of(world, target),
    )
