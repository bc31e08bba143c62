"""What every kind of store can do, and what it says of one object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from ops.core.errors import Refused

# Files, and pieces of one, that are sent and fetched at once.
AT_ONCE = 4


@dataclass(frozen=True)
class Kept:
    """One object as the store lists it; ``tag`` changes with its content."""

    size: int
    tag: str
    at: datetime


class Changed(Refused):
    """Somebody else wrote the object meanwhile."""


class AnyStore(Protocol):
    """What every kind of store can do. Each method raises ``Unreachable`` where the store does not answer, or does not
    let us."""

    url: str

    def listed(self, prefix: str) -> dict[str, Kept]:
        """Every object below a prefix, by its key; nothing is downloaded."""
        ...

    def put(self, key: str, path: Path) -> str:
        """Send a file whole, of which no part is seen before the last one is there; gives its tag."""
        ...

    def swap(self, key: str, content: bytes, tag: str) -> str:
        """Write a small object only where it is still the one that is known; gives its new tag.

        Args:
            tag: its tag when it was read or written last; empty where there was none.

        Raises:
            Changed: it is another one by now.
        """
        ...

    def tag(self, key: str) -> str:
        """An object's tag; empty where there is none."""
        ...

    def read(self, key: str) -> tuple[bytes, str]:
        """A small object and its tag."""
        ...

    def get(self, key: str, path: Path, size: int) -> None:
        """Fetch an object into a file that appears whole."""
        ...

    def sha256(self, key: str, size: int) -> str:
        """An object's sha256 in hex."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects, one after the other; one that is gone already is no error."""
        ...

    def free(self) -> int | None:
        """Bytes that it has left; None where it does not tell."""
        ...
