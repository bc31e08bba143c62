"""Checks of what is kept: the store and its room, the newest backup, left-over databases, runs, a frozen production."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from ops import backup, counted, excluded, frozen, journal, room
from ops import kept as databases
from ops.backup import amount
from ops.command import quote
from ops.doctor.check import Finding, Subject, fail, ok, warn
from ops.errors import OpsError
from ops.freshness import freshness
from ops.listings import aside
from ops.main import replan
from ops.postgres import NO_COMPRESS, choose
from ops.private import OTHERS, PARTS, inside
from ops.probes import target_folder
from ops.schedule.standing import stand
from ops.standing import stands
from ops.stored import listed

# A release writes up to two backups, and a rollback one more.
ROOM = 3


def store(subject: Subject) -> Finding:
    """Whether backups and runs can be written, and nobody else reads them."""
    path = subject.world.inventory.path(subject.entry.folder)
    copy = subject.world.working_copy(subject.target)
    if copy:
        started = time.monotonic()
        found = len(listed(copy.store, subject.target))
        said = f"{copy.store.url} lists {found:,} files in {(time.monotonic() - started) * 1000:,.0f} ms"
        return _folder(subject, path, f"{said}; its working copy {path}")
    return _folder(subject, path, str(path))


def _folder(subject: Subject, path: Path, said: str) -> Finding:
    if not path.exists():
        there = _nearest(path)
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            return fail(f"{path} can't be made: {there} is not to be written to", f"ls -ld {quote(str(there))}")
        return ok(f"{said} is not there yet: the first run makes it, 0700")
    folder = path / subject.target
    for part in (folder, *(folder / name for name in PARTS)):
        if part.is_symlink() and not inside(part, path):
            return fail(f"{part}: a link that leads out of the store", f"rm {quote(str(part))}")
    for part in (path, folder, folder / "backups", folder / "runs"):
        if part.exists() and (why := _unwritable(part)):
            return fail(f"{part}: {why}", f"ls -ld {quote(str(part))}; df {quote(str(part))}")
    return _open_to(path, folder) or ok(f"{said} can be written, by nobody else")


def _nearest(path: Path) -> Path:
    return next(part for part in path.parents if part.exists())


def _unwritable(folder: Path) -> str:
    """Why nothing can be written to a folder; empty where it can. The file that is tried has no name, and ends here."""
    if not folder.is_dir():
        return "it is not a folder"
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as error:
        return (error.strerror or "nothing can be written").lower()
    return ""


def _open_to(path: Path, folder: Path) -> Finding | None:
    """Who else may write to the store, or read what is kept of the target. The next run would close it."""
    if (about := path.stat()).st_mode & 0o022 and not about.st_mode & stat.S_ISVTX:
        return warn(f"{path} can be written by others", f"chmod go-w {quote(str(path))}")
    for part in (folder, *(folder / name for name in PARTS)):
        if not part.exists():
            continue
        about = part.stat()
        if about.st_uid not in (0, os.geteuid()):
            return fail(f"{part} belongs to somebody else", f"chown -R {os.geteuid()} {quote(str(part))}")
        if about.st_mode & OTHERS:
            return warn(f"{part} can be read by others", f"chmod -R go-rwx {quote(str(folder))}")
    return None


def space(subject: Subject) -> Finding:
    """Whether the disks of the store, and of its working copy, have room for the night's backups."""
    patterns = subject.entry.dump.exclude
    out = excluded.look(subject.world, subject.target, patterns).bytes if patterns else 0
    found = room.for_backup(subject.world, subject.target, out)
    if not found.enough:
        return fail(found.said, found.hint)
    if found.free < found.need * ROOM:
        return warn(f"{found.said}; a release and a rollback write up to {ROOM}", found.hint)
    return ok(found.said)


def dump(subject: Subject) -> Finding:
    """Whether a backup can be made as the inventory's `dump` says, and whose rows it leaves out."""
    wanted, major = subject.entry.dump, subject.session.major
    taken = choose(subject.tools, major, max(major, subject.tools[-1].major), subject.target)
    if wanted.compress and (said := taken.refuses(wanted.compress)):
        return fail(f"pg_dump {taken.major} does not take compress: {wanted.compress}: {said}", NO_COMPRESS)
    if not wanted.exclude:
        return ok("every table is backed up")
    return ok(excluded.said(excluded.look(subject.world, subject.target, wanted.exclude)))


