"""Backups in a store that is a folder: write, read and verify manifests.

A backup is a folder ``<store>/<target>/backups/<id>`` with dump, fingerprint and ``manifest.json``. The manifest is
written last, and then the folder gets its final name. So only a folder with its final name and a manifest is a backup.
An ID begins with the time (UTC) at which the run began, which can be long before the time of the backup.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError, field_validator

from ops.core.errors import OpsError, UsageError
from ops.core.files import digest, sync_folder, write_whole
from ops.core.permissions import inside, whole_id
from ops.infra.stores import backup_kinds
from ops.infra.stores.encryption import DUMP
from ops.verdict.moment import Replica


class Manifest(BaseModel):
    """The manifest of a backup.

    ``files`` maps a name to sha256 and bytes, ``rows`` a table to its number of rows. ``delta_of`` names the backup
    from which a delta differs; a delta contains only the differing rows, so it is never restored as production.
    ``engine`` is the program that stores the data if there is no dump: pgBackRest, in ``stanza`` under ``label``, with
    ``held`` bytes added to its repository and ``cluster`` bytes restored. ``unpacked_of`` names the pgBackRest backup
    of which the dump was made. ``excluded`` maps the tables without rows to their approximate number of rows.
    ``base`` names the backup from which the files below ``base/`` come: they hold the rows of the tables that had not
    changed since. ``database_bytes`` is the approximate size of a restored copy; 0 if unknown. ``standby``: the
    streaming replica that was dumped instead of production, at its position and lag.
    """

    model_config = ConfigDict(frozen=True)

    backup: str
    target: str
    database: str
    taken_at: AwareDatetime
    server: int
    client: str
    system: str
    schema_digest: str
    migrations: tuple[str, ...]
    commit: str
    run: str
    rows: dict[str, int]
    files: dict[str, tuple[str, int]]
    delta_of: str = ""
    base: str = ""
    engine: str = ""
    stanza: str = ""
    label: str = ""
    held: int = 0
    cluster: int = 0
    unpacked_of: str = ""
    excluded: dict[str, int] = {}
    database_bytes: int = 0
    standby: Replica | None = None

    @field_validator("files")
    @classmethod
    def _are_within(cls, files: dict[str, tuple[str, int]]) -> dict[str, tuple[str, int]]:
        if any(name.startswith("/") or "\0" in name or {"", ".", ".."} & set(name.split("/")) for name in files):
            raise ValueError("a file's name is outside the backup")
        return files

    @property
    def sealed(self) -> bool:
        """True if the dump is encrypted."""
        return DUMP in self.files

    @property
    def size(self) -> int:
        """The size of all files in bytes."""
        return sum(size for _, size in self.files.values())

    @property
    def whole(self) -> int:
        """The size of all files plus the bytes in the engine's repository."""
        return self.size + self.held


def read_manifest(folder: Path) -> Manifest:
    """Read a backup's manifest.

    Raises:
        OpsError: the manifest is missing or damaged, or belongs to another backup.
    """
    path = folder / "manifest.json"
    try:
        found = Manifest.model_validate_json(path.read_bytes())
    except OSError:
        raise OpsError(f"{folder}: the manifest is missing, so this is not a backup", "inv backups") from None
    except ValidationError:
        raise OpsError(f"{path}: the manifest is damaged", "inv backups") from None
    if found.backup != folder.name.removesuffix(".partial"):
        raise OpsError(f"{path}: the manifest belongs to another backup: {found.backup!r}", "inv backups")
    return found


def folder_of(folder: Path, backup_id: str) -> Path:
    """Return a backup's folder in a target's folder.

    Raises:
        UsageError: ``backup_id`` is not an ID.
    """
    return folder / "backups" / whole_id(backup_id, "backup's id", "inv backups")


def backups(folder: Path) -> list[Manifest]:
    """Return all backups in a target's folder, the oldest first; omit folders without a valid manifest."""
    found = []
    for path in sorted((folder / "backups").glob("*/manifest.json")):
        if path.parent.suffix != ".partial" and inside(path, folder):
            try:
                found.append(read_manifest(path.parent))
            except OpsError:
                continue
    return sorted(found, key=lambda one: (one.taken_at, one.backup))


def find(folder: Path, wanted: str) -> Manifest:
    """Return the backup with an ID, or for ``latest`` the newest backup of production.

    Raises:
        UsageError: the backup does not exist; the message lists the newest backups.
    """
    known = backups(folder)
    if wanted == "latest" and (meant := backup_kinds.newest(backup_kinds.real(known))):
        return meant
    for manifest in known:
        if manifest.backup == wanted:
            return manifest
    listed = ", ".join(manifest.backup for manifest in known[-5:]) or "none"
    raise UsageError(
        f"{folder.name}: there is no backup {wanted!r}; the newest are: {listed}",
        f"inv backups --target={folder.name}   or   inv backup --target={folder.name}",
    )


def seal(partial: Path, final: Path, facts: dict[str, object]) -> Manifest:
    """Write the manifest of a dump, and rename its folder to the final name. Safe to repeat.

    Args:
        partial: the folder with the dump and the fingerprint.
        final: the folder's final name.
        facts: the manifest's fields except ``files``.

    Raises:
        OpsError: the dump contains a symbolic link.
    """
    if final.exists() and not partial.exists():
        return read_manifest(final)
    files = {}
    for path in sorted(partial.rglob("*")):
        if path.is_file() and path.name != "manifest.json" and not path.name.startswith("."):
            if path.is_symlink():
                raise OpsError(f"{path}: a dump must not contain a symbolic link", "inv backup")
            path.chmod(0o600)
            with path.open("rb+") as file:
                os.fsync(file.fileno())
            files[path.relative_to(partial).as_posix()] = (digest(path), path.stat().st_size)
    manifest = Manifest.model_validate({**facts, "files": files})
    write_whole(partial / "manifest.json", json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False))
    partial.rename(final)
    sync_folder(final.parent)
    return manifest


def damage(folder: Path) -> list[str]:
    """Return the damages of a backup's files, one sentence each; empty if every sha256 matches."""
    manifest = read_manifest(folder)
    said = []
    for name, (wanted, size) in manifest.files.items():
        path = folder / name
        if not path.is_file():
            said.append(f"{name} is missing")
        elif not inside(path, folder):
            said.append(f"{name} is a link to a file outside the backup")
        elif path.stat().st_size != size or digest(path) != wanted:
            said.append(f"{name} does not match the manifest")
    return said
