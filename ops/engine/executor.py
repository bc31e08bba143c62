"""One command of a run: run on its target's host, logged beside the journal, and its failure said in one line."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from ops.core.errors import OpsError
from ops.core.files import private_file
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
        session: where commands run.
        inputs: the run's.
        folder: the run's, for the logs; None where nothing is to be written.
        facts: what the run has found out, by name; it grows.
        show: told each line that a command prints.
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
        """Run one command and return what it printed, or what a tool said; ``line`` is told each line.

        Raises:
            StepFailed: it did not exit with 0, the disk is full, or the server is gone.
        """

        def tell(text: str) -> None:
            self.show({"event": "wait", "step": key, "text": text})

        with HOOKS.guard(self.session, self.inputs, command, tell) as guard:
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


# What stays of what a command said, when the next one says more.
KEPT = ("WARNING: ", "left out: ", "schema: ")


def both(before: str, said: str) -> str:
    """What a step says: the last words of its commands, with what those before warned of and left out.

    Args:
        before: what it said so far.
        said: the words of its next command.
    """
    kept = [line for line in before.splitlines() if line.startswith(KEPT) and line not in said]
    return "\n".join([said, *kept]) if said and kept else said or before


def holds(planned: PlannedCheck, execute: Callable[[Command, str], str]) -> OpsError | None:
    """Ask a check: None where it holds, else why not, also where it could not be asked."""
    try:
        for command in planned.commands:
            execute(command, planned.check.name)
    except OpsError as error:
        return error
    return None


def asked(session: CommandRunner, inputs: RunInputs) -> Callable[[PlannedCheck], OpsError | None]:
    """What asks checks of a run that is only looked at: nothing is shown or written."""
    executor = Executor(session, inputs, None, {}, lambda _: None)
    return lambda planned: holds(planned, lambda command, key: executor.execute(command, key, lambda _: None))


def way_on(run: str) -> str:
    """What to type where nothing better is known."""
    return f"inv resume --run={run}   or   inv undo --run={run}"


def corrected(c: RunInputs) -> str:
    """What to type where going on would fail in the same place."""
    return f"correct the migration, then   inv undo --run={c.run}   and   inv release --target={c.target}"


def past_final(planned: PlannedStep, state: State) -> str:
    """What to type where a final step can't be taken back: finish it, or see which backups there are."""
    c = planned.inputs
    if planned.step.on_failure:
        return planned.step.on_failure(c)
    goes_on = planned.step.again and not state.finished
    return f"inv resume --run={c.run}" if goes_on else f"inv backups --target={c.target}"
