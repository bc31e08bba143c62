"""Pin backups: a pinned backup is retained, whatever the policy."""

from __future__ import annotations

import json
from pathlib import Path

from ops.core.files import write_whole
from ops.core.permissions import whole_id
from ops.engine import journal

PINS = "pins"


def pins(folder: Path) -> dict[str, str]:
    """Return the pinned backups of a target with their reasons. A pin that can't be read is still valid."""
    found = {}
    for path in sorted((folder / PINS).glob("*.json")):
        try:
            found[path.stem] = str(json.loads(path.read_text(encoding="utf-8")).get("reason") or "")
        except (OSError, ValueError, AttributeError):
            found[path.stem] = ""
    return found


def pin(folder: Path, backup: str, reason: str) -> None:
    """Pin a backup."""
    said = {"backup": backup, "reason": reason, "at": journal.now()}
    write_whole(_pin(folder, backup), json.dumps(said))


def unpin(folder: Path, backup: str) -> None:
    """Remove a backup's pin, if there is one."""
    _pin(folder, backup).unlink(missing_ok=True)


def _pin(folder: Path, backup: str) -> Path:
    return folder / PINS / f"{whole_id(backup, 'backup id')}.json"
