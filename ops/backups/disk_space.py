"""Room on disks, in numbers, before anything is written: what a backup takes where backups are kept, and what a
restored copy takes where the server keeps its data, as far as that can be seen from here."""

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

# A dump is compressed and holds no index: where there is none to go by, it is taken to be at most this part.
FIRST = 0.5


@dataclass(frozen=True)
class Room:
    """``free`` bytes in ``folder``, of which ``need`` are needed; ``why`` says that in words. ``hint`` is what to type
    for more; ``disks`` says what is free on each, where there are two."""

    folder: str
    free: int
    need: int
    why: str
    hint: str = ""
    disks: str = ""

    @property
    def enough(self) -> bool:
        """Whether it fits."""
        return self.free >= self.need

    @property
    def said(self) -> str:
        """Both numbers."""
        return f"{self.disks or f'{amount(self.free)} free'}; {self.why}"


def for_backup(session: Session, target: str, excluded: int = 0, backup_id: str = "") -> Room:
    """What a backup takes where backups are kept: as the last one, grown as the database has; else a part of it.

    Where they go elsewhere, too, it is the disk with less room, as far as that store tells.

    Args:
        excluded: bytes of the database whose rows stay out.
        backup_id: the one that is about to be made; what is left of an earlier try gives its room.
    """
    folder = target_folder(session, target)
    path = session.inventory.path(session.inventory.target(target).folder)
    now = max(int(identity(session, target)["size"]) - excluded, 0)
    known = backup_kinds.sized(manifest.backups(folder))
    # Of one of a database of this size most can be told: the last one may have left out more, or less.
    last = min(reversed(known[-5:]), key=lambda one: abs((one.database_bytes or now) - now), default=None)
    if last is None:
        need = now * FIRST
        why = f"a backup takes at most about {amount(need)}, half of the database's {amount(now)}"
    else:
        then = last.database_bytes or now
        need = last.size * now / then if then else last.size
        why = f"a backup takes about {amount(need)}, as {last.backup} did"
        if not 0.9 * then <= now <= 1.1 * then:
            why += f" ({amount(last.size)}, when {amount(then)} of the database were dumped; now {amount(now)} are)"
    free = shutil.disk_usage(_nearest(path)).free
    if backup_id:
        left = manifest.folder_of(folder, backup_id).with_name(f"{backup_id}.partial")
        free += sum(one.stat().st_blocks * 512 for one in left.rglob("*") if one.is_file())
    here = Room(str(path), free, round(need), why, f"make room: du -sh {quote(str(path))}/*/backups/*")
    copy = session.stores.working_copy(target)
    there = copy.store.free() if copy else None
    if copy is None or there is None:
        return here
    both = replace(here, disks=f"{amount(free)} free here, {amount(there)} in the store")
    hint = "make room in the store"
    return both if free <= there else replace(both, folder=copy.store.url, free=there, hint=hint)


def for_copy(session: Session, server: str, like: str, need: int) -> Room | None:
    """What a restored copy takes on a server; None where its disk can't be seen from here.

    It is seen only where the very process that serves us runs on this machine, and says where its data lie.

    Args:
        server: the target on whose server it is going to be.
        like: the database there as which it is made; its tablespace is the copy's.
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
    """Whether a server's process is one of this machine's: else its folder would be looked for on the wrong disk."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"postgres")
    except OSError:
        return False


def _nearest(path: Path) -> Path:
    return next(part for part in (path, *path.parents) if part.exists())
