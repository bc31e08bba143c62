"""The tools by name: what our own Python does within a step.

A tool takes a ``Session`` and text options, says what it found in a line, and raises an ``OpsError`` where something
does not hold. It asks nobody and starts no other step. Each is also a task, ``inv tool.NAME``, with the same options.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol, get_args, get_type_hints


class Measured(Protocol):
    """What was measured while a step's commands ran."""

    def data(self) -> dict[str, Any]:
        """Return the fields of the journal's event ``measures``."""
        ...

    def lines(self) -> list[str]:
        """Return the measures as sentences."""
        ...

    def half_done(self) -> str:
        """Return what to add to the message of the command that failed."""
        ...


class Watching(Protocol):
    """Something that measures while a step's commands run. Nothing of it may raise."""

    def start(self) -> None:
        """Begin; the commands start when this returns."""

    def line(self, text: str) -> None:
        """Take a line that a command printed."""

    def stop(self, error: str = "") -> Measured:
        """End, and say what was measured; ``error`` says why the commands failed."""
        ...


# What can be measured, by name.
WATCHES: dict[str, Callable[..., Watching]] = {}

TOOLS: dict[str, Callable[..., str]] = {}


def tool(function: Callable[..., str]) -> Callable[..., str]:
    """Make a function a tool under its name with dashes.

    Options that several tools share are one ``TypedDict``: ``**options: Unpack[Shared]`` stands for its keys.
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
    """Say why nothing that is known can be called by a name with these options; empty where it can."""
    if name not in known:
        return f"there is no {name!r}"
    try:
        inspect.signature(known[name]).bind(None, **options)
    except TypeError as error:
        return f"{name}: {error}"
    return ""
