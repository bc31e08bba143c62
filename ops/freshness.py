"""Whether a target's backups can be relied on now: how old, whether all of it is there, when one was last proved.

It needs no database. The doctor asks the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ops import backup, journal
from ops.backup import Manifest, age
from ops.errors import OpsError
from ops.inventory_words import span, spoken
from ops.probes import target_folder
from ops.proved import Proved, failed, proved, told
from ops.world import World


@dataclass
class Freshness:
    """What is known of a target's backups. ``wrong`` says in sentences what must not be so; all is well without."""

    target: str
    newest: Manifest | None = None
    proved: Proved | None = None
    wrong: list[str] = field(default_factory=list)
    said: str = ""
    harm: str = ""

    @property
    def well(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong

    @property
    def line(self) -> str:
        """One line for a monitor."""
        words = f"FAILED: {'; '.join(self.wrong)}" if self.wrong else "ok"
        return f"{self.target}: {words}" + (f": {self.said}" if self.said else "")

    @property
    def hint(self) -> str:
        """What to type."""
        if any("://" in one for one in self.wrong):
            return "look at the store and its access (docs/stores.md)"
        old = any("proved" in one or "drill" in one for one in self.wrong) and len(self.wrong) == 1
        return "" if self.well else f"inv {'drill' if old else 'backup'} --target={self.target}"


def freshness(world: World, target: str, *, deep: bool = False) -> Freshness:
    """Look at a target's backups.

    Args:
        deep: compare every file's sha256, also of what is in an object store only.
    """
    folder, fresh = target_folder(world, target), world.inventory.target(target).fresh
    found = Freshness(target)
    if (copy := world.working_copy(target)) and copy.trouble:
        found.wrong.append(copy.trouble.message)
        return found
    try:
        newest = backup.find(folder, "latest")
    except OpsError:
        found.wrong.append(f"there is no backup{_attempt(folder, '')}")
        return found
    runs = journal.runs(folder)
    done, bad = proved(runs), failed(runs)
    found.newest = newest
    found.proved = max(done.values(), key=lambda one: one.at, default=None)
    rows = sum(newest.rows.values())
    proof = f"proved {told(newest.backup, done, bad)}"
    found.said = f"{newest.backup}, {age(newest.taken_at)} old, {rows:,} rows, {newest.size / 1e6:,.1f} MB; {proof}"
    now = datetime.now(UTC)
    if now - newest.taken_at > span(fresh.backup):
        found.wrong.append(f"the newest backup is older than {spoken(fresh.backup)}{_attempt(folder, newest.backup)}")
    if newest.taken_at - now > timedelta(hours=1):
        found.wrong.append("the newest backup is of the future: a clock is wrong")
    found.harm = harm(world, target, newest, deep=deep)
    if found.harm:
        found.wrong.append(found.harm)
    if newest.backup in bad:
        found.wrong.append(f"drill {bad[newest.backup]} did not prove the newest backup")
    if fresh.proved and (found.proved is None or now - found.proved.at > span(fresh.proved)):
        last = f"the last one {age(found.proved.at)} ago" if found.proved else "never"
        found.wrong.append(f"no backup was proved within {spoken(fresh.proved)}: {last}")
    return found


def harm(world: World, target: str, manifest: Manifest, *, deep: bool = False) -> str:
    """What is wrong with a backup's files, here or in the object store; empty where nothing is.

    Args:
        deep: read all of it; else their sizes are looked at.
    """
    if stored := world.stored(target, manifest.backup):
        try:
            stored.check(deep=deep)
        except OpsError as error:
            return error.message.removeprefix(f"{target}: ")
        return ""
    place = backup.folder_of(target_folder(world, target), manifest.backup)
    if deep:
        return "; ".join(f"its file {one}" for one in backup.damage(place)[:3])
    for name, (_, size) in manifest.files.items():
        path = place / name
        if not path.is_file() or path.stat().st_size != size:
            return f"its file {name} is not what was written"
    return ""


def _attempt(folder: Path, newest: str) -> str:
    """The last backup that was begun since and is none: it \"ran\", and nothing is there."""
    begun = [path.stem for path in (folder / "backups").glob("*.partial") if path.stem > newest]
    return f"; {max(begun)} was begun since, and is half-written" if begun else ""
