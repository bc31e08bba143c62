"""Checks of the store: disk space, backups and their encryption, pgBackRest, kept databases, runs, the schedule."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from ops.backups import disk_space, exclusions
from ops.backups.freshness import freshness
from ops.backups.pgbackrest.actions import live_server
from ops.backups.pgbackrest.scratch_restore import Aside
from ops.backups.pgbackrest.stanza import OnStanza
from ops.core.errors import Code, OpsError
from ops.core.permissions import OTHERS, PARTS, inside
from ops.core.text import amount, counted
from ops.doctor.check import BOTH, Finding, Subject, check, fail, ok, warn
from ops.engine import journal
from ops.engine.command import quote
from ops.engine.executor import asked
from ops.engine.summary import stands
from ops.infra.postgres.client import NO_COMPRESS, choose
from ops.infra.session.store_access import target_folder
from ops.infra.stores import backup_kinds, manifest
from ops.infra.stores import encryption as age
from ops.infra.stores.remote_backup import listed
from ops.procedures.catalog import replan
from ops.recovery.rollback import kept_databases as databases
from ops.release.production import freeze_history
from ops.schedule.drift import read_status

# A release writes up to two backups, and a rollback one more.
ROOM = 3


@check("store")
def store(subject: Subject) -> Finding:
    """Check that the store is writable or can be created, and that no other user can read it."""
    path = subject.session.inventory.path(subject.entry.folder)
    copy = subject.session.stores.working_copy(subject.target)
    if copy:
        started = time.monotonic()
        found = len(listed(copy.store, subject.target))
        said = f"{copy.store.url} listed {found:,} files in {(time.monotonic() - started) * 1000:,.0f} ms"
        return _folder(subject, path, f"{said}; its working copy {path}")
    return _folder(subject, path, str(path))


def _folder(subject: Subject, path: Path, said: str) -> Finding:
    if not path.exists():
        there = _nearest(path)
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            return fail(f"{path} can't be created: {there} is not writable", f"ls -ld {quote(str(there))}")
        return ok(f"{said} does not exist yet; the first run creates the folder with mode 0700")
    folder = path / subject.target
    for part in (folder, *(folder / name for name in PARTS)):
        if part.is_symlink() and not inside(part, path):
            return fail(f"{part}: a link that leads out of the store", f"rm {quote(str(part))}")
    for part in (path, folder, folder / "backups", folder / "runs"):
        if part.exists() and (why := _unwritable(part)):
            return fail(f"{part}: {why}", f"ls -ld {quote(str(part))}; df {quote(str(part))}")
    return _open_to(path, folder) or ok(f"{said} is writable, and private")


def _nearest(path: Path) -> Path:
    return next(part for part in path.parents if part.exists())


def _unwritable(folder: Path) -> str:
    """Return why a folder is not writable; empty if it is writable. The test file is unnamed and temporary."""
    if not folder.is_dir():
        return "not a folder"
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as error:
        return (error.strerror or "not writable").lower()
    return ""


def _open_to(path: Path, folder: Path) -> Finding | None:
    """Return a finding if other users can write to the store or read the target's files; None if they can't.

    The next run restricts the permissions.
    """
    if (about := path.stat()).st_mode & 0o022 and not about.st_mode & stat.S_ISVTX:
        return warn(f"{path} can be written by others", f"chmod go-w {quote(str(path))}")
    for part in (folder, *(folder / name for name in PARTS)):
        if not part.exists():
            continue
        about = part.stat()
        if about.st_uid not in (0, os.geteuid()):
            return fail(f"{part} belongs to another user", f"chown -R {os.geteuid()} {quote(str(part))}")
        if about.st_mode & OTHERS:
            return warn(f"{part} can be read by others", f"chmod -R go-rwx {quote(str(folder))}")
    return None


@check("space", "server", "tools", "store", "dump")
def space(subject: Subject) -> Finding:
    """Check that the disk of the store, or of its working copy, has space for the next backups.

    Warns if there is space for fewer than three backups of the last one's size. Fails if there is no space for one.
    """
    patterns = subject.entry.dump.exclude
    out = exclusions.look(subject.session, subject.target, patterns).bytes if patterns else 0
    found = disk_space.for_backup(subject.session, subject.target, out)
    if not found.enough:
        return fail(found.said, found.hint)
    if found.free < found.need * ROOM:
        return warn(f"{found.said}; a release and a rollback write up to {ROOM}", found.hint)
    return ok(found.said)


@check("dump", "server", "tools")
def dump(subject: Subject) -> Finding:
    """Check that `pg_dump` supports the inventory's `dump`, and report the tables whose rows are not backed up."""
    wanted, major = subject.entry.dump, subject.server_session.major
    taken = choose(subject.tools, major, max(major, subject.tools[-1].major), subject.target)
    if wanted.compress and (said := taken.refuses(wanted.compress)):
        return fail(f"pg_dump {taken.major} does not take compress: {wanted.compress}: {said}", NO_COMPRESS)
    if not wanted.exclude:
        return ok("every table is backed up")
    return ok(exclusions.said(exclusions.look(subject.session, subject.target, wanted.exclude)))


