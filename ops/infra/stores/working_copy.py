"""The working copy: a local folder that is synchronized with one target's part of a remote store.

Every task reads and writes the working copy as if it were the store. Small files (runs, certificates, rehearsals,
manifests and fingerprints of backups) are downloaded before a task begins and uploaded after each step of a run. So an
engineer on another machine can see, resume and undo the run. A separate step uploads a dump, and a restore downloads
it. No local file is removed because the store lacks it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ops.core.errors import OpsError, Refused, Unreachable
from ops.core.files import write_whole
from ops.infra.stores.base import AT_ONCE, AnyStore, Changed, Kept
from ops.infra.stores.remote_backup import MANIFEST, SAFE, listed
from ops.infra.stores.sync_state import Known, about, noted

# The file of the synchronization's state: in a run's folder for the run's files, else in the target's folder.
STATE, JOURNAL = ".store.json", "journal.jsonl"
# Folders that are not uploaded with the target's other files.
OURS = ("backups", "runs", "schedules")
# The files of a backup that are downloaded without the dump.
LIGHT = (MANIFEST, "fingerprint.jsonl")
# Seconds until a store that did not answer is contacted again.
REST = 15.0


class WorkingCopy:
    """One target's part of a store, and its working copy.

    Args:
        store: the store.
        target: the target's name; the first part of its keys.
        folder: the target's folder on this machine.
        say: reports problems to the operator; by default on standard error.
    """

    def __init__(self, store: AnyStore, target: str, folder: Path, say: Callable[[str], None] | None = None) -> None:
        self.store, self.target, self.folder, self.say = store, target, folder, say or _say
        self._away_until = 0.0
        # The error of the last failed access to the store.
        self.trouble: OpsError | None = None
        self._followed = False
        # The IDs of the complete backups in the store; None if unknown.
        self.stored: set[str] | None = None

    def follow(self) -> None:
        """Download new small files and upload new local files, once per process.

        If the store does not answer or the disk is full, report that and use the local files. Skip a run that another
        process on this machine is executing.
        """
        if self._followed:
            return
        self._followed = True
        try:
            there = listed(self.store, self.target)
            self.stored = {name.split("/")[1] for name in there if re.fullmatch(f"backups/[^/]+/{MANIFEST}", name)}
            groups: dict[str, dict[str, Kept]] = {"": {}}
            groups |= {f"runs/{path.name}": {} for path in (self.folder / "runs").glob("*")}
            for name, kept in there.items():
                groups.setdefault(_group(name), {})[name] = kept
            for group in sorted(groups):
                self._follow(group, groups[group])
        except (Unreachable, OSError) as error:
            self._away(error, "using the local copy")

    def must_answer(self) -> None:
        """Check that the store answers before a run that must write to it.

        Raises:
            Refused: the store does not answer, or refuses access.
        """
        self.follow()
        if self.trouble:
            raise Refused(f"{self.target}: {self.trouble.message}; nothing was changed", self.trouble.hint)

    def push(self, run: str = "") -> None:
        """Upload the new files of a run, and new files of no run, the journal last.

        If the store does not answer, report that once, and retry later.

        Args:
            run: the ID of the run whose journal this process holds; empty for none.

        Raises:
            Refused: the run was resumed on another machine.
        """
        if time.monotonic() < self._away_until:
            return
        try:
            for group in ("", *([f"runs/{run}"] if run else [])):
                with noted(self.folder / group / STATE) as known:
                    self._send_new(group, known)
        except (Unreachable, OSError) as error:
            self._away(error, f"the run continues, and its files are only in {self.folder} for now")

    def _follow(self, group: str, there: dict[str, Kept]) -> None:
        with _held(self.folder / group / JOURNAL if group else None) as free:
            if not free:
                return
            with noted(self.folder / group / STATE) as known:
                wanted = [name for name in there if _is_light(name, there) and self._is_news(name, there[name], known)]
                with ThreadPoolExecutor(AT_ONCE) as pool:
                    list(pool.map(lambda name: self._fetch(name, there[name], known), wanted))
                self._send_new(group, known)

    def _is_news(self, name: str, kept: Kept, known: dict[str, Known]) -> bool:
        return name not in known or known[name][0] != kept.tag or not (self.folder / name).is_file()

    def _fetch(self, name: str, kept: Kept, known: dict[str, Known]) -> None:
        path = self.folder / name
        if path.is_file() and self._is_new(name, known):
            (content, tag), ours = self.store.read(f"{self.target}/{name}"), path.read_bytes()
            if content != ours and name.endswith(JOURNAL) and ours.startswith(content):
                # The local journal continues the store's: upload it.
                known[name] = (tag, 0, 0)
                return
            if content != ours:
                aside = path.with_name(f".{path.name}.{time.time_ns()}.diverged")
                path.replace(aside)
                self.say(
                    f"{self.target}: {name} was written on this and on another machine; the local file is retained as "
                    f"{aside.name}"
                )
                write_whole(path, content)
            known[name] = (tag, *about(path))
            return
        self.store.get(f"{self.target}/{name}", path, kept.size)
        known[name] = (kept.tag, *about(path))

    def _send_new(self, group: str, known: dict[str, Known]) -> None:
        new = [name for name in self._names(group) if self._is_new(name, known)]
        for name in sorted(new, key=lambda name: name.endswith(JOURNAL)):
            path, key = self.folder / name, f"{self.target}/{name}"
            seen = about(path)
            tag = self._swap(path, key, known) if name.endswith(JOURNAL) else self.store.put(key, path)
            known[name] = (tag, *seen)

    def _swap(self, path: Path, key: str, known: dict[str, Known]) -> str:
        """Upload a journal unless its run was resumed on another machine; return its tag."""
        tag, content = known.get(key.removeprefix(f"{self.target}/"), ("",))[0], path.read_bytes()
        try:
            return self.store.swap(key, content, tag)
        except Changed:
            pass
        # If the local journal continues the store's, this machine wrote the store's, but did not record its tag.
        with contextlib.suppress(Changed):
            there, tag = self.store.read(key)
            if content.startswith(there):
                return self.store.swap(key, content, tag)
        raise Refused(
            f"{self.target}: run {path.parent.name} was resumed on another machine: the store has a newer journal",
            f"inv status --target={self.target}",
        )

    def _names(self, group: str) -> Iterator[str]:
        """Yield the names of files to upload: all files of one run, or the target's other files; no hidden files."""
        tops = [self.folder / group] if group else self.folder.glob("[!.]*")
        for top in sorted(tops):
            if top.is_dir() and (group or top.name not in OURS):
                for path in sorted(top.rglob("*")):
                    name = path.relative_to(self.folder).as_posix()
                    if path.is_file() and not path.is_symlink() and SAFE.fullmatch(name):
                        yield name

    def _is_new(self, name: str, known: dict[str, Known]) -> bool:
        return name not in known or known[name][1:] != about(self.folder / name)

    def _away(self, error: OpsError | OSError, meanwhile: str) -> None:
        if isinstance(error, OSError):
            # The local disk is full or read-only.
            said = f"{self.folder}: {error.strerror or error}"
            error = OpsError(said, f"free disk space in {self.folder} (df -h)")
        if not self._away_until:
            self.say(f"{error.message}; {meanwhile}")
        self._away_until, self.trouble = time.monotonic() + REST, error


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _group(name: str) -> str:
    """Return ``runs/ID`` for a run's files, which only the holder of the journal may change; else ""."""
    parts = name.split("/")
    return "/".join(parts[:2]) if parts[0] == "runs" and len(parts) > 2 else ""


def _is_light(name: str, there: Iterable[str]) -> bool:
    """Return True if a file is downloaded before a task. Skip backups without a manifest."""
    kind, *rest = name.split("/")
    if kind != "backups":
        return bool(rest) and kind != "schedules"
    return len(rest) == 2 and rest[1] in LIGHT and f"backups/{rest[0]}/{MANIFEST}" in there


@contextlib.contextmanager
def _held(journal: Path | None) -> Iterator[bool]:
    """Lock a run's journal; yield False if another process on this machine holds the lock."""
    try:
        handle = os.open(journal, os.O_RDWR) if journal else -1
    except OSError:
        handle = -1
    try:
        if handle >= 0:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        if handle >= 0:
            os.close(handle)
