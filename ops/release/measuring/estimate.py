"""Estimate how long a plan takes and how long it freezes production, by the steps of earlier runs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ops.core.pace import about
from ops.core.text import amount, listed
from ops.engine.effects import StepEffect
from ops.engine.journal import Event, State
from ops.engine.old_journals import steps_of
from ops.engine.plan import Plan, PlannedStep
from ops.engine.step import Step, Time
from ops.engine.summary import lower

# Bytes of the database per second, for a step that no run has measured: a third of what two cores and a local disk
# reach. The first effect of the step that is listed applies.
RATES = {
    StepEffect.SEALS: 300e6,
    StepEffect.DUMPS: 60e6,
    StepEffect.CLONES: 25e6,
    StepEffect.RESTORES: 25e6,
}
OTHER_RATE = 150e6
# Seconds of a step that takes seconds, and of a step on a small database.
LITTLE = 1.0


class Basis(StrEnum):
    """The basis of an estimate.

    It is the last run of the step, the steps that do the same, the database's size, the usual time, or none."""

    LAST_RUN = "last-run"
    ALIKE = "alike"
    SIZE = "size"
    USUAL = "usual"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Took:
    """The seconds of a step in a run: its commands and proof, and its gates (``checked``).

    ``pending`` are the migrations of the run, ``size`` the bytes of the database then; 0 if unknown.
    """

    seconds: float
    checked: float
    run: str
    pending: tuple[str, ...] = ()
    size: int = 0


@dataclass(frozen=True)
class StepTime:
    """The estimated seconds of a step with its gates; None if unknown. ``other``: by other migrations."""

    seconds: float | None
    basis: Basis
    run: str = ""
    other: bool = False


@dataclass(frozen=True)
class Estimate:
    """The estimate of a plan.

    ``steps`` maps each step to its time, in the plan's order. ``frozen`` are the seconds for which production is
    read-only; None if the plan does not freeze it. ``unknown`` are the titles of the steps without an estimate,
    ``size`` the bytes of the database.
    """

    steps: Mapping[str, StepTime]
    frozen: float | None = None
    unknown: tuple[str, ...] = ()
    size: int = 0

    @property
    def seconds(self) -> float:
        """The sum of the known times."""
        return sum(one.seconds or 0 for one in self.steps.values())

    @property
    def measured(self) -> bool:
        """True if every step was measured, except steps that take seconds."""
        return {one.basis for one in self.steps.values()} <= {Basis.LAST_RUN, Basis.ALIKE, Basis.USUAL}

    @property
    def said(self) -> str:
        """The estimate in words."""
        if {one.basis for one in self.steps.values()} <= {Basis.UNKNOWN, Basis.USUAL}:
            return "unknown: no run has measured the steps"
        least = "at least " if self.unknown else ""
        whole = f"{least}{about(self.seconds)}"
        if self.frozen is None:
            return whole
        return f"{whole}, of these production is read-only for {least}{about(self.frozen)}"

    @property
    def basis(self) -> list[str]:
        """The basis of the estimate, and what is missing: one sentence each."""
        runs = sorted({one.run for one in self.steps.values() if one.run})
        found = [f"basis: the last run of each step, the newest is {runs[-1]}"] if runs else []
        if Basis.SIZE in {one.basis for one in self.steps.values()}:
            others = " of the other steps" if runs else ""
            found.append(f"basis{others}: the size of the database, {amount(self.size)}; rough")
        if any(one.other for one in self.steps.values()):
            found.append("the pending migrations were not rehearsed yet: counted as long as those of the last run")
        if self.unknown:
            found.append(f"not counted, because no run has measured them: {listed(self.unknown, 2)}")
        return found

    def data(self) -> dict[str, object]:
        """Return the estimate for ``--json`` and the journal."""
        steps = {
            name: {"seconds": None if one.seconds is None else round(one.seconds, 3), "basis": one.basis.value}
            for name, one in self.steps.items()
        }
        frozen = None if self.frozen is None else round(self.frozen, 3)
        found = {"seconds": round(self.seconds, 3), "frozen": frozen, "unknown": list(self.unknown), "steps": steps}
        return found | {"measured": self.measured, "said": self.said, "basis": self.basis}