@check("backups", "store")
def backups(subject: Subject) -> Finding:
    """Check that the newest backup and its proof are as recent as `fresh` requires.

    The files of the backup must exist with the right sizes. `inv rollback` compares every sha256.
    """
    found = freshness(subject.session, subject.target)
    if found.newest is None:
        return warn("there is no backup", found.hint)
    if found.harm:
        return fail(f"{found.said}: {found.harm}", found.hint)
    return ok(found.said) if found.well else warn(f"{found.said}: {'; '.join(found.wrong)}", found.hint)


@check("same-server", "server", "tools", "store")
def same_server(subject: Subject) -> Finding:
    """Check that the newest backup was made from the database and server of the target's address.

    Otherwise the address was changed, intentionally or not.
    """
    newest = backup_kinds.newest(backup_kinds.real(manifest.backups(target_folder(subject.session, subject.target))))
    if newest is None:
        return ok("no backup yet to compare it with")
    here = subject.identity
    if (newest.system, newest.database) != (here["system"], here["database"]):
        words = f"the newest backup is of {newest.database} on a server other than that of {here['database']}"
        if newest.system == here["system"]:
            words = f"the newest backup is of {newest.database}, but the address names {here['database']}"
        return warn(words, f"check {subject.reference}; if it is correct, inv backup --target={subject.target}")
    return ok("the newest backup is of this database and server")


@check("leftovers", "server", "tools", of=BOTH)
def leftovers(subject: Subject) -> Finding:
    """Check that no kept database is older than `keep_replaced`, and that no database that was never live is left."""
    live = subject.session.database(subject.target)
    sizes: dict[str, int] = subject.rights["sizes"] or {}
    names = databases.aside(subject.identity["databases"], live)
    if not names:
        return ok("no kept database")
    total = amount(sum(sizes.get(name, 0) for name in names))
    said = f"{counted(len(names), 'kept database')} beside {live}, {total}"
    if subject.is_test:
        return ok(f"{said}: {', '.join(names)}")
    known = {one.name: one for one in databases.kept(subject.session, subject.target, live)}
    days, now = subject.entry.keep_replaced, datetime.now(UTC)
    old = [one for one in known.values() if one.what in databases.ONCE_LIVE and not one.unfinished]
    old = [one for one in old if one.may_go(days) <= now]
    if old:
        words = f"{said}; older than {days:g} days: {', '.join(one.name for one in old)}"
        hint = f"inv discard-replaced {quote(old[0].name)} --target={subject.target}   if nobody needs the database"
        return warn(words, hint)
    lost = [name for name in names if name not in known or known[name].what not in databases.ONCE_LIVE]
    if lost:
        return warn(f"{said}; never live: {', '.join(lost)}", f"inv status --target={subject.target}")
    return ok(f"{said}: {', '.join(names)}")


@check("run", "store")
def run(subject: Subject) -> Finding:
    """Check that the last run has ended or changed nothing. An unfinished run blocks the next run."""
    known = journal.runs(target_folder(subject.session, subject.target))
    if not known:
        return ok("no run yet")
    last = known[-1]
    outcome = str(last.outcome["outcome"]) if last.outcome else "interrupted, or still running"
    said = f"{last.procedure} {last.run}: " + ("undone" if last.undone else outcome)
    if last.finished:
        return ok(said)
    try:
        plan = replan(last)
        left = stands(plan, last, asked(subject.session, plan.inputs))
    except OpsError as error:
        return warn(f"{said}; {error.message}", error.hint)
    if left.code is Code.UNCHANGED:
        return ok(f"{said}; nothing was changed")
    return warn(f"{said}; {left}", f"inv status --target={subject.target}   to see the next steps")


