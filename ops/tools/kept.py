"""Tools about kept databases: whose they are, whether they may go, what differs from the live one."""

from __future__ import annotations

from ops import fingerprint
from ops.errors import Refused
from ops.kept import kept, to_discard
from ops.tools.registry import tool
from ops.world import World


@tool
def check_kept(world: World, *, target: str, name: str) -> str:
    """Say which run kept a database; refuse one that no run of this target made."""
    found = next((one for one in kept(world, target, world.database(target)) if one.name == name), None)
    if found is None:
        # It has become the live one meanwhile, or is gone: the proof or the other gate tells.
        return f"{name} is not kept any more"
    if not found.ours:
        raise Refused(f"{target}: no run of this target has kept {name}", f"inv status --target={target}")
    return f"{name}: {found.story}"


@tool
def check_discard(world: World, *, target: str, name: str) -> str:
    """Refuse to discard what is live, in use, too young, needed by a run, or not ours."""
    live = world.database(target)
    days = world.inventory.target(target).keep_replaced
    found = to_discard(target, kept(world, target, live), name, live, days)
    return f"{name}: kept since {found.since:%Y-%m-%d %H:%M} UTC, longer than {days:g} days"


@tool
def differs_from_kept(world: World, *, target: str, live: str, kept: str) -> str:
    """Say table by table what differs between the live database and the kept one."""
    now, then = (fingerprint.read(world.inventory.path(name)) for name in (live, kept))
    said = []
    for name in sorted(now.tables.keys() | then.tables.keys()):
        one, two = now.tables.get(name), then.tables.get(name)
        if one is None or two is None:
            there = one or two
            rows = there.rows if there else 0
            said.append(f"{name}: {rows:,} rows, only in the {'live' if one else 'kept'} database")
        elif not fingerprint.equal(one, two):
            changed = ", with other content" if one.rows == two.rows else ""
            said.append(f"{name}: {one.rows:,} rows live, {two.rows:,} in the kept database{changed}")
    if not said:
        return "the live database and the kept one hold the same rows"
    return "not live any more after this (kept, and in the safety backup):\n  " + "\n  ".join(said)
