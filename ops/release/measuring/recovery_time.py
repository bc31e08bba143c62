"""Measure the recovery in a rehearsal: the time to restore the backup, to prove it, and to swap it in."""

from __future__ import annotations

import json
import math
import re
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ops.core.errors import UsageError
from ops.core.files import write_whole
from ops.core.text import duration

MOMENTS = ("restore-begun", "restored", "proof-begun", "proved")
SWAPS = ("swapped-in.txt", "swapped-back.txt")


class Recovery(BaseModel):
    """Hold the seconds of the restore, of its proof by fingerprint, and without client access during the swap."""

    model_config = ConfigDict(frozen=True)

    restored: float
    proved: float
    swapped: float

    @property
    def seconds(self) -> float:
        """Return the sum in seconds."""
        return self.restored + self.proved + self.swapped

    @property
    def sentence(self) -> str:
        """Return the times as a sentence."""
        return f"recovery proved: restored and verified in {duration(self.restored + self.proved)}, " + (
            f"swapped in {self.swapped:.2g} s"
        )


def note(file: Path, moment: str) -> str:
    """Record the current time for a moment. Remove this and later moments of an interrupted attempt.

    Returns:
        The time since the previous moment, as text.

    Raises:
        UsageError: the moment is not one of ``MOMENTS``.
    """
    if moment not in MOMENTS:
        raise UsageError(f"--moment={moment} is not one of {', '.join(MOMENTS)}", f"--moment={MOMENTS[0]}")
    number = MOMENTS.index(moment)
    noted = {name: at for name, at in _noted(file).items() if name in MOMENTS[:number]} | {moment: time.time()}
    write_whole(file, json.dumps(noted))
    begun = noted.get(MOMENTS[number - 1], noted[moment])
    return f"{moment} in {duration(noted[moment] - begun)}" if number % 2 else moment


def measured(file: Path) -> Recovery | None:
    """Return the times recorded in ``file`` and in the swap files beside it, or None if any is missing."""
    moments = _noted(file)
    gaps = [gap for name in SWAPS for gap in _gaps(file.with_name(name))]
    if not gaps or set(MOMENTS) - moments.keys():
        return None
    restored = moments["restored"] - moments["restore-begun"]
    proved = moments["proved"] - moments["proof-begun"]
    if restored < 0 or proved < 0:
        return None
    return Recovery(restored=round(restored, 3), proved=round(proved, 3), swapped=max(gaps))


def _noted(file: Path) -> dict[str, float]:
    """Return the recorded moments, or none if the file is damaged."""
    try:
        noted = json.loads(file.read_bytes())
        found = {name: float(noted[name]) for name in MOMENTS if name in noted}
        return {name: moment for name, moment in found.items() if math.isfinite(moment)}
    except (OSError, ValueError, TypeError, OverflowError, RecursionError):
        return {}


def _gaps(file: Path) -> list[float]:
    """Return the seconds without client access that ``swap.sql`` reported."""
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    return [float(found) for found in re.findall(r"clients were away for (\d{1,9}(?:\.\d+)?) s", text)]
