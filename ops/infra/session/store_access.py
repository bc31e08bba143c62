"""Access the stores of one inventory; a remote store is accessed through its working copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ops.infra.stores.base import AnyStore
from ops.infra.stores.open import store_at
from ops.infra.stores.remote_backup import StoredBackup
from ops.infra.stores.working_copy import WorkingCopy
from ops.inventory.targets import Inventory

if TYPE_CHECKING:
    from ops.infra.session.session import Session


class StoreAccess:
    """The stores of one inventory.

    Args:
        inventory: the inventory.
        environ: the environment with the stores' credentials.
    """

    def __init__(self, inventory: Inventory, environ: Mapping[str, str]) -> None:
        self.inventory, self.environ = inventory, environ
        self._copies: dict[str, WorkingCopy] = {}
        self._stores: dict[str, AnyStore] = {}

    def working_copy(self, target: str) -> WorkingCopy | None:
        """Return the working copy of a target's part of a remote store; None if the store is a folder."""
        entry = self.inventory.target(target)
        if entry.remote and target not in self._copies:
            folder = self.inventory.path(entry.folder) / target
            self._copies[target] = WorkingCopy(self._store(entry.remote), target, folder)
        return self._copies.get(target)

    def _store(self, url: str) -> AnyStore:
        """Return the store of an address; targets with the same store share its connection."""
        if url not in self._stores:
            self._stores[url] = store_at(url, self.environ)
        return self._stores[url]

    def folder(self, target: str) -> Path:
        """Return a target's folder in the store; for a remote store its updated working copy."""
        if copy := self.working_copy(target):
            copy.follow()
        return self.local_folder(target)

    def local_folder(self, target: str) -> Path:
        """Return a target's folder on this machine; for a remote store its working copy as it is."""
        return self.inventory.path(self.inventory.target(target).folder) / target

    def is_remote(self, target: str) -> bool:
        """Return True if other machines can continue the runs of a target."""
        return bool(self.inventory.target(target).remote)

    def sender(self, target: str, run: str) -> Callable[[], None]:
        """Return a function that uploads a run's files to a target's remote store; for a folder it does nothing."""
        copy = self.working_copy(target)
        return (lambda: copy.push(run)) if copy else (lambda: None)

    def stored(self, target: str, backup: str) -> StoredBackup | None:
        """Return one backup in a target's remote store; None if the store is a folder."""
        copy = self.working_copy(target)
        return StoredBackup(copy.store, target, copy.folder, backup) if copy else None


def target_folder(session: Session, target: str) -> Path:
    """Return a target's folder in the store; for a remote store its updated working copy."""
    return session.stores.folder(target)
