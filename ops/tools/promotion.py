"""Tools of the promotion: production is held against what was rehearsed."""

from __future__ import annotations

from ops import certificate, fingerprint
from ops.errors import DataDiffers, Refused, StepFailed
from ops.files import write_whole
from ops.look import Databases
from ops.probes import pending, probe, target_folder
from ops.promoted import Holdings, hold, objections
from ops.tools.registry import tool
from ops.world import World


@tool
def check_rest(world: World, *, target: str, name: str) -> str:
    """Compare the migrations that production has, and those that are left, with the rehearsed ones."""
    found = certificate.read(target_folder(world, target), name)
    now = probe(world, target, target)
    if said := certificate.partly(found, set(now["applied"]), pending(now)):
        raise Refused(f"{target}: not what was rehearsed: {'; '.join(said)}", "inv status")
    return f"{len(now['pending'])} of {len(found.pending)} rehearsed migrations are left"


@tool
def hold_production(world: World, *, target: str, name: str, before: str, report: str) -> str:
    """Note what production holds before its migrations; refuse where they would drop what was never rehearsed."""
    found = certificate.read(target_folder(world, target), name)
    file = world.inventory.path(report)
    with world.connect(target) as connection:
        look = Databases({"before": connection})
        holdings, said = hold(found, fingerprint.read(world.inventory.path(before)), look, file.parent)
    if said:
        raise DataDiffers(
            f"{target}: written since the rehearsal, and the migrations would drop it: {'; '.join(said[:4])}",
            f"inv undo --target={target}   then   inv release --target={target}",
        )
    write_whole(file, holdings.model_dump_json())
    return f"{len(holdings.tables)} tables are held against the rehearsal"


@tool
def verify_production(world: World, *, target: str, name: str, held: str, after: str, frozen: str) -> str:
    """Compare production after the migrations with what it held before, over the columns that the rehearsal proved."""
    found = certificate.read(target_folder(world, target), name)
    new = fingerprint.read(world.inventory.path(after))
    try:
        holdings = Holdings.model_validate_json(world.inventory.path(held).read_bytes())
        with world.connect(target) as connection:
            said = objections(found, holdings, new, Databases({"after": connection}), frozen == "yes")
    except (ValueError, OSError):
        raise StepFailed(
            f"{target}: {held}: what production held before can't be read any more, so nothing is proved"
        ) from None
    if said:
        raise DataDiffers(f"{target}: production is not what was rehearsed: {'; '.join(said[:4])}")
    return f"{len(holdings.tables)} tables hold what they held before"
