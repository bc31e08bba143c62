"""Record what a clone is migrated with, before its migrations run.

So a certificate is bound to what was rehearsed, not to what the application's folder has later.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ops.core.errors import Refused
from ops.core.files import write_whole
from ops.core.permissions import whole_id


class Rehearsed(BaseModel):
    """Hold the migrations that were pending on a clone (name and sha256 of the file, in order), and the code."""

    model_config = ConfigDict(frozen=True)

    run: str
    migrations: tuple[tuple[str, str], ...]
    commit: str
    changes: str


def _path(folder: Path, backup: str) -> Path:
    return folder / "rehearsals" / f"{whole_id(backup, 'backup')}.json"


def note(folder: Path, backup: str, now: Rehearsed) -> Rehearsed:
    """Record what a clone is about to be migrated with.

    Args:
        folder: the target's folder.
        backup: the backup that the clone was restored from.
        now: what is pending on the clone now.

    Raises:
        Refused: this run was interrupted during the migrations, and the application changed since.
    """
    before = _read(_path(folder, backup))
    if before and before.run == now.run:
        left = before.migrations[len(before.migrations) - len(now.migrations) :]
        if (left, before.commit, before.changes) != (now.migrations, now.commit, now.changes):
            raise Refused(
                f"{folder.name}: the application changed during the migration of the clone, so this rehearsal proves "
                "nothing",
                f"inv release --target={folder.name}",
            )
        return before
    write_whole(_path(folder, backup), now.model_dump_json(indent=1))
    return now


def read(folder: Path, backup: str) -> Rehearsed:
    """Return what the clone of a backup was migrated with.

    Raises:
        Refused: ``migrate-test`` did not migrate the clone.
    """
    found = _read(_path(folder, backup))
    if found is None:
        raise Refused(
            f"{folder.name}: the clone of backup {backup} was not migrated yet",
            f"inv migrate-test --target={folder.name}",
        )
    return found


def _read(path: Path) -> Rehearsed | None:
    try:
        return Rehearsed.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
