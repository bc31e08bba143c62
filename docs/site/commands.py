"""Render the reference of commands: each task of ``ops.tasks`` with its options, and the actions of the pages."""

from __future__ import annotations

import inspect
import re

from invoke.parser.argument import Argument
from invoke.tasks import Task
from tables import code, prose, table

from ops.cli.all_actions import TOOLS
from ops.cli.namespace.action_tasks import description
from ops.cli.namespace.task_list import groups
from ops.tasks import namespace

# The options that most commands have. They are described once, above the commands.
USUAL = ("target", "inventory", "json", "plan", "reason", "confirm")


def commands() -> str:
    """Render every task."""
    found = groups(namespace)
    tasks = [namespace[name] for names in found.values() for name in names]
    usual = {one.name: one for task in tasks for one in _options(task) if one.name in USUAL}
    rows = [(_flag(usual[name]), prose(usual[name].help or "")) for name in USUAL]
    parts = ["Options that most commands have:\n", table(("option", "means"), rows)]
    for group, names in found.items():
        parts += [f"## {group}\n", *(_command(name, namespace[name]) for name in names)]
    return "\n".join(parts)


def tools() -> str:
    """Render the actions that the commands of the pages call."""
    rows = [(code(f"inv tool.{name}"), prose(_first(action))) for name, action in sorted(TOOLS.items())]
    return table(("action", "does"), rows)


def _options(task: Task) -> list[Argument]:
    return [one for one in task.get_arguments() if one.name not in ("c", "context")]


def _command(name: str, task: Task) -> str:
    text, _, examples = (inspect.getdoc(task) or "").partition("Example:")
    paragraphs = [prose(part) for part in text.strip().split("\n\n")]
    options = _options(task)
    own = [(_flag(one), prose(one.help or ""), _default(one)) for one in options if one.name not in USUAL]
    also = [code(f"--{one.name}") for one in options if one.name in USUAL]
    lines = [line.strip() for line in examples.strip().splitlines() if line.strip()]
    parts = [
        f"### inv {name}",
        *paragraphs,
        table(("option", "means", "default"), own).strip() if own else "",
        f"Also: {', '.join(also)}." if also else "",
        "```bash\n" + "\n".join(lines) + "\n```" if lines else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _flag(one: Argument) -> str:
    name = (one.name or "").replace("_", "-")
    if one.positional:
        return code(f"--{name}={name.upper()}") + ", required"
    return code(f"--{name}" if one.kind is bool else f"--{name}={_value(one)}")


def _value(one: Argument) -> str:
    return (one.name or "").replace("_", "-").upper() + ("…" if one.kind is list else "")


def _default(one: Argument) -> str:
    return code(str(one.default)) if one.default and one.default is not True else ""


def _first(action: object) -> str:
    text = description(inspect.getdoc(action) or "")
    return re.split(r"\n\n", text)[0]
