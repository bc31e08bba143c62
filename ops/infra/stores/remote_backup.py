"""Upload, list, verify, download and remove a target's backups in a remote store; the manifest is uploaded last."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from ops.core.errors import StepFailed, Unreachable
from ops.core.files import digest
from ops.infra.stores.base import AnyStore, Kept
from ops.infra.stores.base_tables import name_in_base
from ops.infra.stores.manifest import Manifest, read_manifest
from ops.infra.stores.parallel import several
from ops.infra.stores.sync_state import Known, about, noted

P = ParamSpec("P")
T = TypeVar("T")
# Names of files inside a folder.
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
MANIFEST = "manifest.json"
# The state of a backup's upload, beside the backup's files.
SENT = ".sent.json"
# Files up to this size in bytes are transferred first.
SMALL = 1 << 20


def listed(store: AnyStore, target: str, below: str = "") -> dict[str, Kept]:
    """Return the store's objects of a target by their names in the target's folder; omit unsafe names.

    Args:
        below: the prefix of the names, as far as a slash: ``backups/ID/``; all objects if empty.
    """
    start = f"{target}/"
    found = store.listed(start + below)
    names = {key.removeprefix(start): kept for key, kept in found.items() if key.startswith(start)}
    return {name: kept for name, kept in names.items() if SAFE.fullmatch(name)}


def _named(work: Callable[Concatenate[StoredBackup, P], T]) -> Callable[Concatenate[StoredBackup, P], T]:
    """Add the target to the message of the store's errors."""

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
        folder: the target's folder on this machine.
        backup: the backup's ID.
    """

    def __init__(self, store: AnyStore, target: str, folder: Path, backup: str) -> None:
        self.store, self.target, self.id = store, target, backup
        self.folder, self.below = folder / "backups" / backup, f"backups/{backup}/"

    @_named
    def put(self) -> int:
        """Upload the backup, the manifest last; return the number of bytes that the store has got.

        Files that come from another backup are copied inside the store, if that backup is there.

        Skip files that an earlier attempt has uploaded. An object counts as uploaded only if the state of the upload
        has the object's tag and the file's size and time, since the object of an interrupted attempt may have the
        same size.
        """
        manifest = read_manifest(self.folder)
        files, there, copied = manifest.files, self._listed(), self._based(manifest)
        with noted(self.folder / SENT) as known:
            new = [
                name
                for name in files
                if name not in there or known.get(name) != (there[name].tag, *about(self.folder / name))
            ]
            sizes = {name: files[name][1] for name in new}
            self._each(lambda name: self._send(name, copied.get(name, "")), sizes, known.__setitem__)
        self.store.put(self._key(MANIFEST), self.folder / MANIFEST)
        return sum(files[name][1] for name in new)

    def _send(self, name: str, source: str) -> Known:
        seen = about(self.folder / name)
        if source:
            # A store that can't copy gets the file.
            with contextlib.suppress(Unreachable):
                return (self.store.copy(source, self._key(name)), *seen)
        return (self.store.put(self._key(name), self.folder / name), *seen)

    def _based(self, manifest: Manifest) -> dict[str, str]:
        """Return the keys under which the store already has files, by the names of files that come from there."""
        if not manifest.base:
            return {}
        start = f"{self.target}/backups/{manifest.base}/"
        try:
            there = Manifest.model_validate_json(self.store.read(start + MANIFEST)[0]).files
        except (Unreachable, ValueError):
            return {}
        names = {name: old for name in manifest.files if (old := name_in_base(name))}
        return {name: start + old for name, old in names.items() if there.get(old) == manifest.files[name]}

    @_named
    def check(self, *, deep: bool = False) -> Manifest:
        """Verify that the store has the complete backup, by the store's list, or by reading it (``deep``).

        Raises:
            StepFailed: a file is missing or differs from the manifest.
        """
        there, hint = self._listed(), f"inv tool.store-backup --target={self.target} --backup-id={self.id}"
        where = f"{self.target}: {self.store.url}: backup {self.id}"
        if MANIFEST not in there:
            raise StepFailed(f"{where}: the manifest is missing, so this is not a backup", hint)
        try:
            manifest = Manifest.model_validate_json(self.store.read(self._key(MANIFEST))[0])
        except ValueError:
            raise StepFailed(f"{where}: the manifest is damaged", hint) from None
        for name, (wanted, size) in manifest.files.items():
            if name not in there:
                raise StepFailed(f"{where}: {name} is missing", hint)
            if there[name].size != size or (deep and self.store.sha256(self._key(name), size) != wanted):
                raise StepFailed(f"{where}: {name} does not match the manifest", hint)
        return manifest

    @_named
    def fetch(self) -> int:
        """Download the files that are missing here or differ from the manifest; return the number of bytes."""
        files, fetched = read_manifest(self.folder).files, list[int]()

        def get(name: str) -> int:
            path, (wanted, size) = self.folder / name, files[name]
            if path.is_file() and path.stat().st_size == size and digest(path) == wanted:
                return 0
            self.store.get(self._key(name), path, size)
            return size

        self._each(get, {name: size for name, (_, size) in files.items()}, lambda _, size: fetched.append(size))
        return sum(fetched)

    def _each(self, work: Callable[[str], T], sizes: dict[str, int], done: Callable[[str, T], object]) -> None:
        """Run a job for each file in parallel; small files first, so that few are repeated after an interruption."""
        for large in (False, True):
            several(work, [name for name, size in sizes.items() if (size > SMALL) == large], done)

    @_named
    def remove(self) -> None:
        """Remove the backup from the store; the manifest first, so that an incomplete backup does not count."""
        names = sorted(self._listed(), key=lambda name: name != MANIFEST)
        self.store.delete(self._key(name) for name in names)

    def _key(self, name: str) -> str:
        return f"{self.target}/{self.below}{name}"

    def _listed(self) -> dict[str, Kept]:
        found = listed(self.store, self.target, self.below)
        return {name.removeprefix(self.below): kept for name, kept in found.items()}
