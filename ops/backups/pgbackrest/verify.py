"""Verify pgBackRest's repository with ``pgbackrest verify``, which compares every checksum.

``verify`` exists since 2.39. 2.45 always exits with 0, and prints nothing about good backups without ``--verbose``.
So its output is parsed, and a backup is good only if the output says so. ``verify`` does not detect missing WAL at
an end of the archive; a drill does. Since 2.55 it can check a single backup; before, it reads the whole repository."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ops.backups.pgbackrest.pgbackrest_cli import words
from ops.backups.pgbackrest.stanza import OnStanza
from ops.core.errors import StepFailed, Unreachable
from ops.engine.command import quote
from ops.infra.session.session import Session
from ops.infra.stores.manifest import Manifest

ONE = (2, 55)
_FAULTS = r"(?:\n +((?:missing|checksum invalid|size invalid|other): .*))?"
_BACKUP = re.compile(
    r"backup: (\S+), status: ([^,\n]+), total files checked: (\d+), total valid files: (\d+)" + _FAULTS
)
_WAL = re.compile(r"archiveId: (\S+), total WAL checked: (\d+), total valid WAL: (\d+)" + _FAULTS)


@dataclass(frozen=True)
class Read:
    """The result for a backup or an archive of WAL: its files, its valid files, and a description of the faults."""

    name: str
    status: str
    files: int
    valid: int
    why: str

    @property
    def well(self) -> bool:
        """Return True if all files are valid."""
        return self.status == "valid" and self.files == self.valid and not self.why

    @property
    def said(self) -> str:
        """Return the faults in words."""
        count = f"{self.files - self.valid:,} of {self.files:,} files" if self.files else "none of its files was read"
        return f"{self.status}, {count}" + (f" ({self.why})" if self.why else "")


def read_verify(text: str) -> tuple[dict[str, Read], list[Read]]:
    """Parse the output of ``verify --output=text --verbose``: backups by their labels, and archives.

    Raises:
        ValueError: the output has another form.
    """
    if not re.search(r"^status: ", text, re.MULTILINE):
        raise ValueError("no status in the output")
    backups = [_read(name, status, files, valid, why) for name, status, files, valid, why in _BACKUP.findall(text)]
    archives = [_read(name, "valid", files, valid, why) for name, files, valid, why in _WAL.findall(text)]
    return {one.name: one for one in backups}, archives


def _read(name: str, status: str, files: str, valid: str, why: str) -> Read:
    wrong = [part for part in why.split(", ") if part and not part.endswith(": 0")]
    return Read(name, status.strip(), int(files), int(valid), ", ".join(wrong))


def verify(session: Session, manifest: Manifest) -> str:
    """Let pgBackRest verify a backup, and return the number of files in words.

    Raises:
        StepFailed: files of the backup, or its WAL, are damaged.
        OpsError: pgBackRest reports no result.
    """
    on, label = OnStanza(session, manifest.target), manifest.label
    narrow = (f"--set={label}",) if on.version() >= ONE else ()
    asked = words(on.given, *narrow, "--output=text", "--verbose", "verify")
    look = " ".join(map(quote, asked))
    done = on.run(asked)
    try:
        backups, archives = read_verify(done.out)
    except ValueError as error:
        said = on.said(done)[1] if done.exit else str(error)
        raise Unreachable(f"pgbackrest verify has no result for {label}: {said}", look) from None
    full = f"{' '.join(map(quote, words(on.given, '--type=full', 'backup')))}; inv backup --target={manifest.target}"
    if not (one := backups.get(label)):
        raise StepFailed(f"pgbackrest verify does not list {label}{_other(done.out)}", look)
    if not one.well:
        raise StepFailed(f"pgbackrest verify: {label} is damaged: {one.said}", full)
    for wal in archives:
        if not wal.well:
            count = f"{wal.files - wal.valid:,} of {wal.files:,} WAL files"
            why = f" ({wal.why})" if wal.why else ""
            raise StepFailed(
                f"pgbackrest verify: {label} is valid, but {count} of its archive {wal.name} are damaged{why}", full
            )
    bad = [one.name for one in backups.values() if one.status == "invalid"]
    rest = f"; {', '.join(bad)} are invalid" if bad else ""
    return f"pgbackrest verify read {one.files:,} files and {sum(wal.files for wal in archives):,} of WAL{rest}"


def _other(text: str) -> str:
    """Return other errors in the output, such as an unreadable repository."""
    lines = [line.strip() for line in text.splitlines() if line.startswith(" ") and ":" not in line]
    return f": {'; '.join(lines)}" if lines else ""
