"""The protocol of every kind of store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from ops.core.errors import Refused

# The number of files, and of pieces of a file, that are transferred in parallel.
AT_ONCE = 4


@dataclass(frozen=True)
class Kept:
    """One object in the store's list; ``tag`` changes with the content."""

    size: int
    tag: str
    at: datetime


class Changed(Refused):
    """Another process has changed the object."""


class AnyStore(Protocol):
    """A store. Every method raises ``Unreachable`` if the store does not answer or refuses access."""

    url: str

    def listed(self, prefix: str) -> dict[str, Kept]:
        """Return every object below a prefix by its key, without downloading content."""
        ...

    def put(self, key: str, path: Path) -> str:
        """Upload a file atomically; return its tag."""
        ...

    def copy(self, source: str, key: str) -> str:
        """Copy an object inside the store, without a download; return the copy's tag."""
        ...

    def swap(self, key: str, content: bytes, tag: str) -> str:
        """Write a small object if its tag is unchanged; return its new tag.

        Args:
            tag: the tag when the object was read or written last; empty if the object did not exist.

        Raises:
            Changed: the object has another tag.
        """
        ...

    def tag(self, key: str) -> str:
        """Return an object's tag; empty if the object does not exist."""
        ...

    def read(self, key: str) -> tuple[bytes, str]:
        """Return the content and the tag of a small object."""
        ...

    def get(self, key: str, path: Path, size: int) -> None:
        """Download an object of ``size`` bytes into a file atomically."""
        ...

    def sha256(self, key: str, size: int) -> str:
        """Return an object's sha256 in hex."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects in order; a missing object is no error."""
        ...

    def free(self) -> int | None:
        """Return the free disk space in bytes; None if unknown."""
        ...
