"""The process of a command: its signals, its streams, its exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from ops.cli import console
from ops.cli.options import Options
from ops.core.early_interrupt import TEXT, restore_interrupts
from ops.core.errors import FAILED, Interrupted, OpsError
from ops.engine.failures import disk_error
from ops.infra.session.run_hooks import unexpected


def ended(work: Callable[[], int], options: Options, procedure: str) -> NoReturn:
    """Do the work and leave with its exit code; an error becomes one clear text, never a traceback."""
    _signals()
    _speakable()
    try:
        code = _told(work, options, procedure)
    except BrokenPipeError:
        # Nobody reads any more; what Python flushes at its end must find an open file.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    raise SystemExit(code)


def _told(work: Callable[[], int], options: Options, procedure: str) -> int:
    try:
        try:
            return work()
        finally:
            _deaf()
    except OpsError as error:
        if not error.shown:
            console.print_error(error, options.json, procedure, options.target)
        return error.exit_code
    except KeyboardInterrupt:
        told: OpsError = Interrupted(TEXT)
        console.print_error(told, options.json, procedure, options.target)
        return told.exit_code
    except BrokenPipeError:
        raise
    except OSError as error:
        told = disk_error(error, "", "inv status")
        told.hint = told.hint or "inv status"
        console.print_error(told, options.json, procedure, options.target)
    except Exception as fault:
        if "OPS_DEBUG" in os.environ:
            raise
        console.print_error(unexpected(fault, procedure, options.target), options.json, procedure, options.target)
    return FAILED


def _deaf() -> None:
    """All is done: a signal that comes now would only cut off what is said of it, or print a traceback."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)


def _signals() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    restore_interrupts()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def _speakable() -> None:
    """What a terminal or pipe can't spell must not end the run: neither a name in our output nor a typed answer."""
    for stream, errors in ((sys.stdout, "backslashreplace"), (sys.stderr, "backslashreplace"), (sys.stdin, "replace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
