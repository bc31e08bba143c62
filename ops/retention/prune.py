"""Remove backups, and what else fills the store.

A backup that is to go first loses its name, so that nothing takes it for one, and then its files; what was cut off in
between is finished by the next call. What was removed, and why the rest stayed, is noted in `prunings/`.
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
# What is half-written for so long, or in the store without a manifest, is nobody's who is still at it.
FORGOTTEN = timedelta(days=1)


@dataclass(frozen=True)
class Scrap:
    """What is no backup and fills the store: a half-written one that no run needs, one that was being removed, a part
    of one in a remote store."""

    name: str
    why: str
    path: Path | None = None
    stored: StoredBackup | None = None
    size: int = 0

    def remove(self) -> None:
        """Remove it."""
        if self.path:
            shutil.rmtree(self.path)
        if self.stored:
            self.stored.remove()


def remove(session: Session, target: str, folder: Path, name: str) -> None:
    """Remove one backup, here and in the remote store; nothing takes it for one from the first moment on."""
    if stored := session.stores.stored(target, name):
        stored.remove()
    place = folder / "backups" / name
    if place.exists():
        gone = place.with_name(f"{name}{GOING}")
        place.rename(gone)
        sync_folder(place.parent)
        shutil.rmtree(gone)


def find_scraps(session: Session, target: str, folder: Path) -> Iterator[Scrap]:
    """Find what is no backup and fills the store, here and in the remote store."""
    working = {one.run for one in journal.runs(folder) if not one.finished}
    for path in sorted((folder / "backups").glob("*")):
        size = sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
        if path.suffix == GOING:
            yield Scrap(path.name, "its removal was cut off", path, size=size)
        elif path.suffix == PARTIAL and not any(path.name.startswith(run) for run in working) and _old(path):
            yield Scrap(path.name, "half-written, and no run goes on with it", path, size=size)
    if copy := session.stores.working_copy(target):
        yield from _forgotten(session, target, listed(copy.store, target, "backups/"))


def _forgotten(session: Session, target: str, there: dict[str, Kept]) -> Iterator[Scrap]:
    parts: dict[str, list[Kept]] = {}
    for name, kept in there.items():
        parts.setdefault(name.split("/")[1], []).append(kept)
    for name, all_kept in parts.items():
        old = max(one.at for one in all_kept) < datetime.now(UTC) - FORGOTTEN
        if old and f"backups/{name}/{MANIFEST}" not in there:
            why = "a part in the store, without a manifest"
            yield Scrap(name, why, stored=session.stores.stored(target, name), size=sum(one.size for one in all_kept))


def _old(path: Path) -> bool:
    newest = max((one.stat().st_mtime for one in (path, *path.rglob("*"))), default=0)
    return datetime.fromtimestamp(newest, UTC) < datetime.now(UTC) - FORGOTTEN


def note(folder: Path, going: list[Decision], scraps: list[Scrap], found: list[Decision]) -> None:
    """Write what goes, and why the rest stays."""
    moment = f"{datetime.now(UTC):%Y%m%d_%H%M%S}"
    told = {
        "at": journal.now(),
        "removed": [one.manifest.backup for one in going] + [one.name for one in scraps],
        "kept": {one.manifest.backup: one.reasons for one in found if one.stays},
    }
    write_whole(folder / "prunings" / f"{moment}.json", json.dumps(told, indent=1, ensure_ascii=False))
