"""Make a task of a function: its options, their order and defaults are the function's own. Imports nothing heavy."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from invoke.parser.argument import Argument
from invoke.tasks import Task, task

from ops.cli.namespace.help import HELP

Work = Callable[..., int]
# The flags of one letter: each means the same in every task, and no other option has one.
LETTERS = {"target": "t", "inventory": "i"}


class Operation(Task[Any]):
    """A task that can be asked for its arguments twice: Invoke takes the help out of a task when it first asks."""

    def arg_opts(self, name: str, default: str, taken_names: set[str]) -> dict[str, Any]:
        """Return what Invoke makes an argument of, with its letter."""
        found = super().arg_opts(name, default, taken_names)
        found["names"] = [*found["names"], *LETTERS.get(name, "")]
        return found

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Return the arguments, each with its help."""
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
        work: is called with the ``Options`` of the command line, then with each of its own parameters by name, and
            returns the exit code. Its name, docstring and parameters are the task's.
        optional: parameters that may be given as a flag without a value.
        iterable: parameters that may be repeated.
        klass: the task's class.
    """
    names = [*inspect.signature(work).parameters][1:]
    found = made(work, work.__name__.replace("_", "-"), {name: HELP[name] for name in names}, klass)
    found.optional, found.iterable = tuple(optional), iterable
    return found


def made(work: Work, name: str, texts: Mapping[str, str], klass: type[Operation] = Operation) -> Operation:
    """Make a task that does the work and leaves with its exit code; ``texts`` says what each option is for."""
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
    """Refuse ``--dry``, then hand over and leave with the right exit code."""
    from ops.cli.options import Options
    from ops.cli.process import ended

    options = Options.read(given)
    if c.config.run.dry:
        print("inv --dry makes every command succeed with empty output, which proves nothing; nothing was changed")
        print(f"Try: inv {name} --plan")
        sys.exit(2)
    ended(lambda: work(options, **given), options, name)
