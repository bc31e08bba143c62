"""The ids of runs and backups: they sort by time, also where this machine's clock was set back."""

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
    """A run's id: the moment in UTC, and four letters against collisions. Fit for a file's and a database's name.

    Args:
        known: the ids that are there. The new one sorts after all of them, since what is meant by the last run and the
            latest backup is told by their ids: where the clock is behind, it is the second after the last one.
    """
    moment = datetime.now(UTC)
    last = max((match[0] for id_ in known if (match := _STAMP.match(id_))), default="")
    if f"{moment:{_FORM}}" <= last:
        with contextlib.suppress(ValueError):
            moment = datetime.strptime(last, _FORM) + timedelta(seconds=1)
    return f"{moment:{_FORM}}_{secrets.token_hex(2)}"


def ids_in(folders: Iterable[Path]) -> list[str]:
    """The ids of all runs and backups in targets' folders."""
    return [path.name for folder in folders for what in ("runs", "backups") for path in (folder / what).glob("*")]
