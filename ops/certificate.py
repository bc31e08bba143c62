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
from ops.measures import Measured
from ops.rows import Proof
from ops.verdict import Verdict


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
    """Where a table's rows and columns went in the rehearsal.

    ``to`` is empty where the table is removed: it was empty, and must be. ``whole`` means that nothing about it may
    change; else ``proofs`` are the comparisons that have to hold. ``tolerated``: Django keeps the table itself;
    ``emptied`` are columns that are removed: they held no value, and must not.
    """

    model_config = ConfigDict(frozen=True)

    table: str
    to: tuple[str, ...]
    whole: bool = False
    proofs: tuple[Proof, ...] = ()
    tolerated: bool = False
    emptied: tuple[str, ...] = ()


def moves(verdict: Verdict) -> tuple[Moved, ...]:
    """What a verdict says of every old table, as far as production must follow it."""
    return tuple(
        Moved(
            table=found.table,
            to=() if found.verdict == "removed" else tuple(found.to.split(", ")) if found.to else (found.table,),
            whole=found.verdict == "unchanged" and not found.columns and found.rows_before == found.rows_after,
            proofs=tuple(found.proofs),
            tolerated=found.tolerated,
            emptied=tuple(column.column for column in found.columns if column.verdict == "removed"),
        )
        for found in verdict.tables
        if found.verdict != "added"
    )


class Certificate(BaseModel):
    """A rehearsal that held. ``pending`` are the rehearsed migrations, name and sha256 of the file, in their order.

    ``measured`` is what they cost on the clone; None where that was not measured.
    """

    model_config = ConfigDict(frozen=True)

    certificate: str
    target: str
    issued_at: datetime
    expires_at: datetime
    bound: Bound
    pending: tuple[tuple[str, str], ...]
    schema_after: str
    moves: tuple[Moved, ...]
    measured: Measured | None = None


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


def partly(certificate: Certificate, applied: set[str], pending: list[tuple[str, str]]) -> list[str]:
    """Why going on with a promotion that stopped between two migrations is not what was rehearsed; empty where it is.

    Args:
        applied: the migrations that production has now.
        pending: those that are left, with the sha256 of their files.
    """
    names = [name for name, _ in certificate.pending]
    done = [name for name in names if name in applied]
    said = []
    if applied - set(names) != set(certificate.bound.applied):
        said.append("other migrations were applied meanwhile")
    if pending != [entry for entry in certificate.pending if entry[0] not in done]:
        said.append("the migrations that are left are not those of the rehearsal")
    return said
