"""Run, resume and undo a plan: execute its steps in order, and write each step to the journal before and after it.

A step is done if its proof holds. A resume skips the steps that are done. An interrupted step counts as done if its
proof holds; a failed step does not. A resume repeats a step if that is safe, and is refused otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ops.core.errors import (
    DONE,
    Code,
    DataDiffers,
    FailsAgain,
    Interrupted,
    NoWayOn,
    OpsError,
    Refused,
    StepFailed,
    Unreachable,
)
from ops.engine.answer import code_of
from ops.engine.command import Command, CommandRunner
from ops.engine.executor import Executor, asked, both, corrected, holds, past_final, way_on
from ops.engine.failures import disk_error, fault_error
from ops.engine.journal import Event, Journal, State, now, outcome_event
from ops.engine.outcome_text import Explanation, explain, reports
from ops.engine.plan import Plan, PlannedCheck, PlannedStep
from ops.engine.summary import lower, may_undo, nothing_to_undo, refuse_final, stands, to_undo
from ops.engine.watch import Line, watched

Show = Callable[[Event], None]
Ask = Callable[[str, str], None]
Held = Callable[[], None]

PAUSES = (0.5, 1, 2, 4, 8, 15, 30)


class Runner:
    """Executes one plan.

    Args:
        session: runs the commands.
        plan: the plan to execute.
        journal: the journal; every event is written before the run continues.
        state: the state according to the journal.
        show: called with every event, for the console or the ``--json`` stream.
        ask: asks the operator to type the target's name; raises ``Refused``.
        held: raises an error if the run lock is lost.
    """

    def __init__(
        self, session: CommandRunner, plan: Plan, journal: Journal, state: State, show: Show, ask: Ask, held: Held
    ) -> None:
        self.session, self.plan, self.journal, self.state = session, plan, journal, state
        self.show, self.ask, self.held = show, ask, held
        self._executor = Executor(session, plan.inputs, journal.folder, state.facts, show)
        self._confirmed = False

    def emit(self, event: Event) -> None:
        """Write an event to the journal, then show it."""
        stamped = {**event, "at": now()}
        self.journal.append(stamped)
        self.show(stamped)

    def go(self) -> Event:
        """Execute or resume the plan.

        Returns:
            the outcome event.

        Raises:
            OpsError: the run failed; the outcome has been written.
        """
        return self._guard(self._all)

    def undo(self) -> Event:
        """Undo the steps that were begun, the last step first; returns and raises as ``go``."""
        return self._guard(self._back)

    def _guard(self, work: Callable[[], bool]) -> Event:
        try:
            why = nothing_to_undo(self.plan, self.state)
            undone = work()
            hint = "" if undone else self.plan.procedure.next_command(self.plan.inputs)
            reason = f"there was nothing to undo: {why}" if undone and why else ""
            return self._outcome("done", DONE, reason, hint, undone=undone)
        except KeyboardInterrupt as stop:
            place = "before" if self._current and self._current.name not in self.state.touched else "in"
            where = f"interrupted {place} {self._current.quoted if self._current else 'the beginning'}"
            error: OpsError = Interrupted(f"{self.plan.inputs.target}: {where}{''.join(stop.args)}")
        except OpsError as caught:
            error = caught
        except OSError as caught:
            error = disk_error(caught, self.plan.inputs.target, way_on(self.plan.inputs.run))
        except Exception as fault:
            where = f"{self.plan.inputs.target}: {self._current.quoted if self._current else 'before the first step'}"
            error = fault_error(fault, where, self.journal.folder / "fault.txt", self.session.redact)
        self.show({"event": "checking", "title": "what this run has changed"})
        go_on = corrected if isinstance(error, FailsAgain) else lambda c: way_on(c.run)
        hint = self._explain(error) or error.hint or go_on(self.plan.inputs)
        if "inv " not in hint and not isinstance(error, (DataDiffers, FailsAgain)):
            hint = f"{hint}, then   {way_on(self.plan.inputs.run)}"
        try:
            self._outcome(error.outcome, error.exit_code, error.message, hint, error)
            error.shown = True
        except KeyboardInterrupt:
            error.hint = hint
        raise error

    def _explain(self, error: OpsError) -> str:
        """Read the state of the run, and return what to type; empty if unknown or if the error has a better hint."""
        stopped, lasting = isinstance(error, Interrupted), isinstance(error, FailsAgain)
        try:
            self._explained = explain(self.session, self.plan, self.state, stopped=stopped, again=not lasting)
        except KeyboardInterrupt:
            return ""
        if isinstance(error, NoWayOn) and error.hint:
            self._explained = Explanation(self._explained.stands)
            return error.hint
        return self._explained.hint

    def _outcome(
        self, outcome: str, code: int, reason: str, hint: str, error: OpsError | None = None, undone: bool = False
    ) -> Event:
        c = self.plan.inputs
        stands, name = self.stands(undone), self.plan.procedure.name
        event = outcome_event(name, c.target, outcome, code, reason, hint, stands=stands, run=c.run)
        event |= {"undone": True} if undone else {}
        event |= {"undoes": True} if hint and hint == self.plan.procedure.undone_by(c) else {}
        event |= {"fails_again": True} if isinstance(error, FailsAgain) else {}
        event |= reports(self.session, self.plan, self.journal.folder)
        if verdict := getattr(error, "verdict", None):
            event["verdict"] = verdict
        try:
            self.emit(event)
        except OSError as full:
            said, first = f"{reason} (and the journal can't be written: {full.strerror})", disk_error(full, "", "").hint
            # If the same disk ended the run, the hint already begins with this text.
            if not (error and hint.startswith(first)):
                hint = disk_error(full, "", hint if error else way_on(c.run)).hint or hint
            self.show(event | {"reason": said, "hint": hint})
        return event

    def _all(self) -> bool:
        self._still_holds()
        for number, planned in enumerate(self.plan.steps, 1):
            self._step(planned, number)
        return False

    def _still_holds(self) -> None:
        """Refuse a resume if the condition that users rely on during the run (a freeze) no longer holds."""
        done = [planned for planned in self.plan.steps if self.state.status.get(planned.name) == "done"]
        # An interrupted step may have ended the condition; that step is checked by its own proof.
        ended = {planned.step.ends for planned in self.plan.steps if planned.name in self.state.touched}
        for planned in done:
            promise = planned.step.meanwhile
            if not (promise and promise not in ended and planned.proof):
                continue
            self._checking(planned.proof, planned)
            if wrong := self._answer(planned.proof):
                raise NoWayOn(
                    f"{planned.inputs.target}: no longer true: {promise} ({wrong.message}); rows written since are in "
                    "no backup of this run, so a resume is not safe",
                    f"inv undo --run={self.plan.inputs.run}   and then repeat the procedure"
                    if self._undoable()
                    else f"inv backup --target={planned.inputs.target}   and then compare production with the backups",
                )

    def _step(self, planned: PlannedStep, number: int) -> None:
        before = self.state.status.get(planned.name)
        if before == "done":
            self._tell(planned, "skipped", number, detail="done before")
            return
        self.held()
        self._current = planned
        if planned.name in self.state.touched and not self._redo(planned, number):
            return
        self._tell_begun(planned, number)
        started = time.monotonic()
        try:
            self._do(planned)
        except OpsError as error:
            status = "refused" if error.outcome == "refused" else "failed"
            self._tell(planned, status, number, started=started, error=error)
            if not error.hint and planned.step.on_failure and not isinstance(error, Unreachable):
                error.hint = planned.step.on_failure(planned.inputs)
            raise
        self._tell(planned, "done", number, self._said, started)
        self._current = None

    _said, _ended = "", False
    _current: PlannedStep | None = None

    def _answered(self, error: OpsError) -> bool:
        """Return True if a step's command reported the failure: it was not cut off, and the proof did not fail."""
        return not self._ended and not isinstance(error, Unreachable)

    def _tell_begun(self, planned: PlannedStep, number: int) -> None:
        """Evaluate the gates and ask the operator, then record that the step is begun."""
        started = time.monotonic()
        try:
            self.session.forget()
            for gate in planned.gates:
                if not (gate.check.once and planned.name in self.state.touched):
                    self._gate(planned, gate)
            self.session.forget()
            checked = round(time.monotonic() - started, 3)
            if planned.step.confirm and (not self._confirmed or planned.step.doubted(self.state.codes)):
                self.ask(self.plan.word, planned.step.title)
                self._confirmed = True
            # During gates and the question a server restart may have released the lock to another run.
            self.held()
        except OpsError as error:
            self._tell(planned, "refused", number, error=error)
            raise
        self._tell(planned, "begun", number, checked=checked)

    def _redo(self, planned: PlannedStep, number: int) -> bool:
        """Return True if a step that was begun must be executed again; a failed step must, even if its proof holds.

        Raises:
            NoWayOn: it is not safe to repeat the step.
        """
        failed = planned.name in self.state.failed
        if planned.proof:
            self._checking(planned.proof, planned)
        # A repeatable step needs no answer: its proof may query a server that the step itself starts.
        ask = self._holds if planned.step.again else self._answer
        if planned.proof and not planned.step.fact and not failed and ask(planned.proof) is None:
            self._tell(planned, "done", number, "it was done before the interruption: its proof holds")
            return False
        what = "failed" if failed else "was interrupted"
        then = f"inv undo --run={self.plan.inputs.run}"
        if not planned.step.again:
            then = past_final(planned, self.state) if planned.step.final else then
            raise NoWayOn(f"{planned.inputs.target}: {planned.quoted} {what}, and repeating it is not safe", then)
        if wrong := self._unrepeatable(planned):
            twice = f"{what}, and repeating it could execute a part twice: {wrong.message}"
            anew = f"{then}   and then repeat the procedure"
            hint = planned.step.on_failure(planned.inputs) if planned.step.on_failure else anew
            raise NoWayOn(f"{planned.inputs.target}: {planned.quoted} {twice}", hint)
        return True

    def _unrepeatable(self, planned: PlannedStep) -> OpsError | None:
        """Return why a step's commands must not run again; None if they may.

        Raises:
            Unreachable: the server cannot be queried.
        """
        wrong = None
        for one in planned.repeatable:
            self.session.forget()
            if (wrong := self._answer(one)) is None:
                return None
        return wrong

    def _do(self, planned: PlannedStep) -> None:
        self._said, self._ended = "", False
        with watched(self.session, planned, self.emit) as watch:
            self._commands(planned, watch.line)
        self._ended = True
        self._said = watch.said or self._said
        if planned.step.fact:
            fact, code = planned.step.fact, code_of(self._said)
            self.state.facts[fact], self.state.codes[fact] = self._said, code
            self.emit({"event": "fact", "name": fact, "value": self._said, "code": code})
        self.session.forget()
        if planned.proof and (wrong := self._holds(planned.proof)):
            if isinstance(wrong, Unreachable):
                raise Unreachable(f"{wrong.message}, so {planned.quoted} was not proved to be done", wrong.hint)
            raise StepFailed(
                f"{planned.inputs.target}: {planned.quoted} ended, but its proof does not hold "
                f"({planned.proof.check.title}): {wrong.message}",
                code=wrong.code,
            )

    def _commands(self, planned: PlannedStep, line: Line) -> None:
        """Run the commands of a step; run all of them again after a lock timeout."""
        pauses = [PAUSES[min(n, len(PAUSES) - 1)] for n in range(planned.step.retries(planned.inputs))]
        for pause in (*pauses, None):
            try:
                for command in planned.commands:
                    self.session.forget()
                    self._said = both(self._said, self.execute(command, planned.name, line))
                break
            except StepFailed as error:
                if pause is None or not planned.step.again or error.code != Code.LOCK:
                    raise
                if wrong := self._unrepeatable(planned):
                    raise StepFailed(f"{error.message}; not tried again: {wrong.message}", error.hint) from None
                self.show({"event": "note", "step": planned.name, "text": f"{error.message}; again in {pause:g} s"})
                time.sleep(pause)

    def _checking(self, check: PlannedCheck, planned: PlannedStep) -> None:
        """Show a check that may take long and is not part of a running step; do not write it to the journal."""
        at = {"number": self.plan.steps.index(planned) + 1, "of": len(self.plan.steps)}
        self.show({"event": "checking", "step": planned.name, "title": lower(check.check.title), **at})

    def _gate(self, planned: PlannedStep, gate: PlannedCheck) -> None:
        self._checking(gate, planned)
        if error := self._holds(gate):
            if error.outcome == "refused":
                raise error
            target = planned.inputs.target
            why = error.message.removeprefix(f"{target}: ")
            if isinstance(error, Unreachable):
                raise Unreachable(f'{target}: the check "{gate.check.title}" was not possible: {why}', error.hint)
            reason = f"{target}: before {planned.quoted}: {why}"
            raise Refused(reason, error.hint or gate.check.hint, code=error.code)

    def _holds(self, planned: PlannedCheck) -> OpsError | None:
        """Return None if a check holds, else the error."""
        return holds(planned, self.execute)

    def _answer(self, planned: PlannedCheck) -> OpsError | None:
        """Return None if a check holds, else the error.

        Raises:
            Unreachable: the check could not be evaluated.
        """
        if isinstance(error := self._holds(planned), Unreachable):
            error.hint = error.hint or way_on(self.plan.inputs.run)
            raise error
        return error

    def execute(self, command: Command, key: str, line: Line = lambda _: None) -> str:
        """Run one command as ``Executor.execute`` does; ``line`` is called with each line."""
        return self._executor.execute(command, key, line)

    def _tell(
        self,
        planned: PlannedStep,
        status: str,
        number: int,
        detail: str = "",
        started: float | None = None,
        error: OpsError | None = None,
        checked: float | None = None,
    ) -> None:
        answered = error is not None and started is not None and self._answered(error)
        self.state.mark(planned.name, status, answered=answered)
        event: Event = {"event": "step", "step": planned.name, "status": status, "title": planned.step.title}
        event |= {"number": number, "of": len(self.plan.steps)}
        if detail or error:
            event["detail"] = error.message if error else detail
        event |= {"code": error.code} if error else {}
        event |= {"command": "failed"} if answered else {}
        event |= {"checked": checked} if checked is not None else {}
        if started is not None:
            event["seconds"] = round(time.monotonic() - started, 3)
        self.emit(event)

    def may_undo(self) -> None:
        """Refuse an impossible undo before anything is written.

        Raises:
            OpsError: see ``ops.engine.summary.may_undo``.
        """
        self.show({"event": "checking", "title": "the run can be taken back"})
        may_undo(self.plan, self.state, self._answer)

    def _back(self) -> bool:
        self.may_undo()
        left = to_undo(self.plan, self.state)
        for planned in left:
            self.held()
            if not self._confirmed and self.plan.confirms:
                self.ask(self.plan.word, "Undo: " + "; ".join(one.step.title for one in left))
                self._confirmed = True
            self._current = planned
            self._tell(planned, "undoing", self.plan.steps.index(planned) + 1)
            said = ""
            for command in planned.undo:
                said = f"{said}\n{self.execute(command, f'undo-{planned.name}')}".strip()
            if planned.proof and self._holds(planned.proof) is None:
                raise StepFailed(f"{planned.inputs.target}: {planned.quoted} was undone, but its proof still holds")
            self._tell(planned, "undone", self.plan.steps.index(planned) + 1, said)
        self._current = None
        return True

    def _undoable(self) -> bool:
        try:
            refuse_final(self.plan, self.state, self._answer)
        except NoWayOn:
            return False
        return True

    _explained = Explanation()

    def stands(self, undone: bool = False) -> str:
        """Describe what this run has changed so far, and the state of production."""
        self.session.forget()
        try:
            said: str = stands(self.plan, self.state, asked(self.session, self.plan.inputs), undone)
        except KeyboardInterrupt:
            said = "interrupted again, so the state was not determined: inv status reports it"
        return "\n".join(self._explained.lines(said))
