"""Report the state of production after a failed release, and check whether it is unchanged."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from ops.core.errors import DataDiffers, OpsError, Refused
from ops.engine import journal
from ops.engine.answer import Answer
from ops.engine.inputs import FREEZE_NOTE
from ops.engine.registry import tool
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.release.production import production_state
from ops.release.production.production_state import in_parts
from ops.verdict import fingerprint


@tool
def check_atomic(session: Session, *, target: str, database_of: str) -> str:
    """Check that the first pending migration of a database runs in one transaction."""
    if name := in_parts(session, target, database_of):
        raise Refused(f"{name} is not atomic, so a part of it may be applied", f"inv status --target={target}")
    return "the migration that did not finish ran in one transaction"


@tool
def explain_promotion(session: Session, *, target: str, name: str, run: str, backup_id: str, frozen: str) -> str:
    """Report the state of production after a failed promotion, and what to type."""
    folder = target_folder(session, target) / "runs" / run
    asked = production_state.Run(run, target, backup_id, frozen == "yes")
    with contextlib.suppress(OpsError):
        known = production_state.Run.of(journal.read(folder), backup_id, freezes=asked.freezes)
        asked = replace(asked, ending=known.ending, deploying=known.deploying)
    found = production_state.look(session, asked, name, folder / FREEZE_NOTE)
    stands, ways = production_state.told(found), production_state.offers(found, asked)
    text = "\n".join([stands, *(f"Try: {words}   # {does}" for words, does in ways)])
    return Answer(text, stands=stands, ways=tuple(ways))


@tool
def check_as_before(session: Session, *, before: str, after: str) -> str:
    """Prove that production is as it was right before a release: the rows of every table, and every sequence."""
    one, two = (fingerprint.read(session.inventory.path(name)) for name in (before, after))
    if wrong := fingerprint.differences(one, two) or fingerprint.other_schema(one, two):
        raise DataDiffers(f"production is not as it was before the release: {'; '.join(wrong[:3])}", "inv status")
    return f"production is as it was before the release: {one.rows:,} rows in {len(one.tables)} tables are equal"
