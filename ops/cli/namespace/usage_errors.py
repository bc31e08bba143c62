"""Read the command line before Invoke does, to list the tasks in groups and to explain a mistyped command.

Invoke's parser finds every mistake, but Invoke exits with 1 and names no correction. When Invoke builds its parser, it
requests the arguments of each task. ``EntryTask`` then parses the same words with the same parser and the same tasks,
including the project's own tasks. This happens only if the program is ``inv`` or ``invoke``.
"""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from typing import NoReturn

from invoke.collection import Collection
from invoke.exceptions import Exit, ParseError
from invoke.executor import Executor
from invoke.parser import Parser
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext
from invoke.program import Program

from ops.cli.namespace.operation import Operation
from ops.cli.namespace.task_list import show_groups
from ops.core.early_interrupt import runs_inv
from ops.core.text import laid_out

# The usual values of required options, for hints.
USUAL = {"backup": "latest"}
HELP = {"--help", "-h"}
# Not empty while the command line is read, which requests the arguments of each task again.
_reading: list[bool] = []


class EntryTask(Operation):
    """The task that reads the command line when Invoke requests its arguments."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Read the command line, then return the arguments."""
        if not _reading and runs_inv():
            _reading.append(True)
            try:
                read(sys.argv[1:], ignore_unknown_help)
            finally:
                _reading.clear()
        return super().get_arguments(ignore_unknown_help)


def read(words: list[str], ignore_unknown_help: bool | None = None) -> None:
    """List the tasks, print the help of a task, or check a command line.

    Args:
        words: the command line after ``inv``.
        ignore_unknown_help: Invoke's configuration of that name.

    Raises:
        Exit: the list, the help or an error was printed.
    """
    program = Program()
    core = ParserContext(args=[*program.core_args(), *program.task_args()])
    # Invoke has parsed its own options already, so they are valid.
    found = Parser(initial=core, ignore_unknown=True).parse_argv(list(words))
    asked: Mapping[str, Argument] = found[0].args
    module = sys.modules.get(asked["collection"].value or "tasks")
    if module is None:
        return
    known = Collection.from_module(module)
    if asked["list"].value or HELP & set(words):
        # These only print. Let a closed pipe end the process (`inv --list | head`).
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if asked["list"].value is True and asked["list-format"].value == "flat" and not asked["list-depth"].value:
        show_groups(known, program)
        raise Exit(code=0)
    if HELP & set(words[1:]) and words[0] in known.task_names:
        # Invoke would read `--help` as the value of a required option.
        program.run(["inv", f"--help={words[0]}"])
    check(words, found.unparsed, known, known.to_contexts(ignore_unknown_help))


def check(words: list[str], rest: list[str], known: Collection, contexts: list[ParserContext]) -> None:
    """Parse the tasks of a command line as Invoke does, and refuse a mistake.

    Args:
        words: the command line after ``inv``.
        rest: the command line without Invoke's core options.
        known: all tasks.
        contexts: the parser context of each task.

    Raises:
        Exit: a mistake was printed; the exit code is 2.
    """
    program = Program()
    core = ParserContext(args=[*program.core_args(), *program.task_args()])
    try:
        typed = Parser(initial=core, contexts=contexts).parse_argv(list(rest))
    except ParseError as error:
        _say(*mistake(error, words, [name for one in contexts for name in (one.name, *one.aliases) if name]))
    if typed[0].args["help"].value:
        return
    executor = Executor(known)
    calls = [call.task for call in executor.expand_calls(executor.normalize(tuple(typed[1:])))]
    if any(isinstance(one, Operation) for one in calls[:-1]):
        names = [str(one.name) for one in calls]
        said = "a task exits with its own exit code, so that the next task would not run"
        _say(f"one task at a time, not {', '.join(names)}: {said}", " && ".join(f"inv {name}" for name in names))


def mistake(error: ParseError, words: list[str], names: list[str]) -> tuple[str, str]:
    """Return what is wrong with a command line, and what was probably intended.

    Args:
        error: Invoke's error.
        words: the command line after ``inv``.
        names: the names of all tasks.
    """
    text, context = str(error), error.context
    task = str(context.name) if context is not None and context.name else ""
    call = f"inv {task}" if task else "inv"
    if missing := re.search(r"did not receive required positional arguments: (.*)$", text):
        flags = [f"--{_flag(name)}={USUAL.get(name, name.upper())}" for name in re.findall(r"'([^']+)'", missing[1])]
        are = "are" if len(flags) > 1 else "is"
        return f"{call}: {', '.join(flag.split('=')[0] for flag in flags)} {are} missing", f"{call} {' '.join(flags)}"
    if "needed value" in text and (flag := re.search(r"<Argument: ([^\s>]+)", text)):
        return f"{call}: --{_flag(flag[1])} needs a value", f"{call} --{_flag(flag[1])}=VALUE"
    unknown = re.search(r"No idea what (['\"])(.*)\1 is!", text, re.DOTALL)
    if unknown is None:
        return f"{call}: {text}", f"inv {task} --help".rstrip()
    given, flags = unknown[2], list(context.flags) if context is not None and task else []
    if twice := next((flag for flag in flags if [word.partition("=")[0] for word in words].count(flag) > 1), ""):
        return f"{call}: {twice} was given twice", f"{call} {twice}=VALUE   once"
    if given.startswith("-"):
        near = _near(given.split("=")[0], [flag for flag in flags if flag.startswith("--")])
        return (
            f"{call}: there is no flag {given.split('=')[0]}",
            f"{call} {near}" if near else f"inv {task} --help".rstrip(),
        )
    near = _near(given, names)
    if task and not near:
        return f"{call}: {given!r} is not the value of a flag", f"inv {task} --help"
    return f"there is no task {given!r}", f"inv {near}" if near else "inv --list"


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _near(word: str, known: list[str]) -> str:
    return (get_close_matches(word, known, 1) or [""])[0]


def _say(what: str, hint: str) -> NoReturn:
    """Print an error and exit with 2. ``ops.cli.console`` prints the same form, but is slow to load."""
    if "--json" in sys.argv:
        import json

        from ops.engine.journal import outcome_event

        print(json.dumps(outcome_event("", "", "refused", 2, what, hint)))
    else:
        code = sys.stdout.encoding or "ascii"
        print(f"\nREFUSED  {what}\n{laid_out(hint)}".encode(code, "backslashreplace").decode(code))
    raise Exit(code=2)
