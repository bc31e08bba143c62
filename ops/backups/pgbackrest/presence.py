"""Whether pgBackRest still has what a manifest names. A dump is always there."""

from __future__ import annotations

import contextlib

from ops.backups.pgbackrest.pgbackrest_cli import Stanza
from ops.backups.pgbackrest.stanza import OnStanza
from ops.core.errors import OpsError
from ops.infra.session.session import Session
from ops.infra.stores.manifest import Manifest


def _asked(session: Session, target: str) -> Stanza:
    """What pgBackRest says, asked once as long as nothing can have changed: a repository can be far away."""
    known = session.looked_up(target, "pgbackrest")
    if "info" not in known:
        known["info"] = OnStanza(session, target).info()
    found: Stanza = known["info"]
    return found


def gone(session: Session, manifest: Manifest) -> str:
    """Why a backup of pgBackRest's can't be relied on any more; empty where it can, and for dumps.

    Raises:
        OpsError: pgBackRest ends with an error.
    """
    if not manifest.engine:
        return ""
    one = _asked(session, manifest.target).labelled(manifest.label)
    if one is None:
        return f"{manifest.label} is gone from pgBackRest"
    return f"pgBackRest found errors in {manifest.label}" if one.broken else ""


def held(session: Session, manifest: Manifest) -> str:
    """Why the manifest of a backup of pgBackRest's stays; empty where that is gone, and for dumps.

    pgBackRest's own files are its own to expire, and nothing of ours removes them.
    """
    if not manifest.engine:
        return ""
    try:
        return (
            "" if gone(session, manifest) else f"pgBackRest has it ({manifest.label}), and expires it by its own rules"
        )
    except OpsError as error:
        return f"pgBackRest can't be asked: {error.message}"


def engine_told(session: Session, manifest: Manifest) -> str:
    """What a person has to know of who holds a backup; nothing of a dump of production."""
    if manifest.unpacked_of:
        return " (unpacked)"
    if not manifest.engine:
        return ""
    try:
        lost = gone(session, manifest)
    except OpsError as error:
        lost = f"can't be asked: {error.message}"
    return f" ({manifest.label}" + (f", NOT THERE: {lost})" if lost else ")")


def engine_data(session: Session, manifest: Manifest) -> dict[str, object]:
    """The same for programs; ``there`` is None where pgBackRest can't be asked."""
    if manifest.unpacked_of:
        return {"unpacked_of": manifest.unpacked_of}
    if not manifest.engine:
        return {}
    there: bool | None = None
    with contextlib.suppress(OpsError):
        there = not gone(session, manifest)
    return {"engine": manifest.engine, "stanza": manifest.stanza, "label": manifest.label, "there": there}
