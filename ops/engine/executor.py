"""Run one command on its target's host, log its output beside the journal, and report a failure in one line."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from ops.core.errors import OpsError
from ops.core.files import private_file
from ops.core.pace import Pace
from ops.engine.command import Command, CommandRunner, Completed, Query, Shell, Tool, show
from ops.engine.failures import disk_error
from ops.engine.hooks import HOOKS, Failed
from ops.engine.inputs import RunInputs
from ops.engine.journal import Event, State
from ops.engine.plan import PlannedCheck, PlannedStep
from ops.engine.registry import TOOLS
from ops.engine.watch import Line


class Executor:
    """Runs the commands of one run.

    Args:
        session: runs the commands.
        inputs: the inputs of the run.
        folder: the run's folder, for the logs; None to write no log.
        facts: the facts of the run by name; the mapping grows during the run.
        show: called with an event for each line that a command prints.
    """

    def __init__(
        self,
        session: CommandRunner,
        inputs: RunInputs,
        folder: Path | None,
        facts: Mapping[str, str],
        show: Callable[[Event], None],
    ) -> None:
        self.session, self.inputs, self.folder, self.facts, self.show = session, inputs, folder, facts, show

    def execute(self, command: Command, key: str, line: Line) -> str:
        """Run one command and return its last line of output, or a tool's answer; ``line`` is called with each line.

        Raises:
            StepFailed: the command did not exit with 0.
            Unreachable: the disk is full, or the connection to the server is lost.
        """

        def tell(text: str) -> None:
            self.show({"event": "wait", "step": key, "text": text})

        def measured(work: str, pace: Pace) -> None:
            self.show({"event": "progress", "step": key, "work": work, **pace.data()})

        with HOOKS.guard(self.session, self.inputs, command, tell, measured) as guard:
            try:
                return self._execute(command, key, line)
            except OSError as error:
                raise disk_error(error, self.inputs.target, way_on(self.inputs.run)) from None
            except Exception as error:
                if (told := guard.explain(error)) is None:
                    raise
                raise told from None

    def _execute(self, command: Command, key: str, line: Line) -> str:
        if isinstance(command, Tool):
            return TOOLS[command.name](self.session, **command.options)

        def heard(text: str) -> None:
            line(text)
            self.show({"event": "line", "step": key, "text": text})

        def run(one: Shell | Query) -> Completed:
            return self.session.run(one, run=self.inputs.run, known=self.facts, on_line=heard)

        put_right = HOOKS.clean_up(command, run)
        try:
            done = run(command)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(put_right()) from None
        except BaseException:
            put_right()
            raise
        self._log(key, command, done.out, done.err)
        if done.exit:
            mended = put_right()
            hook = command.failure if isinstance(command, Shell) else "program"
            error = HOOKS.failures[hook](self.session, Failed(command, done, self.inputs))
            error.message += mended
            raise error
        result = HOOKS.results.get(command.result) if isinstance(command, Shell) else None
        said = result(self.session, self.inputs, done.out) if result else ""
        return said or (done.out.strip().splitlines() or [""])[-1].strip()

    def _log(self, key: str, command: Shell | Query, out: str, err: str) -> None:
        if self.folder is None:
            return
        path = self.folder / f"{key}.log"
        with open(private_file(path, os.O_WRONLY | os.O_APPEND), "a", encoding="utf-8", errors="replace") as file:
            file.write(f"$ {show(command)}\n{out}{err}")


# Lines of a command that are retained when the step's next command prints more.
KEPT = ("WARNING: ", "left out: ", "schema: ")


def both(before: str, said: str) -> str:
    """Return a step's answer: the answer of its last command, and the warnings and omissions of earlier commands.

    Args:
        before: the answer so far.
        said: the answer of the next command.
    """
    kept = [line for line in before.splitlines() if line.startswith(KEPT) and line not in said]
    return "\n".join([said, *kept]) if said and kept else said or before


def holds(planned: PlannedCheck, execute: Callable[[Command, str], str]) -> OpsError | None:
    """Evaluate a check; return None if it holds, else the error, also if the check could not be evaluated."""
    try:
        for command in planned.commands:
            execute(command, planned.check.name)
    except OpsError as error:
        return error
    return None


def asked(session: CommandRunner, inputs: RunInputs) -> Callable[[PlannedCheck], OpsError | None]:
    """Return a function that evaluates checks of a run without showing or writing anything."""
    executor = Executor(session, inputs, None, {}, lambda _: None)
    return lambda planned: holds(planned, lambda command, key: executor.execute(command, key, lambda _: None))


def way_on(run: str) -> str:
    """Return the general next step: resume or undo."""
    return f"inv resume --run={run}   or   inv undo --run={run}"


def corrected(c: RunInputs) -> str:
    """Return the next step if a resume would fail in the same place."""
    return f"correct the migration, then   inv undo --run={c.run}   and   inv release --target={c.target}"


def past_final(planned: PlannedStep, state: State) -> str:
    """Return the next step if a final step cannot be undone: finish the run, or list the backups."""
    c = planned.inputs
    if planned.step.on_failure:
        return planned.step.on_failure(c)
    goes_on = planned.step.again and not state.finished
    return f"inv resume --run={c.run}" if goes_on else f"inv backups --target={c.target}"
