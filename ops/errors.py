"""What can go wrong, and with which exit code it ends.

    OpsError                      4  a step failed; the text says what stands and what to type
    ├── UsageError                2  the command line or the inventory is wrong; nothing was touched
    │   └── InventoryError        2  … with file and line
    ├── Refused                   3  a gate did not hold; nothing was changed
    ├── StepFailed                4
    │   └── Unreachable           4  … because server, disk or link was not there; asking again may do
    ├── DataDiffers               5  rows, values or links differ or would be lost
    └── Interrupted             130  Ctrl-C or a signal; the journal knows where

Every error is one sentence that says what is wrong, and ``hint``: what to type next. Both are printed in one place,
``ops.console``; nothing else prints an error.
"""

from __future__ import annotations

DONE = 0
USAGE = 2
REFUSED = 3
FAILED = 4
DIFFERS = 5
INTERRUPTED = 130


class OpsError(Exception):
    """Base of all errors that a person is meant to read.

    Args:
        message: what is wrong, naming the target, file or step first.
        hint: what to type next, without the word ``Try:``; empty where there is nothing to type.

    ``shown`` says that a run's outcome has told it already.
    """

    exit_code = FAILED
    outcome = "failed"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.shown = False


class UsageError(OpsError):
    """The command line is wrong; nothing was touched."""

    exit_code = USAGE
    outcome = "refused"


class InventoryError(UsageError):
    """The inventory is wrong. ``file`` and ``line`` (from 1; 0 where no line can be named) lead the message."""

    def __init__(self, message: str, hint: str = "", *, file: str = "", line: int = 0) -> None:
        where = f"{file}:{line}: " if line else f"{file}: " if file else ""
        super().__init__(where + message, hint)
        self.file = file
        self.line = line


class Refused(OpsError):
    """A gate did not hold. Nothing was changed by the step that it guards."""

    exit_code = REFUSED
    outcome = "refused"


class StepFailed(OpsError):
    """A step's command failed, or its proof did not hold."""


class Unreachable(StepFailed):
    """A command could not be asked at all: the server, the disk or the link to it is not there, or full."""


class DataDiffers(OpsError):
    """Data differs or would be lost. ``verdict`` is the JSON form of the comparison (see docs/json.md)."""

    exit_code = DIFFERS
    outcome = "refused"

    def __init__(self, message: str, hint: str = "", *, verdict: dict[str, object] | None = None) -> None:
        super().__init__(message, hint)
        self.verdict = verdict


class Interrupted(OpsError):
    """Ctrl-C, SIGTERM or SIGHUP."""

    exit_code = INTERRUPTED
    outcome = "interrupted"
