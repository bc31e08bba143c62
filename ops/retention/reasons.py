"""Reasons to retain a backup beside the policy: pins, proofs, certificates, runs, kept databases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ops.backups.restore_tests import failed, proved
from ops.core.errors import OpsError
from ops.engine import journal
from ops.engine.effects import Effect
from ops.engine.inputs import PHYSICAL, UNPACKED
from ops.engine.journal import State
from ops.infra.session.session import Session
from ops.infra.stores import backup_kinds
from ops.infra.stores.manifest import backups
from ops.recovery.rollback.kept_databases import kept
from ops.release import certificate
from ops.retention.pins import pins

# The suffixes of the ids of a run's backups.
OWN = ("", "_safety", "_last", "_delta", PHYSICAL)


def needed(session: Session, target: str, folder: Path) -> tuple[dict[str, list[str]], str]:
    """Return the reasons by the backup's id, and what could not be determined.

    If the server does not answer, the backups that a kept database may need are retained.
    """
    runs = journal.runs(folder)
    found: dict[str, list[str]] = defaultdict(list)
    for backup, reason in pins(folder).items():
        found[backup].append("pinned" + (f": {reason}" if reason else ""))
    bad = failed(runs)
    good = [one for one in proved(runs) if one not in bad]
    dumps = backup_kinds.dumps(backups(folder))
    if newest := backup_kinds.newest(one for one in dumps if one.backup in good):
        found[newest.backup].append("the newest proved backup")
    whole = backup_kinds.whole(dumps)
    if whole and len(whole) < len(dumps):
        found[whole[-1].backup].append("the newest backup with every table")
    for path in sorted((folder / "certificates").glob("*.json")):
        for backup in _bound(folder, path.stem):
            found[backup].append(f"certificate {path.stem} needs it")
    for backup, run in in_use(runs, session.inventory.target(target).keep_replaced).items():
        found[backup].append(f"run {run} is not finished")
    missing = _for_kept(session, target, runs, found)
    return dict(found), missing


def in_use(runs: Sequence[State], days: float) -> dict[str, str]:
    """Return the runs that may still be resumed, by the ids of their backups.

    The last run may be resumed as long as it is not finished; an older run, for ``days`` days, but at least one day.
    """
    since = datetime.now(UTC) - timedelta(days=max(days, 1))
    open_ = [state for state in runs if not state.finished]
    return {backup: state.run for state in open_ if state is runs[-1] or _at(state) > since for backup in _of(state)}


def _at(state: State) -> datetime:
    """Return the time of the run's last event. If it can't be read, return now, so that the backups are retained."""
    try:
        return datetime.fromisoformat(str((state.last or state.header)["at"]))
    except (KeyError, ValueError):
        return datetime.now(UTC)


def _bound(folder: Path, name: str) -> list[str]:
    """Return the backup of a valid certificate; an empty list if the certificate is expired or can't be read."""
    try:
        found = certificate.read(folder, name)
    except OpsError:
        return []
    return [found.bound.backup] if found.expires_at > datetime.now(UTC) else []


def _of(state: State) -> list[str]:
    """Return the backup that a run uses, and the backups that the run may have made."""
    made = (state.backup.removesuffix(PHYSICAL) + UNPACKED,) if Effect.UNPACKS in state.effects else ()
    return list(dict.fromkeys(filter(None, (state.backup, *made, *(f"{state.run}{end}" for end in OWN)))))


def _for_kept(session: Session, target: str, runs: Sequence[State], found: dict[str, list[str]]) -> str:
    try:
        live = session.database(target)
        names = {one.run: one.name for one in kept(session, target, live)}
    except OpsError as error:
        for state in runs:
            if Effect.KEEPS in state.effects and not state.undone:
                for backup in _of(state):
                    found[backup].append(f"a database kept by run {state.run} may need it")
        return f"{error.message}; backups that a kept database may need are retained"
    for state in runs:
        if state.run in names:
            for backup in _of(state):
                found[backup].append(f"the kept database {names[state.run]} needs it")
    return ""