def measured_rest(header: Event, begins: StepEffect, ends: StepEffect, without: StepEffect) -> float:
    """Return the measured seconds in a run's estimate from one step to another, both included; 0 without an estimate.

    Args:
        header: the header of the run.
        begins: the effect of the first step.
        ends: the effect of the last step; without such a step, the steps to the end count.
        without: the effect of the steps that do not count.
    """
    given = header.get("estimate")
    steps = given.get("steps") if isinstance(given, dict) else None
    if not isinstance(steps, dict):
        return 0.0
    first, last, omitted = (steps_of(header, effect) for effect in (begins, ends, without))
    total, counts = 0.0, False
    for name, one in steps.items():
        counts = counts or name in first
        if counts and name not in omitted:
            total += _measured(one)
        if name in last:
            break
    return total


def _measured(one: object) -> float:
    """Return the seconds of a step of a header's estimate; 0 if they were not measured."""
    if not isinstance(one, dict) or one.get("basis") not in (Basis.LAST_RUN, Basis.ALIKE):
        return 0.0
    seconds = one.get("seconds")
    return float(seconds) if isinstance(seconds, (int, float)) and 0 <= seconds < 1e9 else 0.0


def history(states: Iterable[State], sizes: Mapping[str, int]) -> dict[str, Took]:
    """Return the last seconds of every step that was done.

    Args:
        states: the runs of a target, the oldest first.
        sizes: the bytes of the database by backup.
    """
    found: dict[str, Took] = {}
    for state in states:
        pending, size = _pending(state), sizes.get(state.backup, 0)
        for name in state.ever:
            if name in state.seconds:
                found[name] = Took(state.seconds[name], state.checked.get(name, 0), state.run, pending, size)
    return found


def _pending(state: State) -> tuple[str, ...]:
    inputs = state.header.get("inputs")
    release = inputs.get("release") if isinstance(inputs, dict) else None
    pending = release.get("pending") if isinstance(release, dict) else None
    return tuple(map(str, pending)) if isinstance(pending, list) else ()


def estimate(plan: Plan, known: Mapping[str, Took], size: int = 0) -> Estimate:
    """Estimate the time of a plan.

    Args:
        known: ``history``.
        size: the bytes of the database; 0 if unknown.
    """
    # The size without excluded tables is unknown before the dump.
    scale = 0 if plan.inputs.dump.exclude else size
    steps = {planned.name: _time(planned, known, size, scale) for planned in plan.steps}
    unknown = tuple(lower(one.step.title) for one in plan.steps if steps[one.name].seconds is None)
    return Estimate(steps, _frozen(plan, steps), unknown, size)


def expected(plan: Plan, known: Mapping[str, Took]) -> dict[str, float]:
    """Return the seconds of each step's commands and proof, as far as a run has measured the step."""
    return {one.name: known[one.name].seconds for one in plan.steps if one.name in known}


def _frozen(plan: Plan, steps: Mapping[str, StepTime]) -> float | None:
    """Return the seconds after the step that freezes production, to the end of the step that ends the freeze."""
    frozen, total = False, None
    for planned in plan.steps:
        if frozen:
            total = (total or 0) + (steps[planned.name].seconds or 0)
        if StepEffect.FREEZES in planned.step.does:
            frozen, total = True, total or 0
        if StepEffect.UNFREEZES in planned.step.does:
            frozen = False
    return total


def _time(planned: PlannedStep, known: Mapping[str, Took], size: int, scale: int) -> StepTime:
    step, pending = planned.step, tuple(planned.inputs.release.pending)
    own = known.get(planned.name)
    alike = [known[name] for name in step.alike if name in known]
    whole = bool(alike) and len(alike) == len(step.alike)
    same = step.takes != Time.MIGRATIONS or bool(own and own.pending == pending)
    rehearsed = whole and step.takes == Time.MIGRATIONS and all(one.pending == pending for one in alike)
    if own and (same or not rehearsed):
        return StepTime(_scaled(own, step, scale) + own.checked, Basis.LAST_RUN, own.run, not same)
    if whole:
        other = step.takes == Time.MIGRATIONS and not rehearsed
        total = sum(_scaled(one, step, scale) for one in alike)
        return StepTime(total, Basis.ALIKE, max(one.run for one in alike), other)
    if step.takes == Time.SECONDS:
        return StepTime(LITTLE, Basis.USUAL)
    if step.takes == Time.DATABASE and size:
        rate = next((rate for effect, rate in RATES.items() if effect in step.does), OTHER_RATE)
        return StepTime(LITTLE + size / rate, Basis.SIZE)
    return StepTime(None, Basis.UNKNOWN)


def _scaled(took: Took, step: Step, size: int) -> float:
    """Return the seconds of a step on the present database; a step that grows with the database is scaled."""
    grows = step.takes == Time.DATABASE and took.size and size
    return took.seconds * (size / took.size if grows else 1)
