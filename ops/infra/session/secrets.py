"""Read the secrets that the inventory names, and manage the private folder of this process."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops.core.errors import UsageError
from ops.core.permissions import private_folder, secret_file
from ops.infra.stores import encryption
from ops.inventory.locate import where
from ops.inventory.targets import Inventory, Target


class Secrets:
    """The secrets of one inventory.

    Args:
        inventory: the inventory.
        environ: the environment in which ``env:NAME`` is looked up.
    """

    def __init__(self, inventory: Inventory, environ: Mapping[str, str]) -> None:
        self.inventory, self.environ = inventory, environ
        self._private: Path | None = None

    def at(self, target: str, reference: str) -> str:
        """Return the value of ``env:NAME`` or ``file:PATH``; the value is a secret.

        Raises:
            UsageError: the value is empty or missing.
        """
        kind, _, value = reference.partition(":")
        entry = self.inventory.target(target)
        found = self.environ.get(value, "") if kind == "env" else self.first_line(entry, value)
        if not found:
            hint = f"export {value}=…" if kind == "env" else f"write the address to {value}, chmod 600"
            raise UsageError(f"{where(self.inventory, entry)}: {reference} is empty or missing", hint)
        return found

    def age_identity(self, reference: str) -> list[Any]:
        """Return the age identities of a reference of the inventory.

        Raises:
            UsageError: the reference has no age identity.
        """
        kind, _, path = reference.partition(":")
        return encryption.identity(f"file:{self.inventory.path(path)}" if kind == "file" else reference)

    def opener(self, target: str) -> list[Any]:
        """Return the age identities for a target's backups; empty if unavailable, since a backup needs none."""
        encrypt = self.inventory.target(target).encrypt
        with contextlib.suppress(UsageError):
            return self.age_identity(encrypt.identity) if encrypt and encrypt.identity else []
        return []

    def first_line(self, target: Target, name: str) -> str:
        """Return the first line of a file that only its owner may read; empty if the file cannot be read."""
        path = self.inventory.path(name)
        secret_file(path, target.name)
        try:
            return (path.read_text(encoding="utf-8").splitlines() or [""])[0].strip()
        except (OSError, UnicodeError):
            return ""

    @property
    def private(self) -> Path:
        """A 0700 folder that is removed at the end of this process; folders of killed processes are removed, too."""
        self._private = self._private or private_folder()
        return self._private

    def move_private(self, folder: Path) -> Path:
        """Move the private folder to a place where it remains after this process."""
        self._private = self.private.rename(folder)
        return self._private
