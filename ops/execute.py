"""One command of a run: run on its target's host, logged beside the journal, and its failure said in one line."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg

from ops.command import Command, Query, Shell, Tool, reveal, show
from ops.django import applied_migrations, failed_migration
from ops.files import private_file
from ops.inputs import Inputs
from ops.journal import Event
from ops.mending import mend
from ops.outside import database_error, disk_error, said_by
from ops.postgres import PROGRAMS, said_error
from ops.rights import grant
from ops.tools import TOOLS
from ops.transport import Completed
from ops.watch import Line
from ops.world import World


class Executor:
    """Runs the commands of one run.

    Args:
        world: where commands run.
        inputs: the run's.
        folder: the run's, for the logs.
        facts: what the run has found out, by name; it grows.
        show: told each line that a command prints.
    """

    def __init__(
        self, world: World, inputs: Inputs, folder: Path, facts: Mapping[str, str], show: Callable[[Event], None]
    ) -> None:
        self.world, self.inputs, self.folder, self.facts, self.show = world, inputs, folder, facts, show

    def execute(self, command: Command, key: str, line: Line) -> str:
        """Run one command and return what it printed, or what a tool said; ``line`` is told each line.

        Raises:
            StepFailed: it did not exit with 0, the disk is full, or the server is gone.
        """
        try:
            return self._execute(command, key, line)
        except OSError as error:
            raise disk_error(error, self.inputs.target, way_on(self.inputs.run)) from None
        except psycopg.Error as error:
            raise database_error(error, self.inputs.target) from None

    def _execute(self, command: Command, key: str, line: Line) -> str:
        if isinstance(command, Tool):
            return TOOLS[command.name](self.world, **command.options)

        def heard(text: str) -> None:
            line(text)
            self.show({"event": "line", "step": key, "text": text})

        def run(one: Shell | Query) -> Completed:
            return self.world.run(one, run=self.inputs.run, known=self.facts, on_line=heard)

        try:
            done = run(command)
        except BaseException:
            mend(command, run)
            raise
        self._log(key, command, done.out, done.err)
        if done.exit:
            self._fail(command, done, mend(command, run))
        return done.out.strip().splitlines()[-1] if done.out.strip() else ""

    def _fail(self, command: Shell | Query, done: Completed, mended: str) -> None:
        words = command.file if isinstance(command, Query) else " ".join(map(str, command.words[:3]))
        said = said_error(done.err) or said_error(done.out) or f"exit code {done.exit}"
        at = failed_migration(done.out)
        # Of what the application lacks, and of what to do then, its step knows more.
        ours = isinstance(command, Query) or command.words[0] in PROGRAMS
        whole = applied_migrations(done.out)
        before = f"; applied before it: {', '.join(whole)}" if whole else ""
        raise said_by(command, done.exit, said)(
            f"{self.inputs.target}: {reveal(words)}: {at + ': ' if at else ''}{said}{before}{mended}",
            grant(self.world, command.target, done.err) if ours else "",
        )

    def _log(self, key: str, command: Shell | Query, out: str, err: str) -> None:
        path = self.folder / f"{key}.log"
        with open(private_file(path, os.O_WRONLY | os.O_APPEND), "a", encoding="utf-8", errors="replace") as file:
            file.write(f"$ {show(command)}\n{out}{err}")


def way_on(run: str) -> str:
    """What to type where nothing better is known."""
    return f"inv resume --run={run}   or   inv undo --run={run}"
