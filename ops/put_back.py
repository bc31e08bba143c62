"""What a restore of Railway's own backup is about: looked up also where the database answers no more."""

from __future__ import annotations

from typing import Any

from ops.backup import Manifest, age
from ops.bind import anew, health_inputs, railway_inputs
from ops.chosen import newest, said_of
from ops.dumping import compression, dump_inputs, fitting, some_tools
from ops.errors import Refused, Unreachable, UsageError
from ops.inputs import Inputs
from ops.inventory import Target
from ops.lock import RunLock
from ops.on_volume import OnVolume
from ops.probes import app_inputs, identity, target_folder
from ops.wanted import Wanted
from ops.world import World


def put_back(world: World, entry: Target, wanted: Wanted) -> Inputs:
    """Look at Railway's backups, at ours, and at the database where it answers, and freeze what was found.

    Args:
        wanted: its ``backup`` is the ID or the name of one of Railway's.

    Raises:
        OpsError: the target is not on Railway, there is no such backup, or the database does not answer and no flag
            says that it is to go on without a last dump.
    """
    where = f"{world.inventory.file.name}:{entry.line}: {entry.name}"
    if entry.kind != "production" or entry.railway is None:
        raise UsageError(f"{where}: not a production target on Railway", "inv rollback --backup=latest")
    on = world.railway(entry.name)
    volumes = OnVolume(on)
    volumes.can_restore()
    meant = volumes.chosen(wanted.backup.strip())
    ours = newest(target_folder(world, entry.name))
    host = world.host(entry.name)
    return Inputs(
        **anew(world, entry),
        **_database(world, entry, ours, wanted),
        **railway_inputs(world, entry) | {"railway_backups": False},
        **dump_inputs(world, entry),
        **health_inputs(entry),
        backup=ours.backup if ours else "",
        chosen=f"{said_of(meant)}, of the whole volume ({_prefer(entry.name, ours)})",
        app=app_inputs(world, entry.name),
        ssh=host.words if host else (),
        volume_backup=meant.id,
        railway_database=str(on.database),
        no_safety=wanted.no_safety,
    )


def _database(world: World, entry: Target, ours: Manifest | None, wanted: Wanted) -> dict[str, Any]:
    """What is known of the database; by our newest dump where it does not answer."""
    world.url(entry.name)
    sets = some_tools(world)
    try:
        here = identity(world, entry.name)
    except Unreachable as error:
        if not wanted.no_safety:
            said = f"{error.message}; so no last dump of it can be made, and nothing was changed"
            raise Refused(said, "the same with --no-safety   which gives up what is in no dump") from None
        known = {"database": world.database(entry.name), "system": ours.system if ours else ""}
        return {**known, "compress": "1", "tools": str(sets[-1].major)}
    if not wanted.no_safety:
        major = int(here["number"]) // 10000
        world.tools = fitting(world, entry, sets, (major, major), restoring=False)
    with RunLock(world, entry.name, here["database"], "", "railway-restore"):
        pass  # Another run is refused. It can't be held: its session ends with the server.
    tools = world.tools or sets[-1]
    frozen = here["read_only"] == "on"
    return {
        "database": here["database"],
        "system": here["system"],
        "server": here["server"],
        "frozen": frozen,
        "freezes": not (frozen or wanted.no_safety),
        "compress": compression(world, entry, tools, int(here["number"]) // 10000),
        "tools": str(tools.major),
    }


def _prefer(target: str, ours: Manifest | None) -> str:
    if ours is None:
        return "there is no dump of ours"
    way = f"inv rollback --backup={ours.backup} --target={target}"
    return f"rather {way}, which is {age(ours.taken_at)} old"
