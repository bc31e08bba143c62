"""The tasks: what each option is for, and that an action's task is its function."""

from __future__ import annotations

import inspect
import sys

import pytest
from invoke.parser import ParserContext

from ops.cli.all_actions import TOOLS
from ops.cli.namespace import namespace
from ops.cli.namespace.action_tasks import action_task, arguments_of, description
from ops.cli.namespace.operation import LETTERS
from ops.cli.namespace.task_list import GROUPS, OWN, groups


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> list[ParserContext]:
    monkeypatch.setattr(sys, "argv", ["pytest", "tool"])
    namespace.to_contexts()
    return namespace.to_contexts()  # Invoke asks twice, too.


def test_each_option_of_each_task_has_a_help_text(contexts: list[ParserContext]) -> None:
    assert {"release", "overview", "tools"} | {f"tool.{name}" for name in TOOLS} <= {one.name for one in contexts}
    without = [f"{one.name} {flag.name}" for one in contexts for flag in one.args.values() if not flag.help]
    assert without == []


def test_a_letter_means_the_same_in_every_task(contexts: list[ParserContext]) -> None:
    flags = [flag for one in contexts for flag in one.args.values()]
    short = {(flag.name, name) for flag in flags for name in flag.names if len(name) == 1 and name != flag.name}
    assert short == set(LETTERS.items())
    assert all(LETTERS[flag.name] in flag.names for flag in flags if flag.name in LETTERS)


def test_each_task_is_in_one_group() -> None:
    grouped = [task for tasks in GROUPS.values() for task in tasks]
    assert sorted(grouped) == sorted(name for name in namespace.task_names if not name.startswith("tool."))
    assert OWN not in groups(namespace)


def test_no_task_replaces_a_method_of_invoke() -> None:
    replaced = [
        f"{name}.{attribute}"
        for name, task in namespace.tasks.items()
        for attribute in vars(task)
        if callable(getattr(type(task), attribute, None))
    ]
    assert replaced == []


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
