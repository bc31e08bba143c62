"""What the packages above tell the engine, by name: how a failed command is explained, and what an outcome carries.

The engine knows no server and no application. ``ops.infra.session.run_hooks`` and the features fill this at import.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ops.core.errors import OpsError
from ops.engine.command import Command, Completed, Query, Shell
from ops.engine.inputs import RunInputs


@dataclass(frozen=True)
class Failed:
    """A command that did not exit with 0, and the inputs of its run."""

    command: Shell | Query
    done: Completed
    inputs: RunInputs


class Guard(Protocol):
    """Looks after one command from ``__enter__`` to ``__exit__``."""

    def __enter__(self) -> Guard: ...

    def __exit__(self, *_: object) -> None: ...

    def explain(self, error: Exception) -> OpsError | None:
        """Return the error that ended the command as one clear error; None for an exception it does not know."""
        ...


Run = Callable[[Query], Completed]


def _missing(*_: object) -> Any:
    raise RuntimeError("no hooks are registered: import ops.infra.session.run_hooks")


@dataclass
class Hooks:
    """The registered functions. Each first argument named session is the ``CommandRunner`` of the run.

    Args:
        guard: makes the ``Guard`` of a command: of session, inputs, command and a function that is told of waits.
        clean_up: is called before a command runs, with the command and a function that runs a query. Returns what
            puts right what the command leaves when it is cut off; that returns words which go on a sentence.
        failures: by the ``failure`` of a ``Shell``, what makes an error of a ``Failed``.
        results: by the ``result`` of a ``Shell``, what says in words what it did, of session, inputs and output.
        reports: by the ``reports`` of a ``Step``, what reads a report of session, inputs and the run's folder.
    """

    guard: Callable[[Any, RunInputs, Command, Callable[[str], None]], Guard] = _missing
    clean_up: Callable[[Command, Run], Callable[[], str]] = _missing
    failures: dict[str, Callable[[Any, Failed], OpsError]] = field(default_factory=dict)
    results: dict[str, Callable[[Any, RunInputs, str], str]] = field(default_factory=dict)
    reports: dict[str, Callable[[Any, RunInputs, Path], object]] = field(default_factory=dict)


HOOKS = Hooks()
