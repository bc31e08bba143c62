"""Pin backups: a pinned one stays, whatever the policy says."""

from __future__ import annotations

import json
from pathlib import Path

from ops.core.files import write_whole
from ops.core.permissions import whole_id
from ops.engine import journal

PINS = "pins"


def pins(folder: Path) -> dict[str, str]:
    """Read the pinned backups of a target, each with why; a pin that can't be read still holds."""
    found = {}
    for path in sorted((folder / PINS).glob("*.json")):
        try:
            found[path.stem] = str(json.loads(path.read_text(encoding="utf-8")).get("reason") or "")
        except (OSError, ValueError, AttributeError):
            found[path.stem] = ""
    return found


def pin(folder: Path, backup: str, reason: str) -> None:
    """Keep a backup until it is unpinned."""
    said = {"backup": backup, "reason": reason, "at": journal.now()}
    write_whole(_pin(folder, backup), json.dumps(said))


def unpin(folder: Path, backup: str) -> None:
    """Let retention decide again."""
    _pin(folder, backup).unlink(missing_ok=True)


def _pin(folder: Path, backup: str) -> Path:
    return folder / PINS / f"{whole_id(backup, 'backup id')}.json"
