"""Tools that look for room before anything is written."""

from __future__ import annotations

import contextlib

from ops import backup, excluded, room
from ops.errors import OpsError, Refused
from ops.probes import target_folder
from ops.tools.registry import tool
from ops.world import World


@tool
def check_room(world: World, *, target: str, backup_id: str, exclude: str = "") -> str:
    """Say how much room a backup takes and how much there is, and whose rows stay out; refuse where there is less, or
    where a restore would not stand without those."""
    out = excluded.look(world, target, exclude.split()) if exclude else None
    found = room.for_backup(world, target, out.bytes if out else 0, backup_id)
    if not found.enough:
        said = f"{target}: no room for a backup in {found.folder}: {found.said}; nothing was written"
        raise Refused(said, f"inv prune-backups --plan --target={target}   or {found.hint}")
    return found.said + (f"; {excluded.said(out)}" if out else "")


@tool
def check_server_room(world: World, *, target: str, server: str, backup_id: str, like: str = "postgres") -> str:
    """Say how much room a restored copy takes on a server, as far as its disk can be seen; refuse where it is less."""
    need = 0
    with contextlib.suppress(OpsError):
        need = backup.read_manifest(backup.folder_of(target_folder(world, target), backup_id)).database_bytes
    found = room.for_copy(world, server, like, need) if need else None
    if found is None:
        return "the server's disk can't be seen from here" if need else f"what {backup_id} takes is not known"
    if not found.enough:
        said = f"{server}: no room for a copy on the server, in {found.folder}: {found.said}; nothing was written"
        raise Refused(said, f"make room: inv status --target={target}   lists what is kept beside it")
    return found.said
