"""The actions as tasks, ``inv tool.NAME``: what a page's block types. Imports nothing heavy, until one is asked for."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from invoke.collection import Collection
from invoke.vendor.lexicon import Lexicon

from ops.cli.namespace.help import ACTIONS
from ops.cli.namespace.operation import Operation, made

if TYPE_CHECKING:
    from ops.cli.options import Options


class Actions(Collection):
    """A task per action, made of the action's signature and docstring.

    They are there only where a word of the command line names them (``inv tool.seal``, ``inv --list tool``): reading
    the signatures imports every feature, which ``inv --list`` and the other tasks must not wait for.
    """

    @property
    def tasks(self) -> Lexicon:
        """The tasks by name."""
        return _tasks(any("tool" in word for word in sys.argv[1:]))

    @tasks.setter
    def tasks(self, _: Lexicon) -> None:
        """Ignore the empty tasks that every collection begins with."""


@functools.cache
def _tasks(wanted: bool) -> Lexicon:
    found = Lexicon()  # type: ignore[no-untyped-call]
    if wanted:
        from ops.cli.all_actions import TOOLS

        found.update({name: action_task(name, action) for name, action in TOOLS.items()})
    return found


def action_task(name: str, action: Callable[..., str]) -> Operation:
    """Make the task of an action: its parameters, and the inventory."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    given = [one.replace(kind=kind) for one in inspect.signature(action).parameters.values()]
    given.append(inspect.Parameter("inventory", kind, default=""))
    document = inspect.getdoc(action) or ""

    def work(options: Options, **arguments: Any) -> int:
        from ops.cli.run import call_tool

        return call_tool(name, options, {one: arguments[one] for one in arguments if one != "inventory"})

    work.__signature__ = inspect.Signature(given)  # type: ignore[attr-defined]
    work.__name__, work.__doc__ = name, description(document)
    texts = {one.name: ACTIONS[one.name] for one in given[1:] if one.name in ACTIONS}
    return made(work, name, texts | arguments_of(document))


def show_actions(options: Options) -> int:
    """List every action with the first line of its docstring."""
    from ops.cli.console import Console

    found = [[f"tool.{name}", str(task.__doc__).splitlines()[0]] for name, task in sorted(_tasks(True).items())]
    data = [{"event": "action", "name": name, "does": does} for name, does in found]
    Console(options.json).table("actions", ["action", "does"], found, data)
    return 0


def description(document: str) -> str:
    """Return a docstring without its sections, the first sentence on one line: Invoke lists that."""
    first, *rest = re.split(r"\n\s*(?:Args|Returns|Raises):\n", document)[0].strip().split("\n\n")
    return "\n\n".join([" ".join(first.split()), *rest])


def arguments_of(document: str) -> dict[str, str]:
    """Return what a docstring's section ``Args`` says of each parameter."""
    section = re.search(r"\n\s*Args:\n(.*?)(?:\n\s*(?:Returns|Raises):|\Z)", document, re.DOTALL)
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", section[1], re.MULTILINE) if section else []
    return {name: " ".join(text.split()) for name, text in found}
