"""Backups in a store that is a folder: the manifest, and whether a backup is whole.

A backup is a folder ``<store>/<target>/backups/<id>`` with dump, fingerprint and ``manifest.json``. The manifest is
written last and the folder renamed after that, so what has a manifest under its final name is a backup, and nothing
else is. Ids begin with the moment in UTC at which their run began, which can be long before a backup is taken.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError, field_validator

from ops.core.errors import OpsError, UsageError
from ops.core.files import sha256, sync_folder, write_whole
from ops.core.permissions import inside, whole_id
from ops.infra.stores import backup_kinds
from ops.infra.stores.encryption import DUMP


class Manifest(BaseModel):
    """What a backup holds and proves. ``files`` maps a name to sha256 and bytes; ``rows`` maps a table to its rows.
    ``delta_of`` names the backup from which a delta differs: it holds those rows only, so nothing is
    rolled back to it. ``engine`` is who holds the data where no dump does: pgBackRest, in ``stanza`` under ``label``,
    ``held`` bytes added to its repository, and ``cluster`` bytes restored; ``unpacked_of`` names such a backup of which
    this dump was made. ``excluded`` maps the tables whose rows stayed out to about how many those were;
    ``database_bytes`` is about what a restored copy takes, 0 where that was not noted."""

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
    engine: str = ""
    stanza: str = ""
    label: str = ""
    held: int = 0
    cluster: int = 0
    unpacked_of: str = ""
    excluded: dict[str, int] = {}
    database_bytes: int = 0

    @field_validator("files")
    @classmethod
    def _are_within(cls, files: dict[str, tuple[str, int]]) -> dict[str, tuple[str, int]]:
        if any(name.startswith("/") or "\0" in name or {"", ".", ".."} & set(name.split("/")) for name in files):
            raise ValueError("a file's name leads out of the backup")
        return files

    @property
    def sealed(self) -> bool:
        """Whether its dump is encrypted."""
        return DUMP in self.files

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in self.files.values())

    @property
    def whole(self) -> int:
        """The same with what its engine holds."""
        return self.size + self.held


def read_manifest(folder: Path) -> Manifest:
    """Read a backup's manifest.

    Raises:
        OpsError: there is none, or it is damaged, or another backup's: then this is no backup.
    """
    path = folder / "manifest.json"
    try:
        found = Manifest.model_validate_json(path.read_bytes())
    except OSError:
        raise OpsError(f"{folder}: no manifest, so this is not a backup", "inv backups") from None
    except ValidationError:
        raise OpsError(f"{path}: the manifest is damaged", "inv backups") from None
    if found.backup != folder.name.removesuffix(".partial"):
        raise OpsError(f"{path}: it is the manifest of another backup: {found.backup!r}", "inv backups")
    return found


def folder_of(folder: Path, backup_id: str) -> Path:
    """A backup's folder, by its id, in a target's folder.

    Raises:
        UsageError: it is no id.
    """
    return folder / "backups" / whole_id(backup_id, "backup's id", "inv backups")


def backups(folder: Path) -> list[Manifest]:
    """All backups in a target's folder, by the moment at which they were taken, oldest first; what has no readable
    manifest is not one."""
    found = []
    for path in sorted((folder / "backups").glob("*/manifest.json")):
        if path.parent.suffix != ".partial" and inside(path, folder):
            try:
                found.append(read_manifest(path.parent))
            except OpsError:
                continue
    return sorted(found, key=lambda one: (one.taken_at, one.backup))


def find(folder: Path, wanted: str) -> Manifest:
    """The backup with this id, or for ``latest`` the newest real one.

    Raises:
        UsageError: there is none; the message lists what is there.
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
    """Write the manifest of a dump and give the folder its name. Safe to repeat.

    Args:
        partial: the folder with the dump and the fingerprint.
        final: its name as a backup.
        facts: the manifest's fields but ``files``.
    """
    if final.exists() and not partial.exists():
        return read_manifest(final)
    files = {}
    for path in sorted(partial.rglob("*")):
        if path.is_file() and path.name != "manifest.json" and not path.name.startswith("."):
            if path.is_symlink():
                raise OpsError(f"{path}: a link, which is no part of a dump", "inv backup")
            path.chmod(0o600)
            with path.open("rb+") as file:
                os.fsync(file.fileno())
            files[path.relative_to(partial).as_posix()] = (sha256(path), path.stat().st_size)
    manifest = Manifest.model_validate({**facts, "files": files})
    write_whole(partial / "manifest.json", json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False))
    partial.rename(final)
    sync_folder(final.parent)
    return manifest


def damage(folder: Path) -> list[str]:
    """What is wrong with a backup's files, a sentence each; empty where every sha256 is right."""
    manifest = read_manifest(folder)
    said = []
    for name, (digest, size) in manifest.files.items():
        path = folder / name
        if not path.is_file():
            said.append(f"{name} is missing")
        elif not inside(path, folder):
            said.append(f"{name} is a link that leads out of the backup")
        elif path.stat().st_size != size or sha256(path) != digest:
            said.append(f"{name} is not what was written")
    return said
