"""Make a task from a function. The function's parameters define the options, their order and their defaults."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from invoke.parser.argument import Argument
from invoke.tasks import Task, task

from ops.cli.namespace.help import HELP

Work = Callable[..., int]
# The short flags. Each has the same meaning in every task; no other option has a short flag.
LETTERS = {"target": "t", "inventory": "i"}


class Operation(Task[Any]):
    """A task whose arguments can be requested twice: Invoke removes the help of the options at the first request."""

    def arg_opts(self, name: str, default: str, taken_names: set[str]) -> dict[str, Any]:
        """Return the parameters of Invoke's argument, with its short flag."""
        found = super().arg_opts(name, default, taken_names)
        found["names"] = [*found["names"], *LETTERS.get(name, "")]
        return found

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Return the arguments, and retain their help."""
        texts = dict(self.help)
        try:
            return super().get_arguments(ignore_unknown_help)
        finally:
            self.help = texts


def operation(
    work: Work, optional: Iterable[str] = (), iterable: Iterable[str] = (), klass: type[Operation] = Operation
) -> Operation:
    """Make the task of a command.

    Args:
        work: the command. It takes the ``Options`` of the command line and each of its own parameters by name, and
            returns the exit code. The task has its name, docstring and parameters.
        optional: parameters that may be given as a flag without a value.
        iterable: parameters that may be repeated.
        klass: the class of the task.
    """
    names = [*inspect.signature(work).parameters][1:]
    found = made(work, work.__name__.replace("_", "-"), {name: HELP[name] for name in names}, klass)
    found.optional, found.iterable = tuple(optional), iterable
    return found


def made(work: Work, name: str, texts: Mapping[str, str], klass: type[Operation] = Operation) -> Operation:
    """Make a task that runs a command and exits with its exit code.

    Args:
        work: the command, as for ``operation``.
        name: the name of the task.
        texts: the help of each option.
        klass: the class of the task.
    """
    signature = inspect.signature(work)
    context = inspect.Parameter("c", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = signature.replace(parameters=[context, *list(signature.parameters.values())[1:]])

    def body(*args: Any, **kwargs: Any) -> None:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = dict(bound.arguments)
        del given["c"]
        _do(work, name, bound.arguments["c"], given)

    body.__signature__ = signature  # type: ignore[attr-defined]
    body.__doc__, body.__name__ = work.__doc__, work.__name__
    found: Operation = task(klass=klass, name=name, help=dict(texts), auto_shortflags=False)(body)
    return found


def _do(work: Work, name: str, c: Any, given: Mapping[str, Any]) -> None:
    """Run a command and exit with its exit code. Refuse ``--dry``."""
    from ops.cli.options import Options
    from ops.cli.process import ended

    options = Options.read(given)
    if c.config.run.dry:
        print("inv --dry lets every command succeed with empty output, which proves nothing; nothing was changed")
        print(f"Try: inv {name} --plan")
        sys.exit(2)
    ended(lambda: work(options, **given), options, name)
