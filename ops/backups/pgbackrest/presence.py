"""Determine whether pgBackRest still has the backup that a manifest names."""

from __future__ import annotations

import contextlib

from ops.backups.pgbackrest.pgbackrest_cli import Stanza
from ops.backups.pgbackrest.stanza import OnStanza
from ops.core.errors import OpsError
from ops.infra.session.session import Session
from ops.infra.stores.manifest import Manifest


def _asked(session: Session, target: str) -> Stanza:
    """Return pgBackRest's report, cached because a repository can be remote."""
    known = session.looked_up(target, "pgbackrest")
    if "info" not in known:
        known["info"] = OnStanza(session, target).info()
    found: Stanza = known["info"]
    return found


def gone(session: Session, manifest: Manifest) -> str:
    """Return why a backup of pgBackRest cannot be restored any more; empty if it can, and for dumps.

    Raises:
        OpsError: pgBackRest ends with an error.
    """
    if not manifest.engine:
        return ""
    one = _asked(session, manifest.target).labelled(manifest.label)
    if one is None:
        return f"pgBackRest no longer has {manifest.label}"
    return f"pgBackRest found errors in {manifest.label}" if one.broken else ""


def held(session: Session, manifest: Manifest) -> str:
    """Return why the manifest of a backup of pgBackRest is retained; empty if the backup is gone, and for dumps.

    pgBackRest expires its own files. The tool removes none of them."""
    if not manifest.engine:
        return ""
    try:
        held_there = f"pgBackRest has the backup ({manifest.label}), and expires it by its own rules"
        return "" if gone(session, manifest) else held_there
    except OpsError as error:
        return f"pgBackRest does not answer: {error.message}"


def engine_told(session: Session, manifest: Manifest) -> str:
    """Return the engine's part of a backup's description; empty for a dump of production."""
    if manifest.unpacked_of:
        return " (unpacked)"
    if not manifest.engine:
        return ""
    try:
        lost = gone(session, manifest)
    except OpsError as error:
        lost = f"no answer: {error.message}"
    return f" ({manifest.label}" + (f", MISSING: {lost})" if lost else ")")


def engine_data(session: Session, manifest: Manifest) -> dict[str, object]:
    """Return the engine's fields for ``--json``. ``there`` is None if pgBackRest does not answer."""
    if manifest.unpacked_of:
        return {"unpacked_of": manifest.unpacked_of}
    if not manifest.engine:
        return {}
    there: bool | None = None
    with contextlib.suppress(OpsError):
        there = not gone(session, manifest)
    return {"engine": manifest.engine, "stanza": manifest.stanza, "label": manifest.label, "there": there}
