"""Define the actions of a rollback: the loss before and after the swap, and kept databases."""

from __future__ import annotations

from pathlib import Path

from ops.core.errors import Code, Refused
from ops.core.text import listed
from ops.engine.answer import Answer
from ops.engine.hooks import HOOKS
from ops.engine.inputs import RunInputs
from ops.engine.registry import tool
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.recovery.rollback import loss
from ops.recovery.rollback.connections import exists, fingerprint_of, opened
from ops.recovery.rollback.kept_databases import kept, to_discard
from ops.recovery.rollback.loss import Loss
from ops.recovery.rollback.replication import followers
from ops.recovery.rollback.row_changes import Since, counterparts
from ops.recovery.rollback.sequences import noted
from ops.recovery.rollback.written_since import account as account_for
from ops.release.certificate_chain import moves_between
from ops.verdict import fingerprint
from ops.verdict.databases import Databases


@tool
def loss_glance(session: Session, *, before: str, after: str) -> str:
    """List the tables in which a database differs from a backup, with row counts, without reading rows."""
    old, new = (fingerprint.read(session.inventory.path(name)) for name in (before, after))
    said = loss.glance(old, new)
    return "differs from the backup in\n  " + "\n  ".join(said) if said else "equals the backup"


@tool
def loss_preview(
    session: Session, *, target: str, database: str, backup_id: str, before: str, after: str, report: str
) -> str:
    """Show what a rollback would set aside: rows of the live database that are not in the restored backup."""
    return told(_preview(session, target, database, backup_id, before, after, report))


@tool
def loss_recount(
    session: Session, *, target: str, database: str, backup_id: str, before: str, after: str, report: str, shown: str
) -> str:
    """Repeat the preview under the freeze, and report whether it equals the first preview."""
    was = loss.read(session.inventory.path(shown))
    now = _preview(session, target, database, backup_id, before, after, report)
    if _content(was) == _content(now):
        return Answer(f"as shown: {now.counted or 'no row'}; nothing was written since then", Code.AS_SHOWN)
    return f"NOT as shown: rows were written before the freeze; the preview is now\n{told(now)}"


def _content(found: Loss) -> dict[str, object]:
    return found.model_dump(exclude={"tables": {"__all__": {"every_key"}}, "left_out": True})


def _preview(
    session: Session, target: str, database: str, backup_id: str, before: str, after: str, report: str
) -> Loss:
    old, new = (fingerprint.read(session.inventory.path(name)) for name in (before, after))
    pairs = counterparts(old, new, moves_between(target_folder(session, target), old, new))
    with session.connect(target, database) as one, session.connect(target) as two:
        look = Databases({"before": one, "after": two})
        with look.still("after"):
            return loss.preview(look, old, new, pairs, backup_id, session.inventory.path(report))


def told(found: Loss) -> str:
    """Return a preview in words."""
    beside = "".join(f"\n  {sentence}" for sentence in found.left_out)
    if found.nothing:
        return f"nothing would be lost: every table, sequence and large object equals backup {found.backup}{beside}"
    lines = "\n  ".join(found.sentences())
    return f"would be set aside: {found.counted or 'no row'}\n  {lines}{beside}"


@tool
def loss_account(
    session: Session,
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
    """Report the rows written between the preview and the swap. They are in the replaced database and not live."""
    where = session.inventory.path
    old, then, saved = (fingerprint.read(where(name)) for name in (before, after, safety))
    folder = where(shown).parent
    moment = Since.read(where(since).read_text())
    with opened(session, target, replaced):
        now = fingerprint_of(session, target, replaced, str(Path(report).with_name("replaced.jsonl")))
        pairs = counterparts(old, now, moves_between(target_folder(session, target), old, now))
        with session.connect(target) as one, session.connect(target, replaced) as two:
            look = Databases({"before": one, "after": two})
            found = account_for(look, loss.read(where(shown)), then, now, pairs, moment, folder, where(report))
    between = "written between the preview and the swap"
    if found.nothing:
        return f"nothing was {between}; {replaced} holds what the preview showed, and nothing else"
    lines = "\n  ".join(found.sentences())
    said = f"{between}, so not live: {found.counted or 'no row'}\n  {lines}"
    names = [table.table for table in found.tables]
    kept = [name for name in names if fingerprint.equal(saved.tables.get(name), now.tables.get(name))]
    left = [name for name in names if name not in kept]
    if kept:
        said += f"\n  also in the safety backup: {listed(kept)}"
        said += f"\n    inv salvage --target={target} --backup={run}_safety --table={kept[0]}   brings the rows back"
    if left or not kept:
        only = f": {listed(left)}" if left else ""
        said += f"\n  only in the replaced database {replaced}{only}"
        said += f"\n    inv undo --run={run}   swaps the replaced database back in, with these rows"
    return said


@tool
def loss_undone(session: Session, *, target: str, undone: str, before: str, advanced: str, report: str) -> str:
    """Report the rows written to a restored database until it was swapped out again."""
    if not exists(session, target, undone):
        return ""
    with opened(session, target, undone):
        found = fingerprint_of(session, target, undone, report)
    old = fingerprint.read(session.inventory.path(before))
    ours = {name: to for name, to in noted(session.inventory.path(advanced)).items() if name in old.sequences}
    old.sequences |= {name: (to, old.sequences[name][1]) for name, to in ours.items()}
    said = loss.glance(old, found, "in it", "when it was swapped in")
    if not said:
        return f"nothing was written to the restored database; it is retained as {undone}"
    lines = "\n  ".join(said)
    return f"written to the restored database since the swap, and retained in {undone}:\n  {lines}"


def _report(_: Session, __: RunInputs, folder: Path) -> dict[str, object]:
    """Return the loss of a rollback as last counted, and the rows written between that count and the swap."""
    counted = [path for name in ("recount.json", "loss.json") if (path := folder / name).is_file()]
    since = folder / "account.json"
    found = loss.read(counted[0]).data() if counted else {}
    return found | {"since": loss.read(since).data()} if counted and since.is_file() else found


HOOKS.reports["loss"] = _report


@tool
def name_followers(session: Session, *, target: str) -> str:
    """List replication slots, publications, subscriptions and jobs that do not follow a swap, and what to type."""
    found = followers(session, target)
    return "\n".join(f"WARNING: {'' if one.aside else 'after the swap: '}{one.sentence}" for one in found)


@tool
def check_kept(session: Session, *, target: str, name: str) -> str:
    """Report which run retained a database; refuse a database that no run of this target made."""
    found = next((one for one in kept(session, target, session.database(target)) if one.name == name), None)
    if found is None:
        # The database is live by now, or was dropped: the proof or another gate reports that.
        return f"{name} is no kept database any more"
    if not found.ours:
        raise Refused(f"{target}: no run of this target made {name}", f"inv status --target={target}")
    return f"{name}: {found.story}"


@tool
def check_discard(session: Session, *, target: str, name: str) -> str:
    """Refuse to drop a database that is live, in use, too young, needed by a run, or made by somebody else."""
    live = session.database(target)
    days = session.inventory.target(target).keep_replaced
    found = to_discard(target, kept(session, target, live), name, live, days)
    return f"{name}: retained since {found.since:%Y-%m-%d %H:%M} UTC, longer than {days:g} days"


@tool
def differs_from_kept(session: Session, *, target: str, live: str, kept: str) -> str:
    """List the tables that differ between the live and the kept database."""
    now, then = (fingerprint.read(session.inventory.path(name)) for name in (live, kept))
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
        return "the live and the kept database hold the same rows"
    return "not live after the swap (retained, and in the safety backup):\n  " + "\n  ".join(said)
