"""The actions as tasks ``inv tool.NAME``, which the commands of the pages call.

Modules that are slow to load are imported only if an action is called.
"""

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
    """A task per action, made from the action's signature and docstring.

    The tasks exist only if a word of the command line contains ``tool`` (``inv tool.seal``, ``inv --list tool``):
    reading the signatures imports every feature, which would make ``inv --list`` and the other tasks slow.
    """

    @property
    def tasks(self) -> Lexicon:
        """The tasks by name."""
        return _tasks(any("tool" in word for word in sys.argv[1:]))

    @tasks.setter
    def tasks(self, _: Lexicon) -> None:
        """Ignore the empty tasks that ``Collection`` assigns."""


@functools.cache
def _tasks(wanted: bool) -> Lexicon:
    found = Lexicon()  # type: ignore[no-untyped-call]
    if wanted:
        from ops.cli.all_actions import TOOLS

        found.update({name: action_task(name, action) for name, action in TOOLS.items()})
    return found


def action_task(name: str, action: Callable[..., str]) -> Operation:
    """Make the task of an action, with the action's parameters and ``inventory``."""
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
    """Return a docstring without its sections, and with its first paragraph on one line, which Invoke lists."""
    first, *rest = re.split(r"\n\s*(?:Args|Returns|Raises):\n", document)[0].strip().split("\n\n")
    return "\n\n".join([" ".join(first.split()), *rest])


def arguments_of(document: str) -> dict[str, str]:
    """Return the description of each parameter in a docstring's section ``Args``."""
    section = re.search(r"\n\s*Args:\n(.*?)(?:\n\s*(?:Returns|Raises):|\Z)", document, re.DOTALL)
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", section[1], re.MULTILINE) if section else []
    return {name: " ".join(text.split()) for name, text in found}
