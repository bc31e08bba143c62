"""The folder here that follows one target's part of a remote store.

Every task reads and writes that folder, as if it were the store. What is small (runs, certificates, rehearsals, the
manifests and fingerprints of backups) is fetched before a task begins and sent after each step of a run, so that a
second engineer on another machine sees it, resumes it, undoes it. Dumps are sent by a step of their own, and fetched
when they are to be restored. Nothing that is here is removed because it is not there.
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

# What is known of the objects: beside a run's journal for its own files, else in the target's folder.
STATE, JOURNAL = ".store.json", "journal.jsonl"
# What belongs to this machine, or goes there by a step of its own.
OURS = ("backups", "runs", "schedules")
# What of a backup is wanted without its dump.
LIGHT = (MANIFEST, "fingerprint.jsonl")
# Seconds for which a store that did not answer is not asked again.
REST = 15.0


class WorkingCopy:
    """One target's part of a store, and the folder that follows it.

    Args:
        store: the store.
        target: the target's name; the first part of its keys.
        folder: the target's folder here.
        say: tells a person what could not be done; on standard error unless told otherwise.
    """

    def __init__(self, store: AnyStore, target: str, folder: Path, say: Callable[[str], None] | None = None) -> None:
        self.store, self.target, self.folder, self.say = store, target, folder, say or _say
        self._away_until = 0.0
        # Why the store could not be asked, the last time.
        self.trouble: OpsError | None = None
        self._followed = False
        # The backups that the store has whole; None where it could not be asked.
        self.stored: set[str] | None = None

    def follow(self) -> None:
        """Fetch what is new there and send what is new here, once in a process.

        A store that does not answer is told, and so is a disk that takes nothing; what is here is used. A run that
        another process here works on is its own business.
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
            self._away(error, "what is known here is used")

    def must_answer(self) -> None:
        """Make sure of the store before anything is begun that has to go there.

        Raises:
            Refused: it does not answer, or does not let us.
        """
        self.follow()
        if self.trouble:
            raise Refused(f"{self.target}: {self.trouble.message}; nothing was changed", self.trouble.hint)

    def push(self, run: str = "") -> None:
        """Send what is new of a run, and of what belongs to none, the journal last.

        A store that does not answer is told once, and asked again later.

        Args:
            run: its id, where this process holds its journal.

        Raises:
            Refused: the run was gone on with on another machine.
        """
        if time.monotonic() < self._away_until:
            return
        try:
            for group in ("", *([f"runs/{run}"] if run else [])):
                with noted(self.folder / group / STATE) as known:
                    self._send_new(group, known)
        except (Unreachable, OSError) as error:
            self._away(error, f"the run goes on, and is only in {self.folder} for now")

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
                # Only ours was gone on with; it is sent.
                known[name] = (tag, 0, 0)
                return
            if content != ours:
                aside = path.with_name(f".{path.name}.{time.time_ns()}.diverged")
                path.replace(aside)
                self.say(f"{self.target}: {name} was written here and on another machine; ours is kept as {aside.name}")
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
        """Send a journal where nobody else has gone on with its run; gives its tag."""
        tag, content = known.get(key.removeprefix(f"{self.target}/"), ("",))[0], path.read_bytes()
        try:
            return self.store.swap(key, content, tag)
        except Changed:
            pass
        # Ours goes on from what is there, so that is ours, too: we were stopped before its tag was noted.
        with contextlib.suppress(Changed):
            there, tag = self.store.read(key)
            if content.startswith(there):
                return self.store.swap(key, content, tag)
        raise Refused(
            f"{self.target}: run {path.parent.name} was gone on with on another machine, by what the store says",
            f"inv status --target={self.target}",
        )

    def _names(self, group: str) -> Iterator[str]:
        """What is sent step by step: all of one run, or all but runs and backups; no hidden files."""
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
            # A full disk here, or one that is read-only.
            said = f"{self.folder}: {error.strerror or error}"
            error = OpsError(said, f"make room on the disk of {self.folder} (df -h)")
        if not self._away_until:
            self.say(f"{error.message}; {meanwhile}")
        self._away_until, self.trouble = time.monotonic() + REST, error


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _group(name: str) -> str:
    """``runs/ID`` for a run's files, which only the holder of its journal may touch; else nothing."""
    parts = name.split("/")
    return "/".join(parts[:2]) if parts[0] == "runs" and len(parts) > 2 else ""


def _is_light(name: str, there: Iterable[str]) -> bool:
    """Whether a file is fetched before it is asked for. A backup without its manifest is none."""
    kind, *rest = name.split("/")
    if kind != "backups":
        return bool(rest) and kind != "schedules"
    return len(rest) == 2 and rest[1] in LIGHT and f"backups/{rest[0]}/{MANIFEST}" in there


@contextlib.contextmanager
def _held(journal: Path | None) -> Iterator[bool]:
    """Whether no other process here works on a run; none begins to meanwhile."""
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
