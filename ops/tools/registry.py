"""The tools by name: what our own Python does within a step.

A tool takes a ``World`` and text options, says what it found in a line, and raises an ``OpsError`` where something does
not hold. It asks nobody and starts no other step. Each is also a task, ``inv tool.NAME``, with the same options.
"""

from __future__ import annotations

from collections.abc import Callable

TOOLS: dict[str, Callable[..., str]] = {}


def tool(function: Callable[..., str]) -> Callable[..., str]:
    """Make a function a tool under its name with dashes."""
    TOOLS[function.__name__.replace("_", "-")] = function
    return function
