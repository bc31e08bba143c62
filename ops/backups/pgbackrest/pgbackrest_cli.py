"""pgBackRest: its words, and what it prints. Pure.

Facts are those of its own help and of what 2.45 does: annotations since 2.41, ``info --output=json`` is kept stable.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ops.engine.inputs import PgBackRestInputs

PROGRAM = "pgbackrest"
SINCE = (2, 41)
# Under this name a backup of pgBackRest's carries the id of ours.
ANNOTATION = "generalprobe"
# What it ends with where the repository does not hold what was written: checksum, file invalid, format, file missing.
DAMAGED = ("026", "028", "029", "055")
# Of a stanza's state: all is well, and all is well but there is no backup yet.
WELL = (0, 2)


@dataclass(frozen=True)
class Kept:
    """A backup that pgBackRest has; sizes in bytes: of the whole cluster, and of what it added to the repository.

    ``backup`` is the id of ours, from its annotation; empty where somebody else asked for it.
    """

    label: str
    backup: str
    broken: bool
    size: int
    repository: int
    ended: datetime


@dataclass(frozen=True)
class Stanza:
    """What pgBackRest says of a stanza. ``system`` is the identifier of the cluster that it is of now."""

    name: str
    code: int
    message: str
    busy: bool
    system: str
    backups: tuple[Kept, ...]

    def named(self, backup: str) -> Kept | None:
        """The whole one that carries the id of one of ours, the newest of them; None where there is none."""
        return next((one for one in reversed(self.backups) if one.backup == backup and not one.broken), None)

    def labelled(self, label: str) -> Kept | None:
        """The one with a label; None where it is gone."""
        return next((one for one in self.backups if one.label == label), None)


def read_info(text: str, stanza: str) -> Stanza:
    """What ``info --output=json`` printed about a stanza.

    Raises:
        ValueError: it did not print that.
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
        raise ValueError(f"not what pgBackRest prints ({type(error).__name__})") from None


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
    """The version that ``pgbackrest version`` printed; empty where it did not."""
    found = re.search(r"pgBackRest (\d+(?:\.\d+)+)", text)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def trouble(text: str) -> tuple[str, str]:
    """The number and the sentence of the error that it printed; the last line where there is none."""
    if found := re.search(r"ERROR: \[(\d+)\]: (.*)", text):
        # From a process of its own it says first which one that was.
        return found[1], re.sub(r"^raised from [\w-]+ protocol: ", "", found[2])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "", lines[-1] if lines else "no words"


def words(c: PgBackRestInputs, *more: str) -> tuple[str, ...]:
    """A call of pgBackRest for a stanza, as the database's user of the operating system."""
    config = (f"--config={c.config}",) if c.config else ()
    return (*c.as_user, PROGRAM, *config, f"--stanza={c.stanza}", *more)


def backup_words(c: PgBackRestInputs, backup: str) -> tuple[str, ...]:
    """What makes a backup that carries the id of ours."""
    return words(c, f"--type={c.kind}", f"--annotation={ANNOTATION}={backup}", "backup")


def restore_words(c: PgBackRestInputs, label: str, folder: str) -> tuple[str, ...]:
    """What restores a backup into ``folder/data``, as far as it is consistent and no further, and never archives there.

    Its locks and logs are its own, so that the live server's archiving waits for nothing; tablespaces come along.
    """
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
