"""What a run about one of pgBackRest's backups depends on, looked at before its plan is made. Read-only."""

from __future__ import annotations

from typing import Any

from ops import backup, chosen
from ops.backup import Manifest
from ops.bind import NothingToDo, anew, bind, can_open
from ops.dumping import some_tools
from ops.engine.gone import gone
from ops.engine.stanza import OnStanza, wanted
from ops.errors import Refused, UsageError
from ops.inputs import PHYSICAL, UNPACKED, Inputs, PhysicalInputs
from ops.inventory import Target
from ops.postgres import choose
from ops.probes import target_folder
from ops.wanted import Wanted
from ops.world import World

BACKUP, DRILL, UNPACK = "backup-pgbackrest", "drill-pgbackrest", "unpack"
# What names no backup.
ANY = ("", "latest", "unproved")


def meant(name: str, entry: Target, backup_id: str) -> str:
    """The procedure that a task means for a target: pgBackRest's own where that is the engine, or has the backup."""
    if name == "backup" and entry.engine == "pgbackrest":
        return BACKUP
    if name == "drill" and entry.engine == "pgbackrest" and backup_id.strip() in ANY:
        return DRILL
    return DRILL if name == "drill" and backup_id.strip().endswith(PHYSICAL) else name


def physical(world: World, name: str, entry: Target, asked: Wanted) -> Inputs | None:
    """The inputs of a procedure of pgBackRest's; None for all others.

    Raises:
        OpsError: the stanza, the backup or the server's programs are not there.
        NothingToDo: it is unpacked already.
    """
    if name == BACKUP:
        return _backup(world, entry)
    if name not in (DRILL, UNPACK):
        return None
    if entry.kind != "production":
        raise UsageError(f"{entry.name} is a test target", f"--target={' or '.join(world.inventory.production)}")
    return _of_one(world, name, entry, asked.backup)


def _backup(world: World, entry: Target) -> Inputs:
    wanted(world, entry.name)
    found = bind(world, "backup", entry.name)
    on = OnStanza(world, entry.name)
    on.must_be_well(found.system)
    given = _physical(world, entry, found.server.split(".")[0])
    return found.model_copy(update={"backup": f"{found.run}{PHYSICAL}", "physical": given, "railway_backups": False})


def _physical(world: World, entry: Target, major: str) -> PhysicalInputs:
    on = OnStanza(world, entry.name)
    return on.given.model_copy(update={"bin": on.programs(major)})


def _of_one(world: World, name: str, entry: Target, asked: str) -> Inputs:
    wanted(world, entry.name)
    folder = target_folder(world, entry.name)
    manifest = _named(folder.name, backup.backups(folder), asked)
    unpacked = manifest.backup.removesuffix(PHYSICAL) + UNPACKED
    if name == UNPACK and any(one.backup == unpacked for one in backup.backups(folder)):
        raise NothingToDo(f"{entry.name}: {manifest.backup} is unpacked: inv rollback --backup={unpacked}")
    if lost := gone(world, manifest):
        raise Refused(f"{entry.name}: {manifest.backup}: {lost}", f"inv backups --target={entry.name}")
    world.url(entry.name)
    sets, major = some_tools(world), manifest.server // 10000
    more: dict[str, Any] = anew(world, entry)
    if name == UNPACK and entry.encrypt and more.get("identity"):
        can_open(world, entry)
    world.tools = choose(sets, major, major, f"{entry.name} ← {manifest.backup}")
    return Inputs(
        **more,
        database=manifest.database,
        system=manifest.system,
        backup=manifest.backup,
        chosen=chosen.said(manifest),
        physical=_physical(world, entry, str(major)),
        compress=world.tools.compression(),
        tools=str(world.tools.major),
        apart=True,
    )


def _named(target: str, known: list[Manifest], asked: str) -> Manifest:
    """The one that is meant: an id, or ``latest``, which is also meant where nothing is said."""
    ours = [one for one in known if one.engine]
    if not ours:
        raise UsageError(f"{target}: there is no backup of pgBackRest's", f"inv backup --target={target}")
    if asked.strip() in ANY:
        return ours[-1]
    for one in ours:
        if one.backup == asked.strip():
            return one
    listed = ", ".join(one.backup for one in reversed(ours[-4:]))
    there = any(one.backup == asked.strip() for one in known)
    what = f"{asked} is a dump already" if there else f"there is no backup {asked!r}"
    raise UsageError(f"{target}: {what}; of pgBackRest's the newest are: {listed}", f"--backup={ours[-1].backup}")
