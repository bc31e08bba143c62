"""The tasks: what each option is for, and that an action's task is its function."""

from __future__ import annotations

import inspect
import sys

import pytest
from invoke.parser import ParserContext

from ops.cli.all_actions import TOOLS
from ops.cli.namespace import namespace
from ops.cli.namespace.action_tasks import action_task, arguments_of, description


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> list[ParserContext]:
    monkeypatch.setattr(sys, "argv", ["pytest", "tool"])
    namespace.to_contexts()
    return namespace.to_contexts()  # Invoke asks twice, too.


def test_each_option_of_each_task_has_a_help_text(contexts: list[ParserContext]) -> None:
    assert {"release", "tool.check-room"} <= {one.name for one in contexts}
    without = [f"{one.name} {flag.name}" for one in contexts for flag in one.args.values() if not flag.help]
    assert without == []


def test_actions_are_no_tasks_where_no_word_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["inv", "release"])
    assert [name for name in namespace.task_names if name.startswith("tool.")] == []


def test_the_task_of_an_action_has_its_parameters() -> None:
    for name, action in TOOLS.items():
        takes = [(one.name, one.default) for one in list(inspect.signature(action).parameters.values())[1:]]
        task = action_task(name, action)
        has = [(one.name, one.default) for one in list(inspect.signature(task.body).parameters.values())[1:]]
        assert has == [*takes, ("inventory", "")], name


def test_a_docstring_becomes_the_description_and_the_help() -> None:
    text = """Do it, and
say so.

More of it.

Args:
    first: what it is,
        at length.
    second: another.

Raises:
    Refused: never.
"""
    assert description(text) == "Do it, and say so.\n\nMore of it."
    assert arguments_of(text) == {"first": "what it is, at length.", "second": "another."}
    assert arguments_of("Do it.") == {}
