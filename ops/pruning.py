"""prune-backups, pin and unpin: what of a target's backups stays, shown first, and what is removed.

A backup that is to go first loses its name, so that nothing takes it for one, and then its files; what was cut off in
between is finished by the next call. What was removed, and why the rest stayed, is noted in `prunings/`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ops import backup, journal
from ops.backup import age
from ops.console import Confirmation, Console, ending, interactive
from ops.engine.gone import held
from ops.errors import DONE, Refused
from ops.files import sync_folder, write_whole
from ops.freshness import harm
from ops.inputs import PHYSICAL
from ops.main import Options, close_stores, target_of, world_of
from ops.needed import in_use, needed, pin, unpin
from ops.probes import target_folder
from ops.retention import Decision, decide
from ops.store import Kept
from ops.stored import MANIFEST, StoredBackup, listed
from ops.tools.railway import railway_lock
from ops.world import World

GOING, PARTIAL = ".removing", ".partial"
# What is half-written for so long, or in the store without a manifest, is nobody's who is still at it.
FORGOTTEN = timedelta(days=1)


@dataclass(frozen=True)
class Scrap:
    """What is no backup and fills the store: a half-written one that no run needs, one that was being removed, a part
    of one in a remote store."""

    name: str
    why: str
    path: Path | None = None
    stored: StoredBackup | None = None
    size: int = 0

    def remove(self) -> None:
        """Remove it."""
        if self.path:
            shutil.rmtree(self.path)
        if self.stored:
            self.stored.remove()


def prune(options: Options) -> int:
    """Show what stays and what may go, and why; remove it where that is confirmed.

    Raises:
        Refused: it is not confirmed; what to type.
    """
    world, screen = world_of(options), Console(options.json)
    target = target_of(world, options)
    folder, entry = target_folder(world, target), world.inventory.target(target)
    reasons, missing = needed(world, target, folder)
    known = backup.backups(folder)
    bad = {one.backup: said for one in known if not entry.remote and (said := harm(world, target, one))}
    for manifest in known:
        if said := held(world, manifest):
            reasons.setdefault(manifest.backup, []).append(said)
    found = decide(known, entry.keep, reasons, entry.keep_replaced, datetime.now(UTC), bad)
    scraps = list(_scraps(world, target, folder))
    _show(screen, target, found, scraps)
    if missing:
        screen.text(f"{target}: {missing}")
    going = [one for one in found if not one.stays]
    said = _amount(going, scraps)
    if not going and not scraps:
        return _end(screen, target, "nothing-to-do", f"{target}: nothing may go", "")
    if options.plan:
        hint = f"inv prune-backups --confirm={target}"
        return _end(screen, target, "done", f"{said} would go; nothing was changed", hint)
    _confirmed(options, screen, target, said)
    close_stores(world, target)
    # A run may have begun, or somebody pinned one, while a person read.
    reasons, _ = needed(world, target, folder)
    going = [one for one in going if one.manifest.backup not in reasons]
    _note(folder, going, scraps, found)
    gone = []
    for one in going:
        if one.manifest.backup not in in_use(journal.runs(folder), entry.keep_replaced):
            remove(world, target, folder, one.manifest.backup)
            gone.append(one)
    for scrap in scraps:
        scrap.remove()
    if copy := world.working_copy(target):
        copy.push()
    return _end(screen, target, "done", f"{_amount(gone, scraps)} removed", f"inv backups --target={target}")


def _confirmed(options: Options, screen: Console, target: str, said: str) -> None:
    asked, way_on = interactive(options.json), f"inv prune-backups --confirm={target}"
    if not options.confirm and not asked:
        raise Refused(f"{target}: {said} would go; nothing was changed", way_on)
    Confirmation(options.confirm, asked, f"{target}: {said}", way_on).ask(target, "Remove them for good")


def remove(world: World, target: str, folder: Path, name: str) -> None:
    """Remove one backup, here and in the remote store; nothing takes it for one from the first moment on."""
    if stored := world.stored(target, name):
        stored.remove()
    place = folder / "backups" / name
    if place.exists():
        gone = place.with_name(f"{name}{GOING}")
        place.rename(gone)
        sync_folder(place.parent)
        shutil.rmtree(gone)


def _scraps(world: World, target: str, folder: Path) -> Iterator[Scrap]:
    working = {one.run for one in journal.runs(folder) if not one.finished}
    for path in sorted((folder / "backups").glob("*")):
        size = sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
        if path.suffix == GOING:
            yield Scrap(path.name, "its removal was cut off", path, size=size)
        elif path.suffix == PARTIAL and not any(path.name.startswith(run) for run in working) and _old(path):
            yield Scrap(path.name, "half-written, and no run goes on with it", path, size=size)
    if copy := world.working_copy(target):
        yield from _forgotten(world, target, listed(copy.store, target, "backups/"))


def _forgotten(world: World, target: str, there: dict[str, Kept]) -> Iterator[Scrap]:
    parts: dict[str, list[Kept]] = {}
    for name, kept in there.items():
        parts.setdefault(name.split("/")[1], []).append(kept)
    for name, all_kept in parts.items():
        old = max(one.at for one in all_kept) < datetime.now(UTC) - FORGOTTEN
        if old and f"backups/{name}/{MANIFEST}" not in there:
            why = "a part in the store, without a manifest"
            yield Scrap(name, why, stored=world.stored(target, name), size=sum(one.size for one in all_kept))


def _show(screen: Console, target: str, found: list[Decision], scraps: list[Scrap]) -> None:
    rows, data = [], []
    for one in found:
        manifest, why = one.manifest, "; ".join(one.reasons) or "no rule keeps it"
        size = f"{manifest.size / 1e6:,.1f} MB"
        rows.append([target, manifest.backup, age(manifest.taken_at), size, "stays" if one.stays else "GOES", why])
        told = {"backup": manifest.backup, "stays": one.stays, "reasons": one.reasons, "bytes": manifest.size}
        data.append({"event": "retention", "target": target, **told})
    for scrap in scraps:
        rows.append([target, scrap.name, "", f"{scrap.size / 1e6:,.1f} MB", "GOES", scrap.why])
        told = {"backup": scrap.name, "stays": False, "reasons": [scrap.why], "bytes": scrap.size}
        data.append({"event": "retention", "target": target, **told})
    screen.table("retention", ["target", "backup", "age", "size", "stays", "why"], rows, data)


def _old(path: Path) -> bool:
    newest = max((one.stat().st_mtime for one in (path, *path.rglob("*"))), default=0)
    return datetime.fromtimestamp(newest, UTC) < datetime.now(UTC) - FORGOTTEN


def _note(folder: Path, going: list[Decision], scraps: list[Scrap], found: list[Decision]) -> None:
    moment = f"{datetime.now(UTC):%Y%m%d_%H%M%S}"
    told = {
        "at": journal.now(),
        "removed": [one.manifest.backup for one in going] + [one.name for one in scraps],
        "kept": {one.manifest.backup: one.reasons for one in found if one.stays},
    }
    write_whole(folder / "prunings" / f"{moment}.json", json.dumps(told, indent=1, ensure_ascii=False))


def _amount(going: Sequence[Decision], scraps: Sequence[Scrap]) -> str:
    freed = sum(one.manifest.size for one in going) + sum(one.size for one in scraps)
    return f"{_many(len(going), 'backup')}, {_many(len(scraps), 'left-over part')}, {freed / 1e6:,.1f} MB"


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _end(screen: Console, target: str, outcome: str, reason: str, hint: str, procedure: str = "prune-backups") -> int:
    screen.show(ending(procedure, target, outcome, DONE, reason, hint, stands=""))
    return DONE


def set_pin(options: Options, name: str, pinned: bool) -> int:
    """Pin a backup, or let it go again; Railway's own backup of that name is locked, too.

    Raises:
        UsageError: there is no such backup.
    """
    world, screen = world_of(options), Console(options.json)
    target = target_of(world, options)
    folder = target_folder(world, target)
    found = backup.find(folder, name).backup if pinned else name
    close_stores(world, target)
    word = "pin" if pinned else "unpin"
    if pinned:
        pin(folder, found, options.reason)
        said = f"{found} stays until   inv unpin {found}"
        if found.endswith(PHYSICAL):
            said += "; pgBackRest expires its own all the same: its retention is in its configuration"
        if (railway := world.inventory.target(target).railway) and railway.backups:
            said += f"; {_locked(world, target, found)}"
    else:
        said = f"{found} is pinned no more" if unpin(folder, found) else f"{found} was not pinned"
        if copy := world.working_copy(target):
            copy.store.delete([f"{target}/pins/{found}.json"])
    if copy := world.working_copy(target):
        copy.push()
    return _end(screen, target, "done", said, f"inv prune-backups --target={target} --plan", word)


def _locked(world: World, target: str, name: str) -> str:
    return railway_lock(world, target=target, name=name)
