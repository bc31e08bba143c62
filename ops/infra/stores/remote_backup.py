"""A target's backups in a remote store: sent whole with the manifest last, listed, proved, fetched, removed."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from ops.core.errors import StepFailed, Unreachable
from ops.core.files import sha256
from ops.infra.stores.base import AnyStore, Kept
from ops.infra.stores.manifest import Manifest, read_manifest
from ops.infra.stores.parallel import several
from ops.infra.stores.sync_state import Known, about, noted

P = ParamSpec("P")
T = TypeVar("T")
# What leads into a folder here, and never out of it.
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
MANIFEST = "manifest.json"
# Beside a backup's files, and no part of it: what of it was sent.
SENT = ".sent.json"
# Bytes of what is sent and fetched before anything larger.
SMALL = 1 << 20


def listed(store: AnyStore, target: str, below: str = "") -> dict[str, Kept]:
    """What the store has of a target, by its name in the target's folder; a name that leads out of it is passed over.

    Args:
        below: as far as a slash, ``backups/ID/``; all of it where empty.
    """
    start = f"{target}/"
    found = store.listed(start + below)
    names = {key.removeprefix(start): kept for key, kept in found.items() if key.startswith(start)}
    return {name: kept for name, kept in names.items() if SAFE.fullmatch(name)}


def _named(work: Callable[Concatenate[StoredBackup, P], T]) -> Callable[Concatenate[StoredBackup, P], T]:
    """What the store says, with the target that it is said of."""

    @functools.wraps(work)
    def named(self: StoredBackup, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(self, *args, **kwargs)
        except Unreachable as error:
            raise Unreachable(f"{self.target}: {error.message}", error.hint) from None

    return named


class StoredBackup:
    """One backup in a store.

    Args:
        store: the store.
        target: the target's name.
        folder: the target's folder here.
        backup: the backup's id.
    """

    def __init__(self, store: AnyStore, target: str, folder: Path, backup: str) -> None:
        self.store, self.target, self.id = store, target, backup
        self.folder, self.below = folder / "backups" / backup, f"backups/{backup}/"

    @_named
    def put(self) -> int:
        """Send it, the manifest last; what is there already is not sent again. Gives the bytes that were sent.
        After an error or Ctrl-C, what was sent until then is known to the next try.

        What is there is only taken for a file's content where it is known to have been sent from that very file: what
        an attempt that was cut off has sent may be as long.
        """
        files, there = read_manifest(self.folder).files, self._listed()
        with noted(self.folder / SENT) as known:
            new = [
                name
                for name in files
                if name not in there or known.get(name) != (there[name].tag, *about(self.folder / name))
            ]
            self._each(self._send, {name: files[name][1] for name in new}, known.__setitem__)
        self.store.put(self._key(MANIFEST), self.folder / MANIFEST)
        return sum(files[name][1] for name in new)

    def _send(self, name: str) -> Known:
        seen = about(self.folder / name)
        return (self.store.put(self._key(name), self.folder / name), *seen)

    @_named
    def check(self, *, deep: bool = False) -> Manifest:
        """Say whether all of it is there: by the store's list, or (``deep``) by reading it.

        Raises:
            StepFailed: it is not; what is missing or other than it was written.
        """
        there, hint = self._listed(), f"inv tool.store-backup --target={self.target} --backup-id={self.id}"
        where = f"{self.target}: {self.store.url}: backup {self.id}"
        if MANIFEST not in there:
            raise StepFailed(f"{where}: no manifest is there, so it is not a backup", hint)
        try:
            manifest = Manifest.model_validate_json(self.store.read(self._key(MANIFEST))[0])
        except ValueError:
            raise StepFailed(f"{where}: its manifest is damaged", hint) from None
        for name, (digest, size) in manifest.files.items():
            if name not in there:
                raise StepFailed(f"{where}: {name} is missing", hint)
            if there[name].size != size or (deep and self.store.sha256(self._key(name), size) != digest):
                raise StepFailed(f"{where}: {name} is not what was written", hint)
        return manifest

    @_named
    def fetch(self) -> int:
        """Fetch what of it is not here, or not as it was written. Gives the bytes that were fetched."""
        files, fetched = read_manifest(self.folder).files, list[int]()

        def get(name: str) -> int:
            path, (digest, size) = self.folder / name, files[name]
            if path.is_file() and path.stat().st_size == size and sha256(path) == digest:
                return 0
            self.store.get(self._key(name), path, size)
            return size

        self._each(get, {name: size for name, (_, size) in files.items()}, lambda _, size: fetched.append(size))
        return sum(fetched)

    def _each(self, work: Callable[[str], T], sizes: dict[str, int], done: Callable[[str, T], object]) -> None:
        """Do a work for each file, several at once; the small ones first, so that a cut leaves few to do again."""
        for large in (False, True):
            several(work, [name for name, size in sizes.items() if (size > SMALL) == large], done)

    @_named
    def remove(self) -> None:
        """Take it out of the store: its manifest first, so that it is none from then on."""
        names = sorted(self._listed(), key=lambda name: name != MANIFEST)
        self.store.delete(self._key(name) for name in names)

    def _key(self, name: str) -> str:
        return f"{self.target}/{self.below}{name}"

    def _listed(self) -> dict[str, Kept]:
        found = listed(self.store, self.target, self.below)
        return {name.removeprefix(self.below): kept for name, kept in found.items()}
