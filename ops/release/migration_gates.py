"""Check the freeze and the maintenance window against the measurements of the rehearsal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from ops.application.probe import identity
from ops.core.errors import Refused
from ops.engine import journal
from ops.engine.effects import StepEffect
from ops.engine.registry import WATCHES, tool
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.stores import manifest as backup
from ops.release import certificate
from ops.release.measuring.estimate import measured_rest
from ops.release.measuring.maintenance_window import needed, objection, said
from ops.release.measuring.migration_metrics import asks_freeze
from ops.release.measuring.migration_sampler import Watching
from ops.verdict.fingerprint import not_backed_up

WATCHES["migrations"] = Watching


@tool
def check_freeze(session: Session, *, target: str, name: str, frozen: str) -> str:
    """Refuse a promotion without a freeze if the rehearsal measured that it needs one."""
    if frozen == "yes":
        return "production is frozen during the migrations"
    mode = session.inventory.target(target).freeze
    found = certificate.read(target_folder(session, target), name)
    if found.excluded:
        raise Refused(
            f"{target}: the promotion needs a freeze, and this plan has none: without it, a rollback would restore "
            f"backup {found.bound.backup}, and {not_backed_up(found.excluded)}",
            f"set   freeze: always   in the inventory, then   inv promote --target={target}",
        )
    why = asks_freeze(found.measured) if mode == "auto" else ""
    if why:
        raise Refused(
            f"{target}: the rehearsal showed that the promotion needs a freeze, and this plan has none: {why}",
            f"inv promote --target={target}",
        )
    return "no freeze is needed" if found.measured else f"nothing was measured, so `freeze: {mode}` applies"


@tool
def check_window(session: Session, *, target: str, name: str, frozen: str, begun: str) -> str:
    """Check that the maintenance window is open and long enough for the measured times."""
    entry = session.inventory.target(target)
    window = entry.window
    if window is None:
        return "the inventory has no maintenance window"
    found = certificate.read(target_folder(session, target), name)
    larger = _larger(session, target, found)
    took = {effect: seconds * larger for effect, seconds in _took(session, target).items()}
    migrate = found.measured.seconds if found.measured else took.get(StepEffect.REHEARSES, 0)
    need = needed(
        took,
        migrate,
        frozen=frozen == "yes",
        waits=entry.lock_timeout * entry.retries if found.measured and found.measured.blocked else 0,
        begun=begun == "yes",
        back=_back(found, took, larger),
        others=_others(session, target, begun=begun == "yes"),
    )
    now = datetime.now(UTC)
    if why := objection(window, now, need):
        raise Refused(f"{target}: {why}", "wait for the window, or change `window` in the inventory")
    return said(window, now, need)


def _others(session: Session, target: str, *, begun: bool) -> float:
    """Return the measured seconds of the remaining steps, without the migrations, by the estimate of the running run.

    The run lock excludes a second run that migrates production, so the last one is this one."""
    begins = StepEffect.MIGRATES if begun else StepEffect.FREEZES
    for state in reversed(journal.runs(target_folder(session, target))):
        if state.steps_with(StepEffect.MIGRATES) and not state.finished:
            return measured_rest(state.header, begins, StepEffect.UNFREEZES, StepEffect.MIGRATES)
    return 0.0


def _larger(session: Session, target: str, found: certificate.Certificate) -> float:
    """Return production's size divided by the clone's size, or 1 if the backup excludes no table."""
    if not found.excluded:
        return 1
    manifest = backup.read_manifest(backup.folder_of(target_folder(session, target), found.bound.backup))
    return max(int(identity(session, target)["size"]) / max(manifest.database_bytes, 1), 1)


def _back(found: certificate.Certificate, took: Mapping[StepEffect, float], larger: float) -> float:
    """Return the measured seconds of a rollback and its safety backup, or 0 if they were not measured."""
    if found.recovery is None:
        return 0
    return found.recovery.seconds * larger + took.get(StepEffect.DUMPS, 0)


def _took(session: Session, target: str) -> dict[StepEffect, float]:
    """Return the seconds of the steps of each effect in the last run that did all of them, without the last backup."""
    seconds: dict[StepEffect, float] = {}
    for state in journal.runs(target_folder(session, target)):
        for effect in StepEffect:
            names = state.steps_with(effect) - state.steps_with(StepEffect.LAST)
            if names and all(state.status.get(name) == "done" for name in names):
                seconds[effect] = sum(state.seconds.get(name, 0) for name in names)
    return seconds
