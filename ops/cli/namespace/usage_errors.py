"""Read the command line before Invoke does: list the tasks by what a user needs, or answer what is mistyped.

Invoke's own parser finds every mistake, but Invoke ends with 1 and names no way out. Invoke asks each task for its
arguments when it makes its parser. ``EntryTask`` then has that same parser read the same words with the same tasks, the
project's own among them. Only where ``inv`` or ``invoke`` runs. Imports nothing heavy.
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

# What a task needs and has no default for, as one would mostly type it.
USUAL = {"backup": "latest"}
HELP = {"--help", "-h"}
# Set while the command line is read: that, too, asks each task for its arguments.
_reading: list[bool] = []


class EntryTask(Operation):
    """The task that has the command line read when Invoke asks for its arguments."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Return the arguments, after the command line was read."""
        if not _reading and runs_inv():
            _reading.append(True)
            try:
                read(sys.argv[1:], ignore_unknown_help)
            finally:
                _reading.clear()
        return super().get_arguments(ignore_unknown_help)


def read(words: list[str], ignore_unknown_help: bool | None = None) -> None:
    """List the tasks, show the help of one, or check a command line.

    Args:
        words: what was typed after ``inv``.
        ignore_unknown_help: as Invoke's configuration has it.

    Raises:
        Exit: all is said, or Invoke could not read it.
    """
    program = Program()
    core = ParserContext(args=[*program.core_args(), *program.task_args()])
    # Invoke has read its own options already, so they are right.
    found = Parser(initial=core, ignore_unknown=True).parse_argv(list(words))
    asked: Mapping[str, Argument] = found[0].args
    module = sys.modules.get(asked["collection"].value or "tasks")
    if module is None:
        return
    known = Collection.from_module(module)
    if asked["list"].value or HELP & set(words):
        # They only print: whoever reads may have enough of it (`inv --list | head`).
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if asked["list"].value is True and asked["list-format"].value == "flat" and not asked["list-depth"].value:
        show_groups(known, program)
        raise Exit(code=0)
    if HELP & set(words[1:]) and words[0] in known.task_names:
        # Invoke would take `--help` for the value of an option that must be given.
        program.run(["inv", f"--help={words[0]}"])
    check(words, found.unparsed, known, known.to_contexts(ignore_unknown_help))


def check(words: list[str], rest: list[str], known: Collection, contexts: list[ParserContext]) -> None:
    """Read the tasks of a command line as Invoke will, and refuse what can't be.

    Args:
        words: what was typed after ``inv``.
        rest: what Invoke's core options leave of it.
        known: all tasks.
        contexts: Invoke's parser of each.

    Raises:
        Exit: with 2, after the mistake was printed.
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
        said = "each ends the process with its exit code, so what follows would never run"
        _say(f"one task at a time, not {', '.join(names)}: {said}", " && ".join(f"inv {name}" for name in names))


def mistake(error: ParseError, words: list[str], names: list[str]) -> tuple[str, str]:
    """What is wrong with a command line, and what was probably meant.

    Args:
        error: Invoke's.
        words: what was typed.
        names: all tasks.
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
        return f"{call}: {text}", f"inv --help {task}".rstrip()
    given, flags = unknown[2], list(context.flags) if context is not None and task else []
    if twice := next((flag for flag in flags if [word.partition("=")[0] for word in words].count(flag) > 1), ""):
        return f"{call}: {twice} was given twice", f"{call} {twice}=VALUE   once"
    if given.startswith("-"):
        near = _near(given.split("=")[0], [flag for flag in flags if flag.startswith("--")])
        return (
            f"{call}: there is no flag {given.split('=')[0]}",
            f"{call} {near}" if near else f"inv --help {task}".rstrip(),
        )
    near = _near(given, names)
    if task and not near:
        return f"{call}: {given!r} belongs to no flag", f"inv --help {task}"
    return f"there is no task {given!r}", f"inv {near}" if near else "inv --list"


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _near(word: str, known: list[str]) -> str:
    return (get_close_matches(word, known, 1) or [""])[0]


def _say(what: str, hint: str) -> NoReturn:
    """What prints errors is too heavy to be loaded here; the form is the same."""
    if "--json" in sys.argv:
        import json

        from ops.engine.journal import outcome_event

        print(json.dumps(outcome_event("", "", "refused", 2, what, hint)))
    else:
        code = sys.stdout.encoding or "ascii"
        print(f"\nREFUSED  {what}\n{laid_out(hint)}".encode(code, "backslashreplace").decode(code))
    raise Exit(code=2)
