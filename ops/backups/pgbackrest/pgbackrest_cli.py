"""Build pgBackRest's command lines and parse its output, without I/O.

Sources are pgBackRest's help and the behaviour of 2.45. Annotations exist since 2.41; ``info --output=json`` is
stable."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ops.engine.inputs import PgBackRestInputs

PROGRAM = "pgbackrest"
SINCE = (2, 41)
# The annotation that holds the tool's backup id.
ANNOTATION = "generalprobe"
# Error codes of a damaged repository: checksum, file invalid, format, file missing.
DAMAGED = ("026", "028", "029", "055")
# Codes of a stanza without errors: with backups, and without a backup yet.
WELL = (0, 2)


@dataclass(frozen=True)
class Kept:
    """A backup in pgBackRest's repository. Sizes in bytes: of the cluster, and added to the repository.

    ``backup`` is the tool's backup id from the annotation; empty if somebody else made the backup."""

    label: str
    backup: str
    broken: bool
    size: int
    repository: int
    ended: datetime


@dataclass(frozen=True)
class Stanza:
    """pgBackRest's report on a stanza. ``system`` is the identifier of its present cluster."""

    name: str
    code: int
    message: str
    busy: bool
    system: str
    backups: tuple[Kept, ...]

    def named(self, backup: str) -> Kept | None:
        """Return the newest backup without errors that carries a backup id; None if there is none."""
        return next((one for one in reversed(self.backups) if one.backup == backup and not one.broken), None)

    def labelled(self, label: str) -> Kept | None:
        """Return the backup with a label; None if there is none."""
        return next((one for one in self.backups if one.label == label), None)


def read_info(text: str, stanza: str) -> Stanza:
    """Parse the output of ``info --output=json`` for a stanza.

    Raises:
        ValueError: the output has another form.
    """
    try:
        [found] = [one for one in json.loads(text) if one["name"] == stanza]
        status, systems = found["status"], [str(one["system-id"]) for one in found["db"]]
        return Stanza(
            stanza,
            int(status["code"]),
            str(status["message"]),
            bool(status.get("lock", {}).get("backup", {}).get("held")),
            systems[-1] if systems else "",
            tuple(_kept(one) for one in found["backup"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"unexpected output of pgBackRest ({type(error).__name__})") from None


def _kept(one: dict[str, Any]) -> Kept:
    info = one["info"]
    return Kept(
        str(one["label"]),
        str((one.get("annotation") or {}).get(ANNOTATION, "")),
        bool(one.get("error")),
        int(info["size"]),
        int(info["repository"]["delta"]),
        datetime.fromtimestamp(int(one["timestamp"]["stop"]), UTC),
    )


def version(text: str) -> tuple[int, ...]:
    """Return the version from the output of ``pgbackrest version``; empty if there is none."""
    found = re.search(r"pgBackRest (\d+(?:\.\d+)+)", text)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def trouble(text: str) -> tuple[str, str]:
    """Return number and text of the printed error; without an error, the last line."""
    if found := re.search(r"ERROR: \[(\d+)\]: (.*)", text):
        # An error of a sub-process begins with the name of the process.
        return found[1], re.sub(r"^raised from [\w-]+ protocol: ", "", found[2])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "", lines[-1] if lines else "no message"


def words(c: PgBackRestInputs, *more: str) -> tuple[str, ...]:
    """Return a command of pgBackRest for a stanza, run as the database's operating system user."""
    config = (f"--config={c.config}",) if c.config else ()
    return (*c.as_user, PROGRAM, *config, f"--stanza={c.stanza}", *more)


def backup_words(c: PgBackRestInputs, backup: str) -> tuple[str, ...]:
    """Return the command that makes a backup with the tool's backup id as annotation."""
    return words(c, f"--type={c.kind}", f"--annotation={ANNOTATION}={backup}", "backup")


def restore_words(c: PgBackRestInputs, label: str, folder: str) -> tuple[str, ...]:
    """Return the command that restores a backup into ``folder/data`` up to its first consistent state.

    Archiving is off. Lock and log folders are separate, so that the live server's archiving does not wait.
    Tablespaces are restored below ``folder``."""
    return words(
        c,
        f"--set={label}",
        "--type=immediate",
        "--target-action=promote",
        "--archive-mode=off",
        f"--pg1-path={folder}/data",
        f"--tablespace-map-all={folder}/tablespaces",
        f"--lock-path={folder}/lock",
        f"--log-path={folder}",
        "restore",
    )
