"""Find the hazards of a target's pending migrations."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ops.release.hazards
from ops.application.operations import Application, Operation
from ops.application.probe import probe
from ops.core.errors import OpsError
from ops.infra.postgres.session_settings import PATH
from ops.infra.session.session import Session
from ops.release.hazards.locks import lint
from ops.release.hazards.row_counts import Production
from ops.release.hazards.rule import LEVELS, RULES, Hazard, Place, Rule


def rules() -> Mapping[str, Rule]:
    """Return the rules of all modules of this package by code."""
    for module in pkgutil.iter_modules(ops.release.hazards.__path__):
        importlib.import_module(f"ops.release.hazards.{module.name}")
    return RULES


@dataclass(frozen=True)
class Foresight:
    """Hold the hazards (the worst first), the pending migrations, and what was not checked."""

    hazards: tuple[Hazard, ...]
    pending: tuple[str, ...]
    unseen: tuple[str, ...]

    def of(self, level: str) -> tuple[Hazard, ...]:
        """Return the hazards of one level."""
        return tuple(hazard for hazard in self.hazards if hazard.level == level)

    def place(self, migration: str) -> int:
        """Return where a migration runs among the pending ones; behind them what is none of them."""
        return self.pending.index(migration) if migration in self.pending else len(self.pending)

    def blocks(self) -> dict[str, str]:
        """Return the lock hazards of each pending migration as one text."""
        found: dict[str, str] = {}
        for hazard in self.of("lock"):
            found[hazard.migration] = "; ".join(filter(None, (found.get(hazard.migration), hazard.what)))
        return found

    def counted(self) -> str:
        """Return the number of hazards of each level as text."""
        words = {"stop": "cannot succeed", "loss": "lose data", "lock": "lock", "note": "for information"}
        counts = [f"{len(self.of(level))} {word}" for level, word in words.items() if self.of(level)]
        return ", ".join(counts) or "none"


def look_ahead(session: Session, target: str) -> Foresight:
    """Find the hazards of a target's pending migrations, read-only.

    Raises:
        OpsError: the application does not start, or the database cannot be reached.
    """
    found = probe(session, target, target)
    app = Application.read(found | {"target": target})
    pending = tuple(migration["name"] for migration in found["pending"])
    with session.connect(target, own=PATH) as connection:
        production = Production(connection)
        hazards = judge(app, production)
        more, unseen = lint(app, _sql(target, found), production) if pending else ([], [])
        about = [f"{table}: its row count is an estimate: counting took too long" for table in production.estimated]
    return Foresight(tuple(ordered(hazards + more)), pending, tuple(unseen + about))


def _sql(target: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the SQL of the pending migrations from the application's Django, without running it."""
    if "sql" not in found:
        raise OpsError(
            f"{target}: the application does not show the SQL of its migrations", "python manage.py sqlmigrate"
        )
    sql: list[dict[str, Any]] = found["sql"]
    return sql


def judge(app: Application, production: Production) -> list[Hazard]:
    """Find the hazards of the plan and of each operation, the worst first."""
    known = rules().values()
    found = [hazard for one in known if one.whole for hazard in one.hazards(app)]
    gone: dict[str, Operation] = {}
    for position, (operation, names) in enumerate(app.steps()):
        if operation.state_only:
            continue
        earlier, later = app.operations[:position], app.operations[position + 1 :]
        here = Place(operation, names, app, production, earlier, later, dict(gone))
        found += [hazard for one in known if not one.whole for hazard in one.hazards(here)]
        gone |= {table: operation for table in operation.drops}
        for table in (*operation.makes, *(new for _, new in operation.tables_renamed)):
            gone.pop(table, None)
    return ordered(found)


def ordered(hazards: list[Hazard]) -> list[Hazard]:
    """Sort hazards by level and code. Keep the order of the operations within one code."""
    return sorted(hazards, key=lambda hazard: (LEVELS.index(hazard.level), hazard.code))