@check("writes", "server", "tools")
def writes(subject: Subject) -> Finding:
    """Check that production is not frozen. A role with its own read-only setting is not a freeze."""
    here = subject.identity
    if here["read_only"] != "on":
        return ok(f"{here['database']} takes writes")
    since = freeze_history.since(journal.runs(target_folder(subject.session, subject.target)))
    words = f"{here['database']} is FROZEN (read-only) {since or '(by no run in this store)'}"
    return fail(words, f"inv status --target={subject.target}   or   inv unfreeze --target={subject.target}")


@check("schedule", "store")
def schedule(subject: Subject) -> Finding:
    """Check that the tasks of `schedule` are installed on this machine, start in time, and succeed."""
    found = read_status(subject.session, subject.target)
    if found.differs:
        word = "--install" if found.wanted else "--remove"
        return warn("; ".join(found.differs), f"inv schedule --target={subject.target}   or   inv schedule {word}")
    if found.failed:
        return warn("; ".join(found.failed), f"inv status --target={subject.target}")
    if found.installed is None:
        return ok("no scheduled tasks")
    return ok(f"with {found.installed.by}: {', '.join(found.installed.tasks)}")


@check("pgbackrest", "server", "tools")
def pgbackrest(subject: Subject) -> Finding:
    """Check that the stanza is healthy and belongs to this server, and that a backup can be restored to prove it.

    This requires pgBackRest in a version with annotations, the server's programs, and disk space for a restored backup.
    """
    entry = subject.entry
    if entry.pgbackrest is None:
        return ok("not used")
    on = OnStanza(subject.session, subject.target)
    found = on.must_be_well(str(subject.identity["system"]))
    on.programs(str(int(subject.identity["number"]) // 10000))
    live, size = live_server(subject.session, subject.target)
    room = Aside(on).check(max([size, *(one.size for one in found.backups[-1:])]), live)
    newest = f"the newest backup is {found.backups[-1].label}" if found.backups else "no backup yet"
    return ok(f"stanza {found.name}: {newest}; {room}")


@check("encryption", "store")
def encryption(subject: Subject) -> Finding:
    """Check that the identity in the inventory belongs to a recipient, and decrypts the newest backup."""
    encrypt = subject.entry.encrypt
    if encrypt is None:
        return ok("backups are not encrypted")
    said = f"to {counted(len(encrypt.recipients), 'recipient')}"
    if not encrypt.identity:
        words = f"{said}; there is no `identity`, so this machine can't restore a backup"
        return warn(words, "encrypt: {identity: file:PATH}")
    keys = subject.session.secrets.age_identity(encrypt.identity)
    if not {str(key.to_public()) for key in keys} & set(encrypt.recipients):
        hint = "encrypt: {identity: the secret key of a recipient}"
        return warn(f"{said}; {encrypt.identity} belongs to no recipient", hint)
    folder = target_folder(subject.session, subject.target)
    known = manifest.backups(folder)
    newest = backup_kinds.newest(backup_kinds.dumps(known))
    if newest is None:
        rest = "pgBackRest encrypts its own backups" if backup_kinds.held(known) else "there is no backup yet"
        return ok(f"{said}; {encrypt.identity} belongs to a recipient; {rest}")
    dump = manifest.folder_of(folder, newest.backup) / age.DUMP
    if not newest.sealed:
        words = f"{said}; the newest dump {newest.backup} is not encrypted yet"
        makes = "unpack" if subject.entry.engine == "pgbackrest" else "backup"
        return warn(words, f"inv {makes} --target={subject.target}")
    if not dump.is_file():
        return ok(f"{said}; {encrypt.identity} belongs to a recipient; {newest.backup} is only in the remote store")
    if not age.opens(dump, keys):
        hint = "use the identity of the recipients of that dump; or make a new backup: inv backup"
        return warn(f"{said}; {encrypt.identity} can't decrypt the newest dump {newest.backup}", hint)
    return ok(f"{said}; {encrypt.identity} decrypts {newest.backup}")
