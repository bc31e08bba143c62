"""Run a command as this process: handle signals, streams and the exit code."""

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
    """Run a command and exit with its exit code. Print an error as one message, never as a traceback.

    Args:
        work: the command; returns the exit code.
        options: the options of the command line.
        procedure: the task, for the outcome of an error.
    """
    _signals()
    _speakable()
    try:
        code = _told(work, options, procedure)
    except BrokenPipeError:
        # The reader has closed the pipe. Python flushes standard output at exit, which needs an open file.
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
    """Ignore signals while the outcome is printed and during interpreter shutdown, so that they print no traceback."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)


def _signals() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    restore_interrupts()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def _speakable() -> None:
    """Escape characters that a terminal or pipe can't encode, so that they do not end the run."""
    for stream, errors in ((sys.stdout, "backslashreplace"), (sys.stderr, "backslashreplace"), (sys.stdin, "replace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
