"""Compare needed and free disk space before anything is written: of the store, and of a server that restores.

A server's disk is checked only if it can be measured from this machine."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from ops.application.probe import identity
from ops.core.text import amount
from ops.engine.command import quote
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.stores import backup_kinds, manifest

# A dump is compressed and has no indexes. Without an earlier backup, it takes at most this part of the database.
FIRST = 0.5


@dataclass(frozen=True)
class Room:
    """Hold the ``free`` and the needed (``need``) bytes in ``folder``.

    ``why`` explains the need. ``hint`` is what to type for more disk space. ``disks`` names the free bytes of both
    disks, if there are two."""

    folder: str
    free: int
    need: int
    why: str
    hint: str = ""
    disks: str = ""

    @property
    def enough(self) -> bool:
        """Return True if the disk space is enough."""
        return self.free >= self.need

    @property
    def said(self) -> str:
        """Return free and needed disk space in words."""
        return f"{self.disks or f'{amount(self.free)} free'}; {self.why}"


def for_backup(session: Session, target: str, excluded: int = 0, backup_id: str = "") -> Room:
    """Return the disk space that a backup needs: the size of the last backup, scaled by the database's growth.

    Without an earlier backup, the size is a part of the database's. With a remote store, the disk with less free
    space counts, if the store reports its free space.

    Args:
        excluded: bytes of the database whose rows are excluded.
        backup_id: the new backup; the remains of an earlier attempt count as free.
    """
    folder = target_folder(session, target)
    path = session.inventory.path(session.inventory.target(target).folder)
    now = max(int(identity(session, target)["size"]) - excluded, 0)
    known = backup_kinds.sized(manifest.backups(folder))
    # Compare with the backup of the most similar database size: the last one may have excluded other tables.
    last = min(reversed(known[-5:]), key=lambda one: abs((one.database_bytes or now) - now), default=None)
    if last is None:
        need = now * FIRST
        why = f"a backup takes at most about {amount(need)}, half of the database's {amount(now)}"
    else:
        then = last.database_bytes or now
        need = last.size * now / then if then else last.size
        why = f"a backup takes about {amount(need)}, as {last.backup} did"
        if not 0.9 * then <= now <= 1.1 * then:
            why += f" ({amount(last.size)}, when {amount(then)} of the database were dumped; now {amount(now)})"
    free = shutil.disk_usage(_nearest(path)).free
    if backup_id:
        left = manifest.folder_of(folder, backup_id).with_name(f"{backup_id}.partial")
        free += sum(one.stat().st_blocks * 512 for one in left.rglob("*") if one.is_file())
    here = Room(str(path), free, round(need), why, f"free disk space: du -sh {quote(str(path))}/*/backups/*")
    copy = session.stores.working_copy(target)
    there = copy.store.free() if copy else None
    if copy is None or there is None:
        return here
    both = replace(here, disks=f"{amount(free)} free here, {amount(there)} in the store")
    hint = "free disk space in the store"
    return both if free <= there else replace(both, folder=copy.store.url, free=there, hint=hint)


def for_copy(session: Session, server: str, like: str, need: int) -> Room | None:
    """Return the disk space that a restored copy needs on a server; None if the disk cannot be measured.

    The disk is measured only if the server's process runs on this machine and the server reports its data folder.

    Args:
        server: the target whose server restores.
        like: the database like which the copy is created; the copy uses its tablespace.
        need: bytes.
    """
    query = """SELECT pg_backend_pid(), coalesce(nullif(pg_tablespace_location(dattablespace), ''),
                      (SELECT setting FROM pg_settings WHERE name = 'data_directory'))
               FROM pg_database WHERE datname = %s"""
    with session.connect(server, "postgres") as connection:
        row = connection.execute(query, [like]).fetchone()
        if row is None or not row[1] or not _is_here(int(row[0])):
            return None
    try:
        found = os.statvfs(str(row[1]))
    except OSError:
        return None
    return Room(str(row[1]), found.f_bavail * found.f_frsize, need, f"a restored copy takes about {amount(need)}")


def _is_here(process: int) -> bool:
    """Return True if a server process runs on this machine. Otherwise its folder is on another disk."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"postgres")
    except OSError:
        return False


def _nearest(path: Path) -> Path:
    return next(part for part in (path, *path.parents) if part.exists())
