"""Remove backups and incomplete backups from the store.

A backup is renamed before its files are removed, so that no run uses it. The next call finishes an interrupted
removal. A file in `prunings/` records what was removed, and why the other backups were retained.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ops.core.files import sync_folder, write_whole
from ops.engine import journal
from ops.infra.session.session import Session
from ops.infra.stores.base import Kept
from ops.infra.stores.remote_backup import MANIFEST, StoredBackup, listed
from ops.retention.policy import Decision

GOING, PARTIAL = ".removing", ".partial"
# An incomplete backup that is older belongs to no running process.
FORGOTTEN = timedelta(days=1)


@dataclass(frozen=True)
class Scrap:
    """An incomplete backup: unfinished and needed by no run, partly removed, or partly uploaded to a remote store."""

    name: str
    why: str
    path: Path | None = None
    stored: StoredBackup | None = None
    size: int = 0

    def remove(self) -> None:
        """Remove the files, here and in the remote store."""
        if self.path:
            shutil.rmtree(self.path)
        if self.stored:
            self.stored.remove()


def remove(session: Session, target: str, folder: Path, name: str) -> None:
    """Remove one backup, here and in the remote store. No run can use it from the first moment of the removal."""
    if stored := session.stores.stored(target, name):
        stored.remove()
    place = folder / "backups" / name
    if place.exists():
        gone = place.with_name(f"{name}{GOING}")
        place.rename(gone)
        sync_folder(place.parent)
        shutil.rmtree(gone)


def find_scraps(session: Session, target: str, folder: Path) -> Iterator[Scrap]:
    """Find incomplete backups, here and in the remote store."""
    working = {one.run for one in journal.runs(folder) if not one.finished}
    for path in sorted((folder / "backups").glob("*")):
        size = sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
        if path.suffix == GOING:
            yield Scrap(path.name, "its removal was interrupted", path, size=size)
        elif path.suffix == PARTIAL and not any(path.name.startswith(run) for run in working) and _old(path):
            yield Scrap(path.name, "incomplete, and no run can complete it", path, size=size)
    if copy := session.stores.working_copy(target):
        yield from _forgotten(session, target, listed(copy.store, target, "backups/"))


def _forgotten(session: Session, target: str, there: dict[str, Kept]) -> Iterator[Scrap]:
    parts: dict[str, list[Kept]] = {}
    for name, kept in there.items():
        parts.setdefault(name.split("/")[1], []).append(kept)
    for name, all_kept in parts.items():
        old = max(one.at for one in all_kept) < datetime.now(UTC) - FORGOTTEN
        if old and f"backups/{name}/{MANIFEST}" not in there:
            why = "incomplete in the remote store: it has no manifest"
            yield Scrap(name, why, stored=session.stores.stored(target, name), size=sum(one.size for one in all_kept))


def _old(path: Path) -> bool:
    newest = max((one.stat().st_mtime for one in (path, *path.rglob("*"))), default=0)
    return datetime.fromtimestamp(newest, UTC) < datetime.now(UTC) - FORGOTTEN


def note(folder: Path, going: list[Decision], scraps: list[Scrap], found: list[Decision]) -> None:
    """Record which backups are removed, and why the others are retained."""
    moment = f"{datetime.now(UTC):%Y%m%d_%H%M%S}"
    told = {
        "at": journal.now(),
        "removed": [one.manifest.backup for one in going] + [one.name for one in scraps],
        "kept": {one.manifest.backup: one.reasons for one in found if one.stays},
    }
    write_whole(folder / "prunings" / f"{moment}.json", json.dumps(told, indent=1, ensure_ascii=False))
