"""Railway's automatic volume backups: compare the inventory with Railway, and change Railway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ops.core.errors import OpsError
from ops.infra.railway.volume_backups import OnVolume
from ops.infra.session.session import Session

TASK = "volume-backup"


@dataclass(frozen=True)
class Volumes:
    """The automatic backups of a target's volume: the kinds in the inventory, and the kinds that Railway has set.

    ``unknown`` is the reason if Railway's kinds are not known.
    """

    target: str
    wanted: tuple[str, ...]
    installed: tuple[str, ...]
    unknown: str = ""

    @property
    def differs(self) -> str:
        """The difference, as text; empty if there is none."""
        if self.unknown:
            return f"{self.target}: Railway's automatic backups could not be read: {self.unknown}"
        if self.wanted == self.installed:
            return ""
        said = f"{_said(self.wanted)} in the inventory, {_said(self.installed)} on Railway"
        return f"{self.target}: Railway's automatic backups: {said}"

    @property
    def row(self) -> list[str]:
        """The row of the table."""
        return [self.target, TASK, _said(self.wanted), self.unknown or _said(self.installed), "", "railway", "", ""]

    @property
    def event(self) -> dict[str, Any]:
        """The event for programs."""
        told = {"wanted": ", ".join(self.wanted), "installed": None if self.unknown else ", ".join(self.installed)}
        return {"event": "scheduled", "target": self.target, "task": TASK, **told, "with": "railway"}


def volumes(session: Session, target: str) -> Volumes | None:
    """Compare the inventory with Railway; return None if the inventory has no key ``railway: {schedule: …}``."""
    entry = session.inventory.target(target)
    if entry.railway is None or entry.railway.schedule is None:
        return None
    wanted = tuple(sorted(set(entry.railway.schedule), key=("daily", "weekly", "monthly").index))
    try:
        return Volumes(target, wanted, OnVolume(session.railway(target)).schedule())
    except OpsError as error:
        return Volumes(target, wanted, (), error.message)


def install(session: Session, found: Volumes) -> None:
    """Set Railway's automatic backups to those in the inventory.

    Raises:
        OpsError: Railway refused, or reports another result.
    """
    if found.differs:
        OnVolume(session.railway(found.target)).set_schedule(found.wanted)


def _said(kinds: tuple[str, ...]) -> str:
    return ", ".join(kinds) or "none"
