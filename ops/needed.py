"""Why a backup is needed beside the policy of retention: pins, proofs, certificates, runs, kept databases."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ops import certificate, counted, journal
from ops.backup import backups
from ops.errors import OpsError
from ops.files import write_whole
from ops.inputs import PHYSICAL, UNPACKED
from ops.journal import State
from ops.kept import kept
from ops.private import whole_id
from ops.proved import failed, proved
from ops.world import World

PINS = "pins"
# What a run calls the backups that it takes, beside the one that has its own id.
OWN = ("", "_safety", "_last", "_delta", PHYSICAL)


def needed(world: World, target: str, folder: Path) -> tuple[dict[str, list[str]], str]:
    """Reasons by a backup's id, and what could not be looked at.

    Where the server does not answer, what a kept database could need is taken as needed.
    """
    runs = journal.runs(folder)
    found: dict[str, list[str]] = defaultdict(list)
    for backup, reason in pins(folder).items():
        found[backup].append("pinned" + (f": {reason}" if reason else ""))
    bad = failed(runs)
    good = [one for one in proved(runs) if one not in bad]
    dumps = counted.dumps(backups(folder))
    if newest := counted.newest(one for one in dumps if one.backup in good):
        found[newest.backup].append("the newest proved one")
    whole = counted.whole(dumps)
    if whole and len(whole) < len(dumps):
        found[whole[-1].backup].append("the newest that holds every table")
    for path in sorted((folder / "certificates").glob("*.json")):
        for backup in _bound(folder, path.stem):
            found[backup].append(f"certificate {path.stem} needs it")
    for backup, run in in_use(runs, world.inventory.target(target).keep_replaced).items():
        found[backup].append(f"run {run} is not finished")
    missing = _for_kept(world, target, runs, found)
    return dict(found), missing


def in_use(runs: Sequence[State], days: float) -> dict[str, str]:
    """The backups of runs that may still be gone on with, by id, with the run's.

    The last run is one as long as it is not finished, an older one for so many days, and one at least.
    """
    since = datetime.now(UTC) - timedelta(days=max(days, 1))
    open_ = [state for state in runs if not state.finished]
    return {backup: state.run for state in open_ if state is runs[-1] or _at(state) > since for backup in _of(state)}


def _at(state: State) -> datetime:
    """When the run did something last; now where that can't be read, so that it counts as going on."""
    try:
        return datetime.fromisoformat(str((state.last or state.header)["at"]))
    except (KeyError, ValueError):
        return datetime.now(UTC)


def _bound(folder: Path, name: str) -> list[str]:
    """The backup of a certificate that is still valid; one that can't be read needs none."""
    try:
        found = certificate.read(folder, name)
    except OpsError:
        return []
    return [found.bound.backup] if found.expires_at > datetime.now(UTC) else []


def _of(state: State) -> list[str]:
    """The backup that it works with, and those that it may have taken."""
    made = (state.backup.removesuffix(PHYSICAL) + UNPACKED,) if state.procedure == "unpack" else ()
    return list(dict.fromkeys(filter(None, (state.backup, *made, *(f"{state.run}{end}" for end in OWN)))))


def _for_kept(world: World, target: str, runs: Sequence[State], found: dict[str, list[str]]) -> str:
    try:
        live = world.database(target)
        names = {one.run: one.name for one in kept(world, target, live)}
    except OpsError as error:
        for state in runs:
            if state.procedure in ("rollback", "rollback-to-replaced", "auto-rollback") and not state.undone:
                for backup in _of(state):
                    found[backup].append(f"a database kept by run {state.run} may need it")
        return f"{error.message}; what a kept database may need stays"
    for state in runs:
        if state.run in names:
            for backup in _of(state):
                found[backup].append(f"the kept database {names[state.run]} needs it")
    return ""


def pins(folder: Path) -> dict[str, str]:
    """The pinned backups of a target, each with why; a pin that can't be read still holds."""
    found = {}
    for path in sorted((folder / PINS).glob("*.json")):
        try:
            found[path.stem] = str(json.loads(path.read_text(encoding="utf-8")).get("reason") or "")
        except (OSError, ValueError, AttributeError):
            found[path.stem] = ""
    return found


def pin(folder: Path, backup: str, reason: str) -> None:
    """Keep a backup until it is unpinned."""
    said = {"backup": backup, "reason": reason, "at": journal.now()}
    write_whole(_pin(folder, backup), json.dumps(said))


def unpin(folder: Path, backup: str) -> bool:
    """Let retention decide again; False where it was not pinned."""
    path = _pin(folder, backup)
    there = path.exists()
    path.unlink(missing_ok=True)
    return there


def _pin(folder: Path, backup: str) -> Path:
    return folder / PINS / f"{whole_id(backup, 'backup id')}.json"
