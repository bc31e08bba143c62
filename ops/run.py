"""Run, resume and undo: a plan's steps one after the other, each written to the journal before and after.

A step is done when its proof says so. What was done is skipped on resume; what was interrupted is done if its proof
holds, is redone only if that is safe, and is refused otherwise.
"""

from __future__ import annotations

import contextlib
import json
import time
import traceback
from collections.abc import Callable, Iterable

from ops import excluded, loss
from ops.command import Command
from ops.errors import DONE, Interrupted, OpsError, Refused, StepFailed, Unreachable
from ops.execute import Executor, way_on
from ops.explained import explained
from ops.files import write_whole
from ops.journal import Event, Journal, State, now
from ops.outside import disk_error
from ops.plan import Plan, PlannedCheck, PlannedStep
from ops.standing import lower, stands
from ops.watch import Line, watched
from ops.world import World

Show = Callable[[Event], None]
Ask = Callable[[str, str], None]
Held = Callable[[], None]

# Where a rollback notes what it sets aside, the last count first; and what was written between that and the swap.
LOSSES, SINCE = ("recount.json", "loss.json"), "account.json"
PAUSES = (0.5, 1, 2, 4, 8, 15, 30)


class Runner:
    """Works through one plan.

    Args:
        world: where commands run.
        plan: what to do.
        journal: where every event is written before anything follows from it.
        state: what the journal says already.
        show: told every event, for the person or the ``--json`` stream.
        ask: asks the operator to type the target's name; raises ``Refused``.
        held: raises where the run lock is gone.
    """

    def __init__(
        self, world: World, plan: Plan, journal: Journal, state: State, show: Show, ask: Ask, held: Held = lambda: None
    ) -> None:
        self.world, self.plan, self.journal, self.state = world, plan, journal, state
        self.show, self.ask, self.held = show, ask, held
        self._executor = Executor(world, plan.inputs, journal.folder, state.facts, show)
        self._confirmed = False
        self._current = ""

    def emit(self, event: Event) -> None:
        """Write an event, then show it."""
        stamped = {**event, "at": now()}
        self.journal.append(stamped)
        self.show(stamped)

    def go(self) -> Event:
        """Run or resume to the end.

        Returns:
            the outcome event.

        Raises:
            OpsError: after the outcome has been written.
        """
        return self._guard(self._all)

    def undo(self) -> Event:
        """Walk back what was done, last step first."""
        return self._guard(self._back)

    def _guard(self, work: Callable[[], bool]) -> Event:
        try:
            undone = work()
            hint = "" if undone else self.plan.procedure.afterwards(self.plan.inputs)
            return self._outcome("done", DONE, "", hint, undone=undone)
        except KeyboardInterrupt:
            error: OpsError = Interrupted(
                f"{self.plan.inputs.target}: interrupted in {self._current or 'the beginning'}"
            )
        except OpsError as caught:
            error = caught
        except OSError as caught:
            error = disk_error(caught, self.plan.inputs.target, way_on(self.plan.inputs.run))
        except Exception as fault:
            error = self._fault(fault)
        stopped = isinstance(error, Interrupted)
        self._explained, hint = explained(self.world, self.plan, self.state, stopped=stopped)
        hint = hint or error.hint or way_on(self.plan.inputs.run)
        if isinstance(error, Unreachable) and "inv " not in hint:
            hint = f"{hint}, then   {way_on(self.plan.inputs.run)}"
        self._outcome(error.outcome, error.exit_code, error.message, hint, error)
        error.shown = True
        raise error

    def _fault(self, fault: Exception) -> OpsError:
        """A mistake of ours, or an answer that nobody expected: the details go into a file, a line to the person."""
        path = self.journal.folder / "fault.txt"
        said = self.world.redact(str(fault)).strip().splitlines()
        with contextlib.suppress(OSError):
            write_whole(path, self.world.redact("".join(traceback.format_exception(fault))))
        return OpsError(
            f"{self.plan.inputs.target}: {self._current or 'before the first step'}: {type(fault).__name__}: "
            f"{said[0] if said else 'no words'} (details: {path})"
        )

    def _outcome(
        self, outcome: str, code: int, reason: str, hint: str, error: OpsError | None = None, undone: bool = False
    ) -> Event:
        event: Event = {
            "event": "outcome",
            "procedure": self.plan.procedure.name,
            "target": self.plan.inputs.target,
            "run": self.plan.inputs.run,
            "outcome": outcome,
            "exit": code,
            "reason": reason,
            "hint": hint,
            "stands": self.stands(),
        }
        if undone:
            event["undone"] = True
        verdict = getattr(error, "verdict", None) or self._verdict()
        if verdict:
            event["verdict"] = verdict
        if found := self._loss():
            event["loss"] = found
        if out := excluded.of(self.world, self.plan.inputs):
            event["excluded"] = out
        try:
            self.emit(event)
        except OSError as full:
            said = f"{reason} (and the journal can't be written: {full.strerror})"
            self.show(event | {"reason": said, "hint": disk_error(full, "", hint).hint or hint})
        return event

    def _verdict(self) -> object:
        """What the comparison found, where this run has made one."""
        try:
            return json.loads((self.journal.folder / "verdict.json").read_bytes())
        except (OSError, ValueError, RecursionError):
            return None

    def _loss(self) -> dict[str, object]:
        """What a rollback set aside, as last counted; and what was written after that."""
        counted = [path for name in LOSSES if (path := self.journal.folder / name).is_file()]
        since = self.journal.folder / SINCE
        found = loss.read(counted[0]).data() if counted else {}
        return found | {"since": loss.read(since).data()} if counted and since.is_file() else found

    def _all(self) -> bool:
        self._still_holds()
        for number, planned in enumerate(self.plan.steps, 1):
            self._step(planned, number)
        return False

    def _still_holds(self) -> None:
        """What users were promised while the run is on (a freeze) must hold when the run goes on."""
        done = [planned for planned in self.plan.steps if self.state.status.get(planned.name) == "done"]
        # A step that was to end it and was interrupted may have: it is asked for its own proof.
        ended = {planned.step.ends for planned in self.plan.steps if planned.name in self.state.touched}
        for planned in done:
            promise = planned.step.meanwhile
            if promise and promise not in ended and planned.proof and (wrong := self._answer(planned.proof)):
                raise Refused(
                    f"{planned.inputs.target}: not so any more: {promise} ({wrong.message}); what was written since is "
                    "in no backup of this run, so going on is not safe",
                    f"inv undo --run={self.plan.inputs.run}   and then the whole procedure again"
                    if not any(p.step.final and p.name in self.state.touched for p in self.plan.steps)
                    else f"inv backup --target={planned.inputs.target}   and then look at production with care",
                )

    def _step(self, planned: PlannedStep, number: int) -> None:
        before = self.state.status.get(planned.name)
        if before == "done":
            self._tell(planned, "skipped", number, detail="done before")
            return
        self.held()
        self._current = planned.name
        if planned.name in self.state.touched and not self._redo(planned, number):
            return
        self._tell_begun(planned, number)
        started = time.monotonic()
        try:
            self._do(planned)
        except OpsError as error:
            self._tell(planned, "refused" if error.outcome == "refused" else "failed", number, error.message, started)
            if not error.hint and planned.step.on_failure:
                error.hint = planned.step.on_failure(planned.inputs)
            raise
        self._tell(planned, "done", number, self._said, started)
        self._current = ""

    _said = ""

    def _tell_begun(self, planned: PlannedStep, number: int) -> None:
        """Gates and the operator's word come before anything is begun."""
        try:
            self.world.memo.clear()
            for gate in planned.gates:
                if not (gate.check.once and planned.name in self.state.touched):
                    self._gate(planned, gate)
            self.world.memo.clear()
            if planned.step.confirm and (not self._confirmed or planned.step.doubted(self.state.facts)):
                self.ask(self.plan.word, planned.step.title)
                self._confirmed = True
            # Gates and a person's answer take their time; meanwhile a restart may have let another run begin.
            self.held()
        except OpsError as error:
            self._tell(planned, "refused", number, error.message)
            raise
        self._tell(planned, "begun", number)

    def _redo(self, planned: PlannedStep, number: int) -> bool:
        """Whether an interrupted step has to be done (again)."""
        if planned.proof and not planned.step.fact and self._holds(planned.proof) is None:
            self._tell(planned, "done", number, "it was done before the interruption: its proof holds")
            return False
        if not planned.step.again:
            raise Refused(
                f"{planned.inputs.target}: {planned.name} was interrupted, and doing it twice is not safe",
                f"inv undo --run={self.plan.inputs.run}",
            )
        if wrong := self._unrepeatable(planned):
            raise Refused(
                f"{planned.inputs.target}: {planned.name} was interrupted, and doing it again could do a part of it "
                f"twice: {wrong.message}",
                planned.step.on_failure(planned.inputs) if planned.step.on_failure else wrong.hint,
            )
        return True

    def _unrepeatable(self, planned: PlannedStep) -> OpsError | None:
        """Why a step's commands may not run once more; None where they may.

        Raises:
            Unreachable: the server could not be asked.
        """
        wrong = None
        for one in planned.repeatable:
            self.world.memo.clear()
            if (wrong := self._answer(one)) is None:
                return None
        return wrong

    def _do(self, planned: PlannedStep) -> None:
        self._said = ""
        with watched(self.world, planned, self.emit) as watch:
            self._commands(planned, watch.line)
        self._said = watch.said or self._said
        if planned.step.fact:
            self.state.facts[planned.step.fact] = self._said
            self.emit({"event": "fact", "name": planned.step.fact, "value": self._said})
        self.world.memo.clear()
        if planned.proof and (wrong := self._holds(planned.proof)):
            if isinstance(wrong, Unreachable):
                raise Unreachable(f"{wrong.message}, so it could not be proved that {planned.name} is done", wrong.hint)
            raise StepFailed(
                f"{planned.inputs.target}: {planned.name} ended, but its proof does not hold "
                f"({planned.proof.check.title.lower()}): {wrong.message}"
            )

    def _commands(self, planned: PlannedStep, line: Line) -> None:
        """A step's commands, all of them again where a lock was not to be had."""
        pauses = [PAUSES[min(n, len(PAUSES) - 1)] for n in range(planned.step.retries(planned.inputs))]
        for pause in (*pauses, None):
            try:
                for command in planned.commands:
                    self.world.memo.clear()
                    self._said = self.execute(command, planned.name, line) or self._said
                break
            except StepFailed as error:
                if pause is None or not lock_wait(error.message):
                    raise
                if wrong := self._unrepeatable(planned):
                    raise StepFailed(f"{error.message}; not tried again: {wrong.message}", error.hint) from None
                self.show({"event": "note", "step": planned.name, "text": f"{error.message}; again in {pause:g} s"})
                time.sleep(pause)

    def _gate(self, planned: PlannedStep, gate: PlannedCheck) -> None:
        if error := self._holds(gate):
            if error.outcome == "refused":
                raise error
            if isinstance(error, Unreachable):
                raise Unreachable(f"{error.message}, so it could not be checked: {lower(gate.check.title)}", error.hint)
            hint = gate.check.hint
            raise Refused(
                f"{planned.inputs.target}: {planned.step.title}: refused: {error.message}", error.hint or hint
            )

    def _holds(self, planned: PlannedCheck) -> OpsError | None:
        """None where a check holds, else why not."""
        try:
            for command in planned.commands:
                self.execute(command, planned.check.name)
        except OpsError as error:
            return error
        return None

    def _answer(self, planned: PlannedCheck) -> OpsError | None:
        """The same where not to know is no answer.

        Raises:
            Unreachable: it could not be asked.
        """
        if isinstance(error := self._holds(planned), Unreachable):
            raise error
        return error

    def execute(self, command: Command, key: str, line: Line = lambda _: None) -> str:
        """Run one command and return what it printed, or what a tool said; ``line`` is told each line.

        Raises:
            StepFailed: it did not exit with 0, the disk is full, or the server is gone.
        """
        return self._executor.execute(command, key, line)

    def _tell(
        self, planned: PlannedStep, status: str, number: int, detail: str = "", started: float | None = None
    ) -> None:
        self.state.mark(planned.name, status)
        event: Event = {
            "event": "step",
            "step": planned.name,
            "status": status,
            "title": planned.step.title,
            "number": number,
            "of": len(self.plan.steps),
        }
        if detail:
            event["detail"] = detail
        if started is not None:
            event["seconds"] = round(time.monotonic() - started, 3)
        self.emit(event)

    def may_undo(self) -> None:
        """Refuse an undo that can't be, before anything is written.

        Raises:
            Refused: a final step is done, or nothing was done that could be taken back.
        """
        left = self._left()
        self._refuse_final(left)
        if left and not any(planned.undo for planned in left):
            raise Refused(f"{self.plan.inputs.target}: nothing to take back: {left[-1].step.stays}", "inv runs")

    def _left(self) -> list[PlannedStep]:
        steps = {planned.name: planned for planned in self.plan.steps}
        return [steps[name] for name in self.state.status if name in self.state.touched and name in steps]

    def _back(self) -> bool:
        self.may_undo()
        left = self._left()
        for planned in reversed(left):
            if not planned.undo:
                continue
            self._current = planned.name
            self.held()
            if not self._confirmed and self.plan.confirms:
                self.ask(self.plan.word, "Undo: " + planned.step.title)
                self._confirmed = True
            said = ""
            for command in planned.undo:
                said = self.execute(command, f"undo-{planned.name}") or said
            if planned.proof and self._holds(planned.proof) is None:
                raise StepFailed(f"{planned.inputs.target}: {planned.name} was taken back, but still stands")
            self._tell(planned, "undone", self.plan.steps.index(planned) + 1, said)
        self._current = ""
        return True

    def _refuse_final(self, left: Iterable[PlannedStep]) -> None:
        for planned in left:
            if not planned.step.final:
                continue
            status = self.state.status[planned.name]
            if status != "done" and planned.untouched and self._answer(planned.untouched) is None:
                continue
            hint = planned.step.on_failure(planned.inputs) if planned.step.on_failure else self._past_final()
            raise Refused(f"{planned.inputs.target}: {planned.name} can't be undone: {planned.step.final}", hint)

    def _past_final(self) -> str:
        """What to type where nothing can be taken back: finish it, or see which backups there are."""
        c = self.plan.inputs
        return f"inv backups --target={c.target}" if self.state.finished else f"inv resume --run={c.run}"

    _explained = ""

    def stands(self) -> str:
        """What this run has changed so far."""
        now_there, *ways = self._explained.split("\n")
        return "\n".join(["; ".join(filter(None, (now_there, stands(self.plan, self.state)))), *ways])


def lock_wait(message: str) -> bool:
    """Whether an error says that a lock was not to be had, so that trying again is worth it."""
    return any(words in message for words in ("lock timeout", "deadlock detected", "LockNotAvailable"))
