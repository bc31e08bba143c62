"""Estimate how long a plan takes: the database's size, the steps of earlier runs, and one start of the application."""

from __future__ import annotations

from dataclasses import dataclass

from ops.application.probe import identity, start_seconds
from ops.core.errors import OpsError
from ops.core.pace import about
from ops.engine.plan import Plan
from ops.infra.session.session import Session
from ops.release.measuring.estimate import Estimate, estimate, expected
from ops.release.measuring.step_times import step_times

# Seconds from which the plan reports the time of a step, and of one start of the application.
SHOWN, SLOW_START = 10.0, 2.0


@dataclass(frozen=True)
class PlanTime:
    """The time of a plan: ``whole``, the expected seconds of each measured step, and of one ``start`` of the app."""

    whole: Estimate
    steps: dict[str, float]
    start: float = 0

    @property
    def lines(self) -> list[str]:
        """The lines of the plan."""
        found = [f"time:       {self.whole.said}", *(f"            {line}" for line in self.whole.basis)]
        if self.start > SLOW_START:
            found.append(f"Django:     one start takes {self.start:.1f} s")
        return found

    @property
    def takes(self) -> dict[str, str]:
        """The estimated time of each long step in words."""
        known = {name: one.seconds for name, one in self.whole.steps.items() if one.seconds is not None}
        return {name: about(seconds) for name, seconds in known.items() if seconds >= SHOWN}

    def data(self) -> dict[str, object]:
        """Return the estimate for ``--json`` and the journal."""
        return self.whole.data() | ({"start": round(self.start, 3)} if self.start else {})


def plan_time(session: Session, plan: Plan) -> PlanTime:
    """Estimate a plan of a target."""
    c = plan.inputs
    known = step_times(session, c.target)
    whole = estimate(plan, known, _size(session, plan))
    return PlanTime(whole, expected(plan, known), start_seconds(session, c.target))


def _size(session: Session, plan: Plan) -> int:
    """Return the bytes of production's database; 0 if production is not queried or does not answer."""
    if plan.inputs.apart:
        return 0
    try:
        return int(identity(session, plan.inputs.target)["size"])
    except OpsError:
        return 0
