"""Record which files were uploaded to or downloaded from which objects, so that no file is transferred twice."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from ops.core.files import write_whole

# An object's tag, and the size and time of the local file.
Known = tuple[str, int, int]


def about(path: Path) -> tuple[int, int]:
    """Return a file's size in bytes and its mtime in nanoseconds, which identify the content."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def read(path: Path) -> dict[str, Known]:
    """Read the records by name; return an empty dict if the file is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): (str(tag), int(size), int(at)) for name, (tag, size, at) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


@contextlib.contextmanager
def noted(path: Path) -> Iterator[dict[str, Known]]:
    """Read the records by name, and write them back if they have changed, also after an error."""
    known = read(path)
    before = dict(known)
    try:
        yield known
    finally:
        if known != before:
            write_whole(path, json.dumps(known))
