"""Hooks by name: functions of other packages that explain failed commands and read the reports of an outcome.

The engine knows no server and no application. ``ops.infra.session.run_hooks`` and the features register hooks at
import.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ops.core.errors import OpsError
from ops.core.pace import Pace
from ops.engine.command import Command, Completed, Query, Shell
from ops.engine.inputs import RunInputs


@dataclass(frozen=True)
class Failed:
    """A command that did not exit with 0, its result, and the inputs of its run."""

    command: Shell | Query
    done: Completed
    inputs: RunInputs


class Guard(Protocol):
    """A context manager that supervises one command."""

    def __enter__(self) -> Guard: ...

    def __exit__(self, *_: object) -> None: ...

    def explain(self, error: Exception) -> OpsError | None:
        """Translate the exception that ended the command into an OpsError; return None for an unknown exception."""
        ...


Run = Callable[[Query], Completed]


def _missing(*_: object) -> Any:
    raise RuntimeError("no hooks are registered: import ops.infra.session.run_hooks")


@dataclass
class Hooks:
    """The registered functions. The session in their arguments is the ``CommandRunner`` of the run.

    Args:
        guard: makes the ``Guard`` of a command from session, inputs, command, a function that reports waits, and a
            function that reports the pace of a work of the command.
        clean_up: called before a command runs, with the command and a function that runs a query. Returns the function
            that cleans up if the command is cut off; that function returns text to append to the error message.
        failures: functions by the ``failure`` of a ``Shell``; each makes an error of session and ``Failed``.
        results: functions by the ``result`` of a ``Shell``; each describes the result, given session, inputs, output.
        reports: functions by the ``reports`` of a ``Step``; each reads a report, given session, inputs, run folder.
    """

    guard: Callable[[Any, RunInputs, Command, Callable[[str], None], Callable[[str, Pace], None]], Guard] = _missing
    clean_up: Callable[[Command, Run], Callable[[], str]] = _missing
    failures: dict[str, Callable[[Any, Failed], OpsError]] = field(default_factory=dict)
    results: dict[str, Callable[[Any, RunInputs, str], str]] = field(default_factory=dict)
    reports: dict[str, Callable[[Any, RunInputs, Path], object]] = field(default_factory=dict)


HOOKS = Hooks()
