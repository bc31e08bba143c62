"""Ids of runs and backups. They sort by time, even after this machine's clock was set back."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

_FORM = "%Y%m%d_%H%M%S"
_STAMP = re.compile(r"\d{8}_\d{6}(?=_)")


def new_run(known: Iterable[str] = ()) -> str:
    """Make a run id: the time in UTC, and four hexadecimal digits against collisions.

    The id can be part of a file name and of a database name. Ids decide which run is the last and which backup is the
    latest, so the new id sorts after all known ids. If the clock is behind, it is one second after the last id.

    Args:
        known: the existing ids.
    """
    moment = datetime.now(UTC)
    last = max((match[0] for id_ in known if (match := _STAMP.match(id_))), default="")
    if f"{moment:{_FORM}}" <= last:
        with contextlib.suppress(ValueError):
            moment = datetime.strptime(last, _FORM) + timedelta(seconds=1)
    return f"{moment:{_FORM}}_{secrets.token_hex(2)}"


def ids_in(folders: Iterable[Path]) -> list[str]:
    """Return the ids of all runs and backups in the folders of targets."""
    return [path.name for folder in folders for what in ("runs", "backups") for path in (folder / what).glob("*")]
