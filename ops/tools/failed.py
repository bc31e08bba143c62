"""Tools about a release that failed: what production has of it, and whether it is as before."""

from __future__ import annotations

from ops import certificate, fingerprint
from ops.errors import DataDiffers, OpsError, Refused
from ops.probes import applied, probe, target_folder
from ops.tools.registry import tool
from ops.world import World


def applied_of(world: World, target: str, name: str) -> tuple[list[str], list[str]]:
    """Which of a certificate's migrations production has, and which are left, in their order."""
    pending = [migration for migration, _ in certificate.read(target_folder(world, target), name).bound.migrations]
    have = set(applied(world, target))
    return [m for m in pending if m in have], [m for m in pending if m not in have]


def in_parts(world: World, target: str, database_of: str) -> str:
    """The first migration that is left, where it is not one transaction: a part of it may be done. Empty otherwise."""
    left = probe(world, target, database_of)["pending"]
    return str(left[0]["name"]) if left and not left[0]["atomic"] else ""


def _may_be_in_parts(world: World, target: str, left: list[str]) -> str:
    """The same in words, and where the application can't be asked."""
    try:
        stopped = in_parts(world, target, target)
    except OpsError:
        return f"{left[0]} may not be one transaction"
    return stopped and f"{stopped} is not atomic"


@tool
def check_atomic(world: World, *, target: str, database_of: str) -> str:
    """Say whether the first migration that is left on a database is one transaction."""
    if name := in_parts(world, target, database_of):
        raise Refused(f"{name} is not atomic, so a part of it may be applied", f"inv status --target={target}")
    return "what failed was one transaction"


@tool
def explain_promotion(world: World, *, target: str, name: str, run: str, backup_id: str, frozen: str) -> str:
    """Say what production has of a promotion that did not end well, and what to type."""
    done, left = applied_of(world, target, name)
    go_on = f"inv resume --run={run} --target={target}"
    if not done and (stopped := _may_be_in_parts(world, target, left)):
        return (
            f"no migration of this release is recorded on production ({len(left)} left), but {stopped}: a part of it "
            f"may be applied\n"
            f"Try: inv rollback --target={target} --backup={backup_id}   # brings back what was before the migrations\n"
            f"Try: inv undo --run={run} --target={target}   # only where production is proved to be as before"
        )
    if not done:
        writes = " and lets production take writes again" if frozen == "yes" else ""
        return (
            f"no migration of this release is applied on production ({len(left)} left), and what failed was one "
            f"transaction\n"
            f"Try: {go_on}   # tries again\n"
            f"Try: inv undo --run={run} --target={target}   # takes the release back{writes}"
        )
    which = f"all {len(done)} migrations are applied on production" if len(done) > 1 else "the migration is applied"
    if left:
        which = f"production is migrated half-way: applied are {', '.join(done)}; not applied are {', '.join(left)}"
    loses = "loses nothing: nobody could write since that backup"
    if frozen != "yes":
        loses = "first shows what was written since that backup, which is kept aside, but not live: nothing was frozen"
    return (
        f"{which}\n"
        f"Try: inv rollback --target={target} --backup={backup_id}   # brings back what was before the migrations, and "
        f"{loses}\n"
        f"Try: {go_on}   # goes on, when what failed is mended"
    )


@tool
def check_as_before(world: World, *, before: str, after: str) -> str:
    """Prove that production is what it was right before a release: every table row for row, every sequence."""
    one, two = (fingerprint.read(world.inventory.path(name)) for name in (before, after))
    wrong = fingerprint.differences(one, two)
    if not wrong and one.schema != two.schema:
        wrong = ["its schema is another one"]
    if wrong:
        raise DataDiffers(
            f"{after}: production is not what it was before the release: {'; '.join(wrong[:3])}", "inv status"
        )
    return f"production is what it was before the release: {one.rows:,} rows in {len(one.tables)} tables are equal"
