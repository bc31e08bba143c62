"""Determine whether a target's backups can be relied on: age, completeness, last proof.

No database is queried. `inv check-backups` and the doctor use the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ops.backups.pgbackrest.presence import gone
from ops.backups.pgbackrest.verify import verify
from ops.backups.restore_tests import Proved, failed, proved, told
from ops.core.errors import OpsError
from ops.core.text import age, megabytes
from ops.engine import journal
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.infra.stores import backup_kinds
from ops.infra.stores import manifest as backup
from ops.infra.stores.manifest import Manifest
from ops.inventory.fields import Fresh, span, spoken
from ops.verdict.fingerprint import not_backed_up

STORE = "check the store and its access (docs/how-to/stores.md)"
PGBACKREST = "pgbackrest info   and docs/how-to/pgbackrest.md"
MENDS = ("backup", "drill")


@dataclass
class Freshness:
    """Hold the state of a target's backups. ``wrong`` lists the faults in sentences; empty if there are none."""

    target: str
    newest: Manifest | None = None
    proved: Proved | None = None
    wrong: list[str] = field(default_factory=list)
    said: str = ""
    harm: str = ""
    passed: list[str] = field(default_factory=list)
    _mended_by: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Return True if there are no faults."""
        return not self.wrong

    @property
    def line(self) -> str:
        """Return one line for a monitor."""
        words = f"FAILED: {'; '.join(self.wrong)}" if self.wrong else "ok"
        return f"{self.target}: {words}" + (f": {self.said}" if self.said else "")

    @property
    def hint(self) -> str:
        """Return what to type."""
        if looks := [one for one in self._mended_by if one not in MENDS]:
            return STORE if STORE in looks else looks[0]
        mend = "drill" if self._mended_by == ["drill"] else "backup"
        return "" if self.well else f"inv {mend} --target={self.target}"

    def fault(self, said: str, mend: str = "backup") -> None:
        """Add a fault, and its remedy: ``backup``, ``drill``, or a command to type."""
        self.wrong.append(said)
        self._mended_by.append(mend)


def freshness(session: Session, target: str, *, deep: bool = False) -> Freshness:
    """Check a target's backups.

    Args:
        deep: compare every file's sha256, also in a remote store; for pgBackRest's backups, run pgbackrest verify.
    """
    folder, fresh = target_folder(session, target), session.inventory.target(target).fresh
    found = Freshness(target)
    copy = session.stores.working_copy(target)
    if copy and copy.trouble:
        found.fault(copy.trouble.message, STORE)
        return found
    try:
        newest = _counted(session, folder, found)
    except OpsError:
        found.fault(f"there is no backup{_attempt(folder, '')}")
        found.said = "; ".join(found.passed)
        return found
    runs = journal.runs(folder)
    done, bad = proved(runs), failed(runs)
    found.newest = newest
    found.proved = max(done.values(), key=lambda one: one.at, default=None)
    size = f"{sum(newest.rows.values()):,} rows, {megabytes(newest.whole)}"
    found.said = f"{newest.backup}, {age(newest.taken_at)} old, {size}; proved {told(newest.backup, done, bad)}"
    if rest := not_backed_up(newest.excluded):
        found.said += f"; {rest}"
    found.said += "".join(f"; {one}" for one in found.passed)
    _hold_ages(found, newest, fresh, folder)
    found.harm = harm(session, target, newest, deep=deep)
    if found.harm:
        found.fault(found.harm, STORE if copy else "backup")
    if deep and newest.engine and PGBACKREST not in found._mended_by:
        _verify(session, newest, found)
    if newest.backup in bad:
        again = f"inv drill --target={target}   and, if the drill fails again,   inv backup --target={target}"
        found.fault(f"drill {bad[newest.backup]} did not prove the newest backup", again)
    if fresh.proved and (found.proved is None or datetime.now(UTC) - found.proved.at > span(fresh.proved)):
        last = f"the last one {age(found.proved.at)} ago" if found.proved else "never"
        found.fault(f"no backup was proved within {spoken(fresh.proved)}: {last}", "drill")
    return found


def _hold_ages(found: Freshness, newest: Manifest, fresh: Fresh, folder: Path) -> None:
    """Report a newest backup that is too old or has a date in the future."""
    now = datetime.now(UTC)
    if now - newest.taken_at > span(fresh.backup):
        found.fault(f"the newest backup is older than {spoken(fresh.backup)}{_attempt(folder, newest.backup)}")
    if newest.taken_at - now > timedelta(hours=1):
        found.fault("the newest backup has a date in the future: a clock is wrong")


def _counted(session: Session, folder: Path, found: Freshness) -> Manifest:
    """Return the newest backup. A backup that pgBackRest no longer has does not count.

    Raises:
        OpsError: there is no backup.
    """
    for one in reversed(backup_kinds.real(backup.backups(folder))):
        try:
            lost = gone(session, one)
        except OpsError as error:
            found.fault(error.message, PGBACKREST)
            return one
        if not lost:
            return one
        found.passed.append(f"{one.backup} does not count: {lost}")
    return backup.find(folder, "latest" if not found.passed else "")


def _verify(session: Session, newest: Manifest, found: Freshness) -> None:
    """Let pgBackRest verify its repository; the store holds only the fingerprint."""
    try:
        found.said += f"; {verify(session, newest)}"
    except OpsError as error:
        found.fault(error.message, error.hint)


def harm(session: Session, target: str, manifest: Manifest, *, deep: bool = False) -> str:
    """Return the damage to a backup's files, here or in the remote store; empty without damage.

    Args:
        deep: read all files; otherwise only sizes are compared.
    """
    if stored := session.stores.stored(target, manifest.backup):
        try:
            stored.check(deep=deep)
        except OpsError as error:
            return error.message.removeprefix(f"{target}: ")
        return ""
    place = backup.folder_of(target_folder(session, target), manifest.backup)
    if deep:
        return "; ".join(f"its file {one}" for one in backup.damage(place)[:3])
    for name, (_, size) in manifest.files.items():
        path = place / name
        if not path.is_file() or path.stat().st_size != size:
            return f"its file {name} has another size than the manifest names"
    return ""


def _attempt(folder: Path, newest: str) -> str:
    """Return a note on the last unfinished backup since ``newest``; empty without one."""
    begun = [path.stem for path in (folder / "backups").glob("*.partial") if path.stem > newest]
    return f"; {max(begun)} was begun since, and is unfinished" if begun else ""
