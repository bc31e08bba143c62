"""Tools of a rollback: what it sets aside, before and after the swap."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from ops import fingerprint, loss
from ops.account import account as account_for
from ops.delta import Since, counterparts
from ops.look import Databases
from ops.loss import Loss
from ops.moved import moves_between
from ops.opened import exists, fingerprint_of, opened
from ops.probes import target_folder
from ops.tools.registry import tool
from ops.world import World

AS_SHOWN = "as shown"


@tool
def loss_glance(world: World, *, before: str, after: str) -> str:
    """Say in which tables a database differs from a backup, with rows; the rows themselves are not read."""
    old, new = (fingerprint.read(world.inventory.path(name)) for name in (before, after))
    said = loss.glance(old, new)
    return "differs from the backup in\n  " + "\n  ".join(said) if said else "equals the backup"


@tool
def loss_preview(
    world: World, *, target: str, database: str, backup_id: str, before: str, after: str, report: str
) -> str:
    """Say what a rollback would set aside: which rows of the live database are not in the restored backup."""
    return told(_preview(world, target, database, backup_id, before, after, report))


@tool
def loss_recount(
    world: World, *, target: str, database: str, backup_id: str, before: str, after: str, report: str, shown: str
) -> str:
    """The same again while production is frozen; say whether it is what was shown before."""
    was = loss.read(world.inventory.path(shown))
    now = _preview(world, target, database, backup_id, before, after, report)
    if _content(was) == _content(now):
        return f"{AS_SHOWN}: {now.counted or 'no row'}; nothing was written since"
    return f"NOT as shown: more was written until the freeze; now it is\n{told(now)}"


def _content(found: Loss) -> dict[str, object]:
    return found.model_dump(exclude={"tables": {"__all__": {"every_key"}}, "left_out": True})


def _preview(world: World, target: str, database: str, backup_id: str, before: str, after: str, report: str) -> Loss:
    old, new = (fingerprint.read(world.inventory.path(name)) for name in (before, after))
    pairs = counterparts(old, new, moves_between(target_folder(world, target), old, new))
    with world.connect(target, database) as one, world.connect(target) as two, _one_snapshot(two):
        look = Databases({"before": one, "after": two})
        return loss.preview(look, old, new, pairs, backup_id, world.inventory.path(report))


@contextmanager
def _one_snapshot(connection: psycopg.Connection[object]) -> Iterator[None]:
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with connection.transaction():
        yield


def told(found: Loss) -> str:
    """A preview for a person."""
    beside = "".join(f"\n  {sentence}" for sentence in found.left_out)
    if found.nothing:
        return f"nothing would be lost: every table, sequence and large object equals backup {found.backup}{beside}"
    lines = "\n  ".join(found.sentences())
    return f"would be set aside: {found.counted or 'no row'}\n  {lines}{beside}"


@tool
def loss_account(
    world: World,
    *,
    target: str,
    replaced: str,
    before: str,
    after: str,
    since: str,
    shown: str,
    safety: str,
    run: str,
    report: str,
) -> str:
    """Say what was written between the preview and the swap: it is in the replaced database, and not live."""
    where = world.inventory.path
    old, then, saved = (fingerprint.read(where(name)) for name in (before, after, safety))
    folder = where(shown).parent
    moment = Since.read(where(since).read_text())
    with opened(world, target, replaced):
        now = fingerprint_of(world, target, replaced, str(Path(report).with_name("replaced.jsonl")))
        pairs = counterparts(old, now, moves_between(target_folder(world, target), old, now))
        with world.connect(target) as one, world.connect(target, replaced) as two:
            look = Databases({"before": one, "after": two})
            found = account_for(look, loss.read(where(shown)), then, now, pairs, moment, folder, where(report))
    if found.nothing:
        return (
            f"nothing was written between the preview and the swap; {replaced} holds what was shown, and nothing else"
        )
    lines = "\n  ".join(found.sentences())
    said = f"written between the preview and the swap, so not live now: {found.counted or 'no row'}\n  {lines}"
    names = [table.table for table in found.tables]
    kept = [name for name in names if fingerprint.equal(saved.tables.get(name), now.tables.get(name))]
    left = [name for name in names if name not in kept]
    if kept:
        said += f"\n  all of it in the safety backup, too: {fingerprint.listed(kept)}"
        said += f"\n    inv salvage --target={target} --backup={run}_safety --table={kept[0]}   brings it back"
    if left or not kept:
        only = f": {fingerprint.listed(left)}" if left else ""
        said += f"\n  only in the replaced database {replaced}{only}"
        said += f"\n    inv undo --run={run}   swaps it back in, with all of it"
    return said


@tool
def loss_undone(world: World, *, target: str, undone: str, before: str, report: str) -> str:
    """Say how much was written to a restored database until it was swapped out again."""
    if not exists(world, target, undone):
        return ""
    with opened(world, target, undone):
        found = fingerprint_of(world, target, undone, report)
    said = loss.glance(fingerprint.read(world.inventory.path(before)), found, "in it", "when it was restored")
    if not said:
        return f"nothing was written to the restored database; it is kept as {undone}"
    lines = "\n  ".join(said)
    return f"written to the restored database meanwhile, and kept in {undone}:\n  {lines}"


__all__ = ["AS_SHOWN", "loss_account", "loss_glance", "loss_preview", "loss_recount", "loss_undone", "told"]
