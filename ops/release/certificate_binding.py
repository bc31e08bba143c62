"""Collect what a certificate is bound to, at the time of the rehearsal and now."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from ops import __version__
from ops.application.probe import applied, changes_of, commit_of, declarations, identity, pending, probe
from ops.core.errors import OpsError, Refused
from ops.core.files import sha256
from ops.engine.command import quote
from ops.infra.session.server import schema_digest, schema_parts
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.stores import manifest as backup
from ops.release import rehearsal_record
from ops.release.certificate import Bound, Certificate, Proved
from ops.release.certificate_validity import objections
from ops.verdict import fingerprint
from ops.verdict.fingerprint import Fingerprint


def checks_of(session: Session, target: str) -> tuple[str, ...]:
    """Return the application's checks as command lines."""
    return tuple(" ".join(quote(word) for word in words) for words in session.inventory.target(target).checks)


def _noted(checks: Path) -> tuple[str, ...]:
    """Return the recorded checks, or none if the file is damaged."""
    try:
        return tuple(map(str, json.loads(checks.read_bytes())))
    except (OSError, ValueError, TypeError, RecursionError):
        return ()


def bound_then(
    session: Session, target: str, backup_id: str, checks: Path, proved: Proved, after: Fingerprint
) -> Bound:
    """Return what was rehearsed, by the manifest, the rehearsal record, the comparison and the checks.

    Args:
        checks: the file that records the checks that passed.
        proved: the result of the comparison.
        after: the fingerprint of the migrated clone.

    Raises:
        Refused: a part of the rehearsal is missing.
    """
    folder = target_folder(session, target)
    there = backup.folder_of(folder, backup_id)
    manifest, done = backup.read_manifest(there), rehearsal_record.read(folder, backup_id)
    if missing := [name for name, _ in done.migrations if name not in after.migrations]:
        raise Refused(
            f"{target}: the clone does not have {', '.join(missing[:3])}, so these migrations were not rehearsed",
            f"inv clone-prod-to-test --target={target}   and then   inv migrate-test --target={target}",
        )
    passed = _noted(checks)
    if not_run := [check for check in checks_of(session, target) if check not in passed]:
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
        server=str(identity(session, target)["server"]),
        tool=__version__,
        expectations=proved.expectations,
        checks=passed,
    )


def bound_now(session: Session, target: str, backup_id: str) -> Bound:
    """Return the current values of everything that a certificate is bound to."""
    who = identity(session, target)
    there = backup.folder_of(target_folder(session, target), backup_id)
    try:
        backup.read_manifest(there)
        manifest = sha256(there / "manifest.json")
    except OpsError:
        backup_id = manifest = ""
    return Bound(
        migrations=tuple(pending(probe(session, target, target))),
        commit=commit_of(session, target),
        changes=changes_of(session, target),
        system=str(who["system"]),
        database=str(who["database"]),
        schema_digest=schema_digest(session, target),
        applied=tuple(sorted(applied(session, target))),
        backup=backup_id,
        manifest=manifest,
        server=str(who["server"]),
        tool=__version__,
        expectations=declarations(session, target).digest,
        checks=checks_of(session, target),
    )


def changed_since(session: Session, target: str, found: Certificate) -> list[str]:
    """Return why a certificate no longer holds, one sentence for each reason."""
    now = bound_now(session, target, found.bound.backup)
    differs: list[str] = []
    if now.schema_digest != found.bound.schema_digest:
        then = backup.folder_of(target_folder(session, target), found.bound.backup) / "fingerprint.jsonl"
        with suppress(OpsError):
            differs = fingerprint.schema_differences(
                fingerprint.read(then).schema_parts, schema_parts(session, target)
            )
    return objections(found, now, schema=differs)
