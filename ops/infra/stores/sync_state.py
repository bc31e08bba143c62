"""What is known of the objects that files were sent to or fetched from, so that nothing is sent or fetched twice."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from ops.core.files import write_whole

# An object's tag, and the size and time of the file that it was sent from or fetched into.
Known = tuple[str, int, int]


def about(path: Path) -> tuple[int, int]:
    """A file's bytes, and when it was written last, in nanoseconds: both stay as they are while it does."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def read(path: Path) -> dict[str, Known]:
    """What is known, by name; nothing where the file is not there or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): (str(tag), int(size), int(at)) for name, (tag, size, at) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


@contextlib.contextmanager
def noted(path: Path) -> Iterator[dict[str, Known]]:
    """What is known, by name; written back whole where it changed, also after an error."""
    known = read(path)
    before = dict(known)
    try:
        yield known
    finally:
        if known != before:
            write_whole(path, json.dumps(known))
