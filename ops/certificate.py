"""The certificate: a rehearsal's result, bound to what it is valid for. Promotion asks for it.

It binds the pending migrations' files, the application's commit, production's schema and applied migrations, the backup
that was rehearsed on, the server's version and this tool's version, and it expires.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ops.errors import Refused
from ops.files import write_whole


class Bound(BaseModel):
    """What a certificate is valid for; compared field by field."""

    model_config = ConfigDict(frozen=True)

    migrations: str
    commit: str
    schema_digest: str
    applied: tuple[str, ...]
    backup: str
    server: str
    tool: str


# How each field is called where it differs.
NAMES = {
    "migrations": "the pending migrations' files",
    "commit": "the application's commit",
    "schema_digest": "production's schema",
    "applied": "the migrations that production has",
    "backup": "the backup",
    "server": "the server's version",
    "tool": "this tool's version",
}


class Moved(BaseModel):
    """Where a table's rows and columns went in the rehearsal, and how many rows came in addition."""

    model_config = ConfigDict(frozen=True)

    table: str
    to: str
    columns: dict[str, str]
    exact: bool


class Certificate(BaseModel):
    """A rehearsal that held."""

    model_config = ConfigDict(frozen=True)

    certificate: str
    target: str
    issued_at: datetime
    expires_at: datetime
    bound: Bound
    schema_after: str
    moves: tuple[Moved, ...]
    verdict: dict[str, object]


def path(folder: Path, name: str) -> Path:
    """Where a certificate is kept in a target's folder."""
    return folder / "certificates" / f"{name}.json"


def write(folder: Path, certificate: Certificate) -> None:
    """Keep a certificate; the file appears whole."""
    write_whole(path(folder, certificate.certificate), certificate.model_dump_json(indent=1))


def read(folder: Path, name: str) -> Certificate:
    """Read a certificate.

    Raises:
        Refused: it is missing or damaged.
    """
    file = path(folder, name)
    try:
        return Certificate.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        raise Refused(
            f"{folder.name}: there is no certificate {name or '(none was issued)'}",
            f"inv release --target={folder.name}",
        ) from None


def newest(folder: Path) -> str:
    """The name of the newest certificate; empty where there is none."""
    names = sorted(file.stem for file in (folder / "certificates").glob("*.json"))
    return names[-1] if names else ""


def objections(certificate: Certificate, now: Bound, moment: datetime | None = None) -> list[str]:
    """Why a certificate does not hold for what is there now, a sentence each; empty where it holds."""
    moment = moment or datetime.now(UTC)
    said = []
    if moment >= certificate.expires_at:
        said.append(f"it expired at {certificate.expires_at:%Y-%m-%d %H:%M} UTC")
    for name, words in NAMES.items():
        if getattr(certificate.bound, name) != getattr(now, name):
            said.append(f"{words} changed since the rehearsal")
    return said
