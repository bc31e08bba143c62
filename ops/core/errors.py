"""What can go wrong, and with which exit code it ends.

    OpsError                      4  a step failed; the text says what stands and what to type
    ├── UsageError                2  the command line or the inventory is wrong; nothing was touched
    │   └── InventoryError        2  … with file and line
    ├── Refused                   3  a gate did not hold; nothing was changed
    │   └── NoWayOn               3  … a run can't be resumed or undone; the hint is the way that there is
    ├── StepFailed                4
    │   ├── Unreachable           4  … because server, disk or link was not there; asking again may do
    │   └── FailsAgain            4  … because of the migration or the data: the same again fails again
    ├── DataDiffers               5  rows, values or links differ or would be lost
    └── Interrupted             130  Ctrl-C or a signal; the journal knows where

Every error is one sentence that says what is wrong, and ``hint``: what to type next. Both are printed in one place,
``ops.cli.console``; nothing else prints an error.
"""

from __future__ import annotations

from enum import StrEnum

DONE = 0
USAGE = 2
REFUSED = 3
FAILED = 4
DIFFERS = 5
INTERRUPTED = 130


class Code(StrEnum):
    """Name what happened, for code that decides. Messages are for people, and may be reworded at any time.

    The journal holds these values, so a value never changes.
    """

    NONE = ""
    LOCK = "lock-not-available"
    BAD_BACKUP = "bad-backup"
    NO_INVENTORY = "no-inventory"
    # Why a server refused a connection (ops.infra.postgres.failure_text).
    PASSWORD = "password"
    NO_DATABASE = "no-database"
    NO_ROLE = "no-role"
    CLOSED = "closed"
    NO_HBA_ENTRY = "no-hba-entry"
    FULL = "too-many-connections"
    NO_RIGHT = "no-right"
    TLS = "tls"
    # What a tool found out (ops.engine.answer).
    AS_SHOWN = "as-shown"
    BROKEN_PROMISE = "broken-promise"


# The SQLSTATEs of a lock that was not to be had, in words: trying again may do.
LOCK_STATES = {"55P03": "lock timeout", "40P01": "deadlock"}


class OpsError(Exception):
    """Base of all errors that a person is meant to read.

    Args:
        message: what is wrong, naming the target, file or step first.
        hint: what to type next, without the word ``Try:``; empty where there is nothing to type.
        code: what happened, for code that decides; ``Code.NONE`` where nothing depends on it.

    ``shown`` says that a run's outcome has told it already.
    """

    exit_code = FAILED
    outcome = "failed"

    def __init__(self, message: str, hint: str = "", *, code: Code = Code.NONE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
        self.shown = False


class UsageError(OpsError):
    """The command line is wrong; nothing was touched."""

    exit_code = USAGE
    outcome = "refused"


class InventoryError(UsageError):
    """The inventory is wrong. ``file`` and ``line`` (from 1; 0 where no line can be named) lead the message."""

    def __init__(
        self, message: str, hint: str = "", *, file: str = "", line: int = 0, code: Code = Code.NONE
    ) -> None:
        where = f"{file}:{line}: " if line else f"{file}: " if file else ""
        super().__init__(where + message, hint, code=code)
        self.file = file
        self.line = line


class Refused(OpsError):
    """A gate did not hold. Nothing was changed by the step that it guards."""

    exit_code = REFUSED
    outcome = "refused"


class NoWayOn(Refused):
    """A run can't be gone on with, or taken back, in the way that was asked for; ``hint`` is the way that there is."""


class StepFailed(OpsError):
    """A step's command failed, or its proof did not hold."""


class Unreachable(StepFailed):
    """A command could not be asked at all: the server, the disk or the link to it is not there, or full."""


class FailsAgain(StepFailed):
    """A migration failed on what it says or on the rows that are there: without a correction it fails again."""


class DataDiffers(OpsError):
    """Data differs or would be lost. ``verdict`` is the comparison as JSON (docs/reference/json.md); ``examples``
    hold values of rows: they are for the terminal, and go into no text, file or journal."""

    exit_code = DIFFERS
    outcome = "refused"

    def __init__(self, message: str, hint: str = "", *, verdict: dict[str, object] | None = None) -> None:
        super().__init__(message, hint)
        self.verdict = verdict
        self.examples: list[str] = []


class Interrupted(OpsError):
    """Ctrl-C, SIGTERM or SIGHUP."""

    exit_code = INTERRUPTED
    outcome = "interrupted"
