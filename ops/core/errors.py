"""Errors that the user sees, each with its exit code.

    OpsError                      4  a step failed; the message says what was changed and what to type
    ├── UsageError                2  the command line or the inventory is wrong; nothing was changed
    │   └── InventoryError        2  … with file and line
    ├── Refused                   3  a gate did not hold; its step changed nothing
    │   └── NoWayOn               3  … the run can't be resumed or undone as requested; the hint names the alternative
    ├── StepFailed                4
    │   ├── Unreachable           4  … the server, the disk or the network failed; a retry may succeed
    │   └── FailsAgain            4  … the migration or the data is wrong; a retry fails again
    ├── DataDiffers               5  rows, values or links differ or would be lost
    └── Interrupted             130  Ctrl-C or a signal; the journal records the step

Each error has a message of one sentence that names what is wrong, and a ``hint`` that names what to type next. Only
``ops.cli.console`` prints errors.
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
    """The cause of an error, for code that branches on it. Code must not parse messages: their wording may change.

    The journal stores these values, so a value must never change.
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
    # Results of an action (ops.engine.answer).
    AS_SHOWN = "as-shown"
    BROKEN_PROMISE = "broken-promise"
    UNCHANGED = "unchanged"


# The SQLSTATEs of a failed lock, with their names. A retry may succeed.
LOCK_STATES = {"55P03": "lock timeout", "40P01": "deadlock"}


class OpsError(Exception):
    """Base class of all errors that are shown to the user.

    Args:
        message: what is wrong; begins with the target, file or step.
        hint: what to type next, without ``Try:``; empty if there is nothing to type.
        code: the cause, for code that branches on it; ``Code.NONE`` if no code does.

    ``shown`` is True after the outcome of a run has printed the error.
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
    """The command line is wrong. Nothing was changed."""

    exit_code = USAGE
    outcome = "refused"


class InventoryError(UsageError):
    """The inventory is wrong. The message begins with ``file`` and ``line`` (from 1; 0 if the line is not known)."""

    def __init__(
        self, message: str, hint: str = "", *, file: str = "", line: int = 0, code: Code = Code.NONE
    ) -> None:
        where = f"{file}:{line}: " if line else f"{file}: " if file else ""
        super().__init__(where + message, hint, code=code)
        self.file = file
        self.line = line


class Refused(OpsError):
    """A gate did not hold. The step behind the gate changed nothing."""

    exit_code = REFUSED
    outcome = "refused"


class NoWayOn(Refused):
    """A run can't be resumed or undone as requested. ``hint`` names the command that works instead."""


class StepFailed(OpsError):
    """A command of a step failed, or the step's proof did not hold."""


class Unreachable(StepFailed):
    """The server, the disk or the connection is unavailable or full, so that the command did not run."""


class FailsAgain(StepFailed):
    """A migration failed because of its code or the existing rows. It fails again until one of them is corrected."""


class DataDiffers(OpsError):
    """Data differs or would be lost.

    ``verdict`` is the comparison as JSON (docs/reference/json.md). ``examples`` holds values of rows: print them to a
    terminal only, and write them to no message, file or journal.
    """

    exit_code = DIFFERS
    outcome = "refused"

    def __init__(self, message: str, hint: str = "", *, verdict: dict[str, object] | None = None) -> None:
        super().__init__(message, hint)
        self.verdict = verdict
        self.examples: list[str] = []


class Interrupted(OpsError):
    """Ctrl-C, SIGTERM or SIGHUP ended the command."""

    exit_code = INTERRUPTED
    outcome = "interrupted"
