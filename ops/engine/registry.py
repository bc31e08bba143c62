"""The registry of tools: the actions of a step that are written in Python.

A tool takes a ``Session`` and text options, returns its result in a line, and raises an ``OpsError`` if a condition
does not hold. A tool asks the operator nothing and starts no other step. Each tool is also a task, ``inv tool.NAME``,
with the same options.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol, get_args, get_type_hints


class Measured(Protocol):
    """The result of a measurement."""

    def data(self) -> dict[str, Any]:
        """Return the fields of the journal's event ``measures``."""
        ...

    def lines(self) -> list[str]:
        """Return the result as sentences."""
        ...

    def half_done(self) -> str:
        """Return the text to append to the message of the command that failed."""
        ...


class Watching(Protocol):
    """A measurement that runs while a step's commands run. No method may raise an exception."""

    def start(self) -> None:
        """Start the measurement; the commands start when this method returns."""

    def line(self, text: str) -> None:
        """Process a line that a command printed."""

    def stop(self, error: str = "") -> Measured:
        """Stop the measurement and return its result; ``error`` is why the commands failed."""
        ...


# The measurements by name.
WATCHES: dict[str, Callable[..., Watching]] = {}

TOOLS: dict[str, Callable[..., str]] = {}


def tool(function: Callable[..., str]) -> Callable[..., str]:
    """Register a function as a tool under its name with dashes.

    Options that several tools share are one ``TypedDict``: ``**options: Unpack[Shared]`` declares its keys.
    """
    function.__signature__ = _spread(function)  # type: ignore[attr-defined]
    TOOLS[function.__name__.replace("_", "-")] = function
    return function


def _spread(function: Callable[..., str]) -> inspect.Signature:
    signature = inspect.signature(function)
    given: list[inspect.Parameter] = []
    for one in signature.parameters.values():
        if one.kind is not inspect.Parameter.VAR_KEYWORD:
            given.append(one)
            continue
        (shared,) = get_args(get_type_hints(function)[one.name])
        given += [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in shared.__annotations__]
    return signature.replace(parameters=given)


def misnamed(known: Mapping[str, Callable[..., object]], name: str, options: Mapping[str, str]) -> str:
    """Return why ``known`` has no function with this name and these options; empty if it has."""
    if name not in known:
        return f"{name!r} does not exist"
    try:
        inspect.signature(known[name]).bind(None, **options)
    except TypeError as error:
        return f"{name}: {error}"
    return ""
