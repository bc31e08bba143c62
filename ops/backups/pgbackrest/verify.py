"""Whether pgBackRest's repository still holds what was written, as ``pgbackrest verify`` tells by every checksum.

It is there since 2.39. 2.45 ends with 0 whatever it finds, and without ``--verbose`` says nothing where all is well; so
its text is read, and a backup is good only where that says so of this very one. It does not miss WAL that is gone from
an end of the archive: a drill does. Since 2.55 it can be asked about one backup; before, it reads the whole repository.
"""

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
    """What was read of a backup, or of an archive of WAL: files, those that are as they were written, and in words what
    is wrong with the others."""

    name: str
    status: str
    files: int
    valid: int
    why: str

    @property
    def well(self) -> bool:
        """Whether all of it is as it was written."""
        return self.status == "valid" and self.files == self.valid and not self.why

    @property
    def said(self) -> str:
        """What is wrong with it."""
        count = f"{self.files - self.valid:,} of {self.files:,} files" if self.files else "none of its files was read"
        return f"{self.status}, {count}" + (f" ({self.why})" if self.why else "")


def read_verify(text: str) -> tuple[dict[str, Read], list[Read]]:
    """What ``verify --output=text --verbose`` printed: of backups, by their labels, and of archives.

    Raises:
        ValueError: it did not print that.
    """
    if not re.search(r"^status: ", text, re.MULTILINE):
        raise ValueError("it printed no status")
    backups = [_read(name, status, files, valid, why) for name, status, files, valid, why in _BACKUP.findall(text)]
    archives = [_read(name, "valid", files, valid, why) for name, files, valid, why in _WAL.findall(text)]
    return {one.name: one for one in backups}, archives


def _read(name: str, status: str, files: str, valid: str, why: str) -> Read:
    wrong = [part for part in why.split(", ") if part and not part.endswith(": 0")]
    return Read(name, status.strip(), int(files), int(valid), ", ".join(wrong))


def verify(session: Session, manifest: Manifest) -> str:
    """Have pgBackRest read all of a backup that it has. Gives what it read, in words.

    Raises:
        StepFailed: it is not what was written; also where WAL is not.
        OpsError: pgBackRest can't tell.
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
        raise Unreachable(f"pgbackrest verify can't tell whether {label} is whole: {said}", look) from None
    full = f"{' '.join(map(quote, words(on.given, '--type=full', 'backup')))}; inv backup --target={manifest.target}"
    if not (one := backups.get(label)):
        raise StepFailed(f"pgbackrest verify says nothing of {label}{_other(done.out)}", look)
    if not one.well:
        raise StepFailed(f"pgbackrest verify: {label} is not what was written: {one.said}", full)
    for wal in archives:
        if not wal.well:
            count = f"{wal.files - wal.valid:,} of {wal.files:,} WAL files"
            why = f" ({wal.why})" if wal.why else ""
            raise StepFailed(
                f"pgbackrest verify: {label} is whole; of its archive {wal.name}, {count} are not{why}", full
            )
    bad = [one.name for one in backups.values() if one.status == "invalid"]
    rest = f"; it finds {', '.join(bad)} invalid" if bad else ""
    return f"pgbackrest verify read {one.files:,} files and {sum(wal.files for wal in archives):,} of WAL{rest}"


def _other(text: str) -> str:
    """What else it says is wrong: that the repository itself can't be read."""
    lines = [line.strip() for line in text.splitlines() if line.startswith(" ") and ":" not in line]
    return f": {'; '.join(lines)}" if lines else ""
