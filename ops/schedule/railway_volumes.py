"""Railway's own schedule of volume backups, beside ours: what the inventory wants and what Railway has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ops.core.errors import OpsError
from ops.infra.railway.volume_backups import OnVolume
from ops.infra.session.session import Session

TASK = "volume-backup"


@dataclass(frozen=True)
class Volumes:
    """The automatic backups of a target's volume: kinds that are wanted, kinds that are set, and why not known."""

    target: str
    wanted: tuple[str, ...]
    installed: tuple[str, ...]
    unknown: str = ""

    @property
    def differs(self) -> str:
        """What is not as wanted, in words; empty where it is."""
        if self.unknown:
            return f"{self.target}: Railway's automatic backups are not known: {self.unknown}"
        if self.wanted == self.installed:
            return ""
        return f"{self.target}: Railway's automatic backups are {_said(self.installed)}, wanted: {_said(self.wanted)}"

    @property
    def row(self) -> list[str]:
        """As a line of the table."""
        return [self.target, TASK, _said(self.wanted), self.unknown or _said(self.installed), "", "railway", "", ""]

    @property
    def event(self) -> dict[str, Any]:
        """For programs."""
        told = {"wanted": ", ".join(self.wanted), "installed": None if self.unknown else ", ".join(self.installed)}
        return {"event": "scheduled", "target": self.target, "task": TASK, **told, "with": "railway"}


def volumes(session: Session, target: str) -> Volumes | None:
    """What is wanted and what is set; None where the inventory leaves it as it is."""
    entry = session.inventory.target(target)
    if entry.railway is None or entry.railway.schedule is None:
        return None
    wanted = tuple(sorted(set(entry.railway.schedule), key=("daily", "weekly", "monthly").index))
    try:
        return Volumes(target, wanted, OnVolume(session.railway(target)).schedule())
    except OpsError as error:
        return Volumes(target, wanted, (), error.message)


def install(session: Session, found: Volumes) -> None:
    """Make Railway's schedule the wanted one.

    Raises:
        OpsError: Railway does not, or says other than it was told.
    """
    if found.differs:
        OnVolume(session.railway(found.target)).set_schedule(found.wanted)


def _said(kinds: tuple[str, ...]) -> str:
    return ", ".join(kinds) or "none"
