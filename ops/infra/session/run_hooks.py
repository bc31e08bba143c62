"""The engine's hooks for PostgreSQL: holders of locks, clean-up after interrupted commands, causes of failures."""

from __future__ import annotations

import contextlib
import re
import shutil
from typing import TYPE_CHECKING

from ops.core.errors import LOCK_STATES, Code, OpsError, StepFailed, Unreachable
from ops.core.text import amount
from ops.engine.command import Query, reveal
from ops.engine.hooks import HOOKS, Failed
from ops.engine.inputs import RunInputs
from ops.infra.postgres.clean_up import clean_up
from ops.infra.postgres.client import PROGRAMS, said_error
from ops.infra.postgres.failure_kind import MENDED
from ops.infra.postgres.failure_text import Trouble, beside, lock_wait, refusal, troubles
from ops.infra.postgres.grants import grant
from ops.infra.postgres.tls_failures import tls_trouble
from ops.infra.session.session import Session
from ops.infra.session.waits import Watchdog

# psycopg is slow to load; the tasks that query no database do not need it.
if TYPE_CHECKING:
    import psycopg

# Messages of libpq and the server about a lost connection.
_GONE = re.compile(
    r"connection to server (?:at|on) .*failed|server closed the connection|the database system is "
    r"|terminating connection (?:due to administrator command|because of)"
)

# An error of the server, except errors that the project's SQL raises for a program. LITTLE: a disk with fewer bytes
# free is full.
_SERVERS = re.compile(r"(?:ERROR|FATAL|PANIC):(?!\s+(?:GP001|pg_dump failed;))")
LITTLE = 1 << 20


class Guard(Watchdog):
    """Reports the sessions for which a command waits, and translates psycopg's errors."""

    def explain(self, error: Exception) -> OpsError | None:
        """Translate the error that ended the command, and name the holder of a lock; None for other exceptions."""
        import psycopg

        if isinstance(error, psycopg.Error):
            error = database_error(error, self.inputs.target)
        return self.name_holder(error) if isinstance(error, OpsError) else None


def database_error(error: psycopg.Error, target: str) -> OpsError:
    """Translate a psycopg error into an OpsError of one line."""
    import psycopg

    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    if trouble := tls_trouble(lines[0]):
        return Unreachable(f"{target}: no connection: {trouble[0]} ({lines[0]})", trouble[1], code=Code.TLS)
    if isinstance(error, psycopg.OperationalError) and not error.sqlstate:
        return Unreachable(f"{target}: the connection to the server was lost: {lines[0]}")
    waited = LOCK_STATES.get(error.sqlstate or "", "")
    code = Code.LOCK if waited else Code.NONE
    return StepFailed(f"{target}: the server reports: {waited and f'{waited}: '}{lines[0]}", code=code)


def unexpected(fault: Exception, procedure: str, target: str) -> OpsError:
    """Translate an exception that no other code has handled: a lost connection, or an internal error."""
    import psycopg

    if isinstance(fault, psycopg.OperationalError):
        told = database_error(fault, target or procedure)
        told.hint = "check the database's address and that the server runs, then repeat the command"
        return told
    said = (str(fault).splitlines() or [""])[0]
    return OpsError(f"{type(fault).__name__}: {said}: an internal error", f"OPS_DEBUG=1 inv {procedure} …")


def said_of(failed: Failed) -> str:
    """Return the error in a program's output."""
    done = failed.done
    return said_error(done.err) or said_error(done.out) or f"exit code {done.exit}"


def head_of(failed: Failed) -> str:
    """Return the target and the beginning of the failed command."""
    command = failed.command
    words = command.file if isinstance(command, Query) else " ".join(map(str, command.words[:3]))
    return f"{failed.inputs.target}: {reveal(words)}: "


def kind_of(failed: Failed, said: str) -> type[StepFailed]:
    """Return the class of a failed command's error: Unreachable if the connection failed, else StepFailed.

    psql exits with 2 if the connection failed; for other programs the message decides. A missing database or role is
    no connection error.
    """
    gone = failed.done.exit == 2 if isinstance(failed.command, Query) else bool(_GONE.search(said))
    return Unreachable if gone and refusal(said) not in (Code.NO_DATABASE, Code.NO_ROLE) else StepFailed


def code_of(failed: Failed) -> Code:
    """Return the code of a failed command: ``Code.LOCK`` for a lock timeout or deadlock, else ``Code.NONE``."""
    return Code.LOCK if lock_wait(failed.done.err) else Code.NONE


def explain(session: Session, failed: Failed) -> OpsError:
    """Explain a failure of psql, pg_dump or pg_restore by the failure catalogue, of other programs by their output."""
    command, stderr, said = failed.command, failed.done.err, said_of(failed)
    kind = kind_of(failed, said)
    if not isinstance(command, Query) and {*command.words}.isdisjoint(PROGRAMS):
        return kind(f"{head_of(failed)}{said}", code=code_of(failed))
    role = session.role(command.target) if command.target else ""
    if trouble := tls_trouble(said):
        return Unreachable(f"{head_of(failed)}{trouble[0]} ({said})", trouble[1], code=Code.TLS)
    if not _SERVERS.search(stderr) and (little := store_is_full(session, failed.inputs)):
        return Unreachable(f"{head_of(failed)}{little} ({said})", "free disk space for the store (df -h)")
    restores = not isinstance(command, Query) and "pg_restore" in command.words
    # pg_restore stops at its first error; pg_dump first reports the table.
    found = troubles(stderr, role)[: 1 if restores else None]
    known = next((one for one in found if one.known), None)
    named = f"{found[0].object}: " if found and found[0].object else ""
    text = f"{known.sentence} ({said})" if known else f"{named}{said}{beside(stderr)}"
    then = _then(known, failed.inputs) if known else ""
    hint = (then or grant(role, stderr)) if restores else (grant(role, stderr) or then)
    return kind(f"{head_of(failed)}{text}", hint, code=code_of(failed))


def store_is_full(session: Session, c: RunInputs) -> str:
    """Return a message if the disk of a run's folder is full; empty if it is not, or if unknown.

    Programs report a full disk in different ways, or not at all.
    """
    folder = session.inventory.path(c.run_folder)
    with contextlib.suppress(OSError):
        if (free := shutil.disk_usage(folder).free) < LITTLE:
            return f"the store's disk is full: {amount(free)} free in {folder}"
    return ""


def _then(known: Trouble, c: RunInputs) -> str:
    """Return the catalogue's hint followed by the next command: resume, or undo and a new backup; empty if no hint."""
    if not known.then:
        return ""
    anew = f"inv undo --run={c.run}   and   inv backup --target={c.target}"
    return f"{known.then}, then   {f'inv resume --run={c.run}' if known.where == MENDED else anew}"


HOOKS.guard, HOOKS.clean_up, HOOKS.failures["program"] = Guard, clean_up, explain
