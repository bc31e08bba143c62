"""Hazards: what the pending migrations would do to production, before anything runs.

The rules are data (see ``rule``). They are asked of the application's own plan (``ops.operations``) and of production's
rows, read-only. What they say is not proof: the rehearsal is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ops.errors import OpsError
from ops.hazards import content, loss, narrow, order, shape
from ops.hazards.locks import lint
from ops.hazards.production import Production
from ops.hazards.rule import RULES, Hazard, judge, ordered
from ops.operations import Application
from ops.probes import probe
from ops.world import World

__all__ = ["RULES", "Foresight", "Hazard", "content", "look_ahead", "loss", "narrow", "order", "shape"]


@dataclass(frozen=True)
class Foresight:
    """What was seen: the hazards, the worst first; the pending migrations; what could not be looked at."""

    hazards: tuple[Hazard, ...]
    pending: tuple[str, ...]
    unseen: tuple[str, ...]

    def of(self, level: str) -> tuple[Hazard, ...]:
        """The hazards of one level."""
        return tuple(hazard for hazard in self.hazards if hazard.level == level)

    def counted(self) -> str:
        """How many there are of each level, in words."""
        words = {"stop": "can't succeed", "loss": "lose data", "lock": "lock", "note": "to know"}
        said = [f"{len(self.of(level))} {word}" for level, word in words.items() if self.of(level)]
        return ", ".join(said) or "none"


def look_ahead(world: World, target: str) -> Foresight:
    """Look at what a target's pending migrations would do to it; read-only.

    Raises:
        OpsError: the application does not start, or the database can't be reached.
    """
    found = probe(world, target, target)
    app = Application.read(found)
    pending = tuple(migration["name"] for migration in found["pending"])
    with world.connect(target) as connection:
        production = Production(connection)
        hazards = judge(app, production)
        more, unseen = lint(app, _sql(target, found), production) if pending else ([], [])
        about = [f"{table}: its rows are an estimate; counting them takes too long" for table in production.estimated]
    return Foresight(tuple(ordered(hazards + more)), pending, tuple(unseen + about))


def _sql(target: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    """The SQL of the pending migrations, as the application's own Django writes it; nothing of it is run."""
    if "sql" not in found:
        raise OpsError(
            f"{target}: the application does not show the SQL of its migrations", "python manage.py sqlmigrate"
        )
    sql: list[dict[str, Any]] = found["sql"]
    return sql
