"""``inv prune-backups``, ``inv pin`` and ``inv unpin``: show which backups are retained, and remove the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ops.backups.freshness import harm
from ops.backups.pgbackrest.presence import held
from ops.cli.console import Confirmation, Console, interactive
from ops.cli.options import Options, close_stores, open_session, target_of
from ops.core.errors import DONE, Refused
from ops.core.text import age, counted, listed, megabytes
from ops.engine import journal
from ops.engine.inputs import PHYSICAL
from ops.engine.journal import outcome_event
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.stores import manifest as backup
from ops.release.railway_deploy import railway_lock
from ops.retention.pins import pin, pins, unpin
from ops.retention.policy import Decision, decide
from ops.retention.prune import Scrap, find_scraps, note, remove
from ops.retention.reasons import in_use, needed


def _decided(session: Session, target: str, folder: Path) -> tuple[list[Decision], str]:
    """Decide which backups are retained; also return which reasons could not be determined."""
    entry = session.inventory.target(target)
    reasons, missing = needed(session, target, folder)
    known = backup.backups(folder)
    bad = {one.backup: said for one in known if not entry.remote and (said := harm(session, target, one))}
    for manifest in known:
        if said := held(session, manifest):
            reasons.setdefault(manifest.backup, []).append(said)
    return decide(known, entry.keep, reasons, entry.keep_replaced, datetime.now(UTC), bad), missing


def prune(options: Options) -> int:
    """Print which backups are retained and why; remove the others after a confirmation.

    Raises:
        Refused: the removal was not confirmed.
    """
    session, screen = open_session(options), Console(options.json)
    target = target_of(session, options)
    folder, entry = target_folder(session, target), session.inventory.target(target)
    with screen.waiting(f"{target}: check which backups are needed"):
        found, missing = _decided(session, target, folder)
        scraps = list(find_scraps(session, target, folder))
    _show(screen, target, found, scraps)
    if missing:
        screen.text(f"{target}: {missing.removeprefix(f'{target}: ')}")
    going = [one for one in found if not one.stays]
    said = _amount(going, scraps)
    if not going and not scraps:
        return _end(screen, target, "nothing-to-do", "every backup is retained", "")
    if options.plan:
        hint = f"inv prune-backups --confirm={target}"
        return _end(screen, target, "done", f"{said} would be removed; nothing was changed", hint)
    _confirmed(options, screen, target, said)
    close_stores(session, target)
    # While the operator read the list, a run may have started or a backup may have been pinned.
    reasons, _ = needed(session, target, folder)
    going = [one for one in going if one.manifest.backup not in reasons]
    note(folder, going, scraps, found)
    gone = []
    for one in going:
        if one.manifest.backup not in in_use(journal.runs(folder), entry.keep_replaced):
            remove(session, target, folder, one.manifest.backup)
            gone.append(one)
    for scrap in scraps:
        scrap.remove()
    if copy := session.stores.working_copy(target):
        copy.push()
    return _end(screen, target, "done", f"{_amount(gone, scraps)} removed", f"inv backups --target={target}")


def _confirmed(options: Options, screen: Console, target: str, said: str) -> None:
    asked, way_on = interactive(options.json), f"inv prune-backups --confirm={target}"
    if not options.confirm and not asked:
        raise Refused(f"{target}: {said} would be removed; nothing was changed", way_on)
    Confirmation(options.confirm, asked, f"{target}: {said}", way_on).ask(target, "Remove them permanently")


def _show(screen: Console, target: str, found: list[Decision], scraps: list[Scrap]) -> None:
    rows, data = [], []
    for one in found:
        manifest, why = one.manifest, "; ".join(one.reasons) or "no rule retains it"
        size = megabytes(manifest.size)
        rows.append([target, manifest.backup, age(manifest.taken_at), size, "retain" if one.stays else "REMOVE", why])
        told = {"backup": manifest.backup, "stays": one.stays, "reasons": one.reasons, "bytes": manifest.size}
        data.append({"event": "retention", "target": target, **told})
    for scrap in scraps:
        rows.append([target, scrap.name, "", megabytes(scrap.size), "REMOVE", scrap.why])
        told = {"backup": scrap.name, "stays": False, "reasons": [scrap.why], "bytes": scrap.size}
        data.append({"event": "retention", "target": target, **told})
    screen.table("retention", ["target", "backup", "age", "size", "decision", "why"], rows, data)


def _amount(going: Sequence[Decision], scraps: Sequence[Scrap]) -> str:
    freed = sum(one.manifest.size for one in going) + sum(one.size for one in scraps)
    return f"{counted(len(going), 'backup')}, {counted(len(scraps), 'incomplete backup')}, {megabytes(freed)}"


def _end(screen: Console, target: str, outcome: str, reason: str, hint: str, procedure: str = "prune-backups") -> int:
    screen.show(outcome_event(procedure, target, outcome, DONE, reason, hint, stands=""))
    return DONE


def set_pin(options: Options, name: str, pinned: bool) -> int:
    """Pin or unpin a backup. Pinning also locks Railway's own backup of that name.

    Args:
        options: the options of the command line.
        name: the backup: its id, or ``latest``.
        pinned: True to pin, False to unpin.

    Raises:
        UsageError: there is no such backup.
    """
    session, screen = open_session(options), Console(options.json)
    target = target_of(session, options)
    folder = target_folder(session, target)
    known = pins(folder)
    # A pin may outlive its backup.
    found = name if not pinned and name in known else backup.find(folder, name).backup
    close_stores(session, target)
    if not pinned and found not in known:
        said = f"{found} is not pinned; pinned: {listed(sorted(known), 6) or 'none'}"
        return _end(screen, target, "nothing-to-do", said, "", "unpin")
    said = _pin(session, target, found, options.reason) if pinned else _unpin(session, target, found)
    if copy := session.stores.working_copy(target):
        copy.push()
    hint = f"inv prune-backups --target={target} --plan"
    return _end(screen, target, "done", said, hint, "pin" if pinned else "unpin")


def _pin(session: Session, target: str, found: str, reason: str) -> str:
    pin(target_folder(session, target), found, reason)
    said = f"{found} is retained until   inv unpin {found} --target={target}"
    if found.endswith(PHYSICAL):
        said += "; but pgBackRest still expires its own backups by its own configuration"
    if (railway := session.inventory.target(target).railway) and railway.backups:
        said += f"; {_locked(session, target, found)}"
    return said


def _unpin(session: Session, target: str, found: str) -> str:
    unpin(target_folder(session, target), found)
    if copy := session.stores.working_copy(target):
        copy.store.delete([f"{target}/pins/{found}.json"])
    return f"{found} is no longer pinned"


def _locked(session: Session, target: str, name: str) -> str:
    return railway_lock(session, target=target, name=name)
