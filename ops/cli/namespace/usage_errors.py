"""The command line as it was mistyped: one clear line, what to type instead, and exit code 2.

Invoke's own parser finds every mistake, but Invoke ends with 1 and names no way out. So that same parser reads the
command line once before Invoke does: when Invoke asks one of our tasks for its arguments, which it does to make its
parser. Only where ``inv`` or ``invoke`` runs: a program of somebody's own has flags of its own. Imports nothing heavy.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from difflib import get_close_matches
from typing import Any, NoReturn

from invoke.collection import Collection
from invoke.exceptions import ParseError
from invoke.parser import Parser
from invoke.parser.context import ParserContext
from invoke.program import Program

from ops.core.text import laid_out

# What a task needs and has no default for, as one would mostly type it.
USUAL = {"backup": "latest"}
HELP = {"--help", "-h"}


def watch(namespace: Collection) -> None:
    """Check the command line when Invoke is about to parse it."""
    first = next(iter(namespace.tasks.values()))
    arguments = first.get_arguments
    # Our own parser asks for the arguments, too.
    checking: list[bool] = []

    def get_arguments(*args: Any, **kwargs: Any) -> Any:
        if not checking and os.path.basename(sys.argv[0]) in ("inv", "invoke", "__main__.py"):
            checking.append(True)
            try:
                if {"--list", "-l", *HELP} & set(sys.argv[1:]):
                    # They only print: whoever reads may have enough of it (`inv --list | head`).
                    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
                if HELP & set(sys.argv[2:]) and sys.argv[1] in namespace.task_names:
                    # Invoke would take `--help` for the value of an option that must be given.
                    Program().run(["inv", f"--help={sys.argv[1]}"])
                # Where somebody's tasks.py adds tasks of its own, a word that we do not know may be one of them.
                alone = getattr(sys.modules.get("tasks"), "namespace", None) is namespace
                check(sys.argv[1:], namespace.to_contexts(*args, **kwargs), alone)
            finally:
                checking.clear()
        return arguments(*args, **kwargs)

    first.get_arguments = get_arguments


def check(words: list[str], contexts: list[ParserContext], alone: bool = True) -> None:
    """Read a command line as Invoke will; leave with 2 where it can't be.

    Args:
        words: what was typed after ``inv``.
        contexts: the tasks that are known.
        alone: there are no other tasks.
    """
    program = Program()
    core = ParserContext(args=[*program.core_args(), *program.task_args()])
    try:
        rest = Parser(initial=core, ignore_unknown=True).parse_argv(list(words)).unparsed
        Parser(initial=core, contexts=contexts).parse_argv(list(rest))
    except ParseError as error:
        what, hint = mistake(
            error, words, [name for known in contexts for name in (known.name, *known.aliases) if name]
        )
        ours = error.context is not None and error.context.name
        if what and (alone or (ours and " task " not in what)):
            _say(what, hint)


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
    sys.exit(2)
