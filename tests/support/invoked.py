"""Call ``inv`` inside the test's process: Invoke's own program reads the words, and our own tasks do the work.

As a process of its own would, a call has its own folder, environment, standard streams, arguments, signal handlers and
umask, and what it leaves to the interpreter's end is done when it ends. It saves the start of a Python and the imports,
some 0.4 s. What it can't show: signals, terminals, file limits, kills. Such a test starts a process
(``Project.command``).
"""

from __future__ import annotations

import atexit
import contextlib
import copy
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from tests.support.done import Done

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)


def possible() -> bool:
    """Whether a call may be made here: it changes what all threads of a process share."""
    return threading.current_thread() is threading.main_thread()


def invoke(words: Sequence[str], folder: Path, env: Mapping[str, str]) -> Done:
    """Call ``inv`` with these words in a folder.

    Returns:
        how it ended: exit code, standard output, standard error.
    """
    out, err = _stream(), _stream()
    with apart(folder, env, ["inv", *words]), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = _code(words)
    return Done(code, _text(out), _text(err))


def _code(words: Sequence[str]) -> int:
    import invoke.collection
    import invoke.parser.parser
    from invoke.program import Program

    # Tasks are not changed by a call, and each call makes its own contexts: neither has to be copied.
    alone = SimpleNamespace(copy=copy.copy, deepcopy=lambda found: found)
    try:
        with (
            mock.patch.object(invoke.parser.parser, "copy", alone),
            mock.patch.object(invoke.collection, "copy", alone),
            mock.patch.object(invoke.collection.Collection, "to_contexts", _contexts(words)),
        ):
            Program().run(["inv", *words])
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    return 0


def _contexts(words: Sequence[str]) -> Callable[..., list[Any]]:
    """Invoke's parser knows the task that is called, and not a hundred others that a call can't mean: a sixth of the
    time. The first of all tasks is always there, since ``ops.cli.namespace.usage_errors`` reads the words when Invoke
    asks for it."""
    from invoke.collection import Collection
    from invoke.parser.context import ParserContext

    def to_contexts(self: Collection, ignore_unknown_help: bool | None = None) -> list[ParserContext]:
        names = self.task_names
        if words and words[0] in names and all(word.startswith("-") for word in words[1:]):
            names = {name: names[name] for name in (next(iter(names)), words[0])}
        return [
            ParserContext(name, aliases, self[name].get_arguments(ignore_unknown_help=ignore_unknown_help))
            for name, aliases in names.items()
        ]

    return to_contexts


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode()  # type: ignore[attr-defined, no-any-return]


@contextlib.contextmanager
def apart(folder: Path, env: Mapping[str, str], argv: list[str]) -> Iterator[None]:
    """What a process has for itself, for the time of a block."""
    former, path, modules = dict(os.environ), list(sys.path), set(sys.modules)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    given, stdin, mask = sys.argv, sys.stdin, os.umask(0o022)
    os.umask(mask)
    back = os.open(".", os.O_RDONLY)
    with open(os.devnull, encoding="utf-8") as nothing, _at_the_end():
        try:
            os.chdir(folder)
            _become(env)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.argv, sys.stdin = argv, nothing
            yield
        finally:
            os.fchdir(back)
            os.close(back)
            _become(former)
            os.umask(mask)
            sys.argv, sys.stdin, sys.path[:] = given, stdin, path
            for name in ("tasks", *(name for name in set(sys.modules) - modules if name.startswith("tasks."))):
                sys.modules.pop(name, None)
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _become(env: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(env):
        del os.environ[name]
    os.environ.update(env)


@contextlib.contextmanager
def _at_the_end() -> Iterator[None]:
    """What is left to the end of the process is done at the end of the block."""
    left: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []
    register = atexit.register

    def later(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
        if not str(function.__module__).startswith(("ops", "shutil")):
            return register(function, *args, **kwargs)
        left.append((function, args, kwargs))
        return function

    atexit.register = later  # type: ignore[assignment]
    try:
        yield
    finally:
        atexit.register = register
        for function, args, kwargs in reversed(left):
            function(*args, **kwargs)