def backups(subject: Subject) -> Finding:
    """Whether there is a whole backup that is as fresh, and was proved as lately, as the inventory wants."""
    found = freshness(subject.world, subject.target)
    if found.newest is None:
        return warn("there is none", found.hint)
    if found.harm:
        return fail(f"{found.said}: {found.harm}", found.hint)
    return ok(found.said) if found.well else warn(f"{found.said}: {'; '.join(found.wrong)}", found.hint)


def same_server(subject: Subject) -> Finding:
    """Whether the newest backup is of the server that is live: else the address was changed, by purpose or not."""
    newest = counted.newest(counted.real(backup.backups(target_folder(subject.world, subject.target))))
    if newest is None:
        return ok("no backup yet to compare it with")
    here = subject.identity
    if (newest.system, newest.database) != (here["system"], here["database"]):
        words = f"the newest backup is of {newest.database} on another server than {here['database']} is on"
        if newest.system == here["system"]:
            words = f"the newest backup is of {newest.database}, and the address leads to {here['database']}"
        return warn(words, f"look at {subject.reference}; where it is meant, inv backup --target={subject.target}")
    return ok("as in the newest backup")


def leftovers(subject: Subject) -> Finding:
    """What runs have left beside the database, how much that is, and what may go."""
    live = subject.world.database(subject.target)
    sizes: dict[str, int] = subject.rights["sizes"] or {}
    names = aside(subject.identity["databases"], live)
    if not names:
        return ok("none")
    total = amount(sum(sizes.get(name, 0) for name in names))
    said = f"{len(names)} beside {live}, {total}"
    if subject.is_test:
        return ok(f"{said}: {', '.join(names)}")
    known = {one.name: one for one in databases.kept(subject.world, subject.target, live)}
    days, now = subject.entry.keep_replaced, datetime.now(UTC)
    old = [one for one in known.values() if one.what in databases.ONCE_LIVE and not one.unfinished]
    old = [one for one in old if one.may_go(days) <= now]
    if old:
        words = f"{said}; kept longer than {days:g} days: {', '.join(one.name for one in old)}"
        return warn(words, f"inv discard-replaced {quote(old[0].name)} --target={subject.target}   if nobody needs it")
    lost = [name for name in names if name not in known or known[name].what not in databases.ONCE_LIVE]
    if lost:
        return warn(f"{said}; never live: {', '.join(lost)}", f"inv status --target={subject.target}")
    return ok(f"{said}: {', '.join(names)}")


def run(subject: Subject) -> Finding:
    """Whether the last run has ended: what it left begun would stand in tonight's way."""
    known = journal.runs(target_folder(subject.world, subject.target))
    if not known:
        return ok("none yet")
    last = known[-1]
    outcome = str(last.outcome["outcome"]) if last.outcome else "interrupted, or still running"
    said = f"{last.procedure} {last.run}: " + ("taken back" if last.undone else outcome)
    if last.finished:
        return ok(said)
    try:
        left = stands(replan(last), last)
    except OpsError as error:
        return warn(f"{said}; {error.message}", error.hint)
    if left == "nothing was changed":
        return ok(f"{said}; nothing was changed")
    return warn(f"{said}; {left}", f"inv status --target={subject.target}   says how it goes on")


def writes(subject: Subject) -> Finding:
    """Whether production takes writes."""
    here = subject.identity
    if here["read_only"] != "on":
        return ok(f"{here['database']} takes writes")
    since = frozen.since(journal.runs(target_folder(subject.world, subject.target)))
    words = f"{here['database']} is FROZEN (read-only) {since or '(by no run in this store)'}"
    return fail(words, f"inv status --target={subject.target}   or   inv unfreeze --target={subject.target}")


def schedule(subject: Subject) -> Finding:
    """Whether what the inventory wants to run by itself is installed here, is begun in time, and ended well."""
    found = stand(subject.world, subject.target)
    if found.differs:
        word = "--install" if found.wanted else "--remove"
        return warn("; ".join(found.differs), f"inv schedule --target={subject.target}   or   inv schedule {word}")
    if found.failed:
        return warn("; ".join(found.failed), f"inv status --target={subject.target}")
    if found.installed is None:
        return ok("nothing runs by itself")
    return ok(f"with {found.installed.by}: {', '.join(found.installed.tasks)}")
