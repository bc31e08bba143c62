"""What the engine asks of PostgreSQL: who holds a lock, what a cut-off command leaves, and why a program failed."""

from __future__ import annotations

import contextlib
import re
import shutil

import psycopg

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

# libpq's and the server's words, as every program repeats them that has a connection to it.
_GONE = re.compile(
    r"connection to server (?:at|on) .*failed|server closed the connection|the database system is "
    r"|terminating connection (?:due to administrator command|because of)"
)

# An error of the server's, but for those that our own SQL raises of a program; and so few bytes are none.
_SERVERS = re.compile(r"(?:ERROR|FATAL|PANIC):(?!\s+(?:GP001|pg_dump failed;))")
LITTLE = 1 << 20


class Guard(Watchdog):
    """Reports for whom a command waits, and says what the server said when a connection of our own failed."""

    def explain(self, error: Exception) -> OpsError | None:
        """Return the error that ended the command, with the holder of the lock named; None where it is no such one."""
        if isinstance(error, psycopg.Error):
            error = database_error(error, self.inputs.target)
        return self.name_holder(error) if isinstance(error, OpsError) else None


def database_error(error: psycopg.Error, target: str) -> OpsError:
    """Say what the server, or the missing link to it, says; one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    if trouble := tls_trouble(lines[0]):
        return Unreachable(f"{target}: no connection: {trouble[0]} ({lines[0]})", trouble[1], code=Code.TLS)
    if isinstance(error, psycopg.OperationalError) and not error.sqlstate:
        return Unreachable(f"{target}: the connection to the server was lost: {lines[0]}")
    waited = LOCK_STATES.get(error.sqlstate or "", "")
    code = Code.LOCK if waited else Code.NONE
    return StepFailed(f"{target}: the server says: {waited and f'{waited}: '}{lines[0]}", code=code)


def unexpected(fault: Exception, procedure: str, target: str) -> OpsError:
    """Make an error of what nothing nearer has explained: a server that went away, or else a mistake of ours."""
    if isinstance(fault, psycopg.OperationalError):
        told = database_error(fault, target or procedure)
        told.hint = "check the database's address and that it runs, then the same again"
        return told
    said = (str(fault).splitlines() or [""])[0]
    return OpsError(f"{type(fault).__name__}: {said}: a fault of this tool", f"OPS_DEBUG=1 inv {procedure} …")


def said_of(failed: Failed) -> str:
    """What a program said last."""
    done = failed.done
    return said_error(done.err) or said_error(done.out) or f"exit code {done.exit}"


def head_of(failed: Failed) -> str:
    """The target and the beginning of the command that failed."""
    command = failed.command
    words = command.file if isinstance(command, Query) else " ".join(map(str, command.words[:3]))
    return f"{failed.inputs.target}: {reveal(words)}: "


def kind_of(failed: Failed, said: str) -> type[StepFailed]:
    """Which error a failed command is: psql ends with 2 where it has no connection, or lost it; other programs have
    only words for that. A database that is not there is an answer, too."""
    gone = failed.done.exit == 2 if isinstance(failed.command, Query) else bool(_GONE.search(said))
    return Unreachable if gone and refusal(said) not in (Code.NO_DATABASE, Code.NO_ROLE) else StepFailed


def code_of(failed: Failed) -> Code:
    """What a failed command is to be decided by: whether it lacked a lock only."""
    return Code.LOCK if lock_wait(failed.done.err) else Code.NONE


def explain(session: Session, failed: Failed) -> OpsError:
    """Say why psql, pg_dump or pg_restore failed, by the catalogue of failures; of other programs the last words."""
    command, stderr, said = failed.command, failed.done.err, said_of(failed)
    kind = kind_of(failed, said)
    if not isinstance(command, Query) and {*command.words}.isdisjoint(PROGRAMS):
        return kind(f"{head_of(failed)}{said}", code=code_of(failed))
    role = session.role(command.target) if command.target else ""
    if trouble := tls_trouble(said):
        return Unreachable(f"{head_of(failed)}{trouble[0]} ({said})", trouble[1], code=Code.TLS)
    if not _SERVERS.search(stderr) and (little := store_is_full(session, failed.inputs)):
        return Unreachable(f"{head_of(failed)}{little} ({said})", "make room on the store's disk (df -h)")
    restores = not isinstance(command, Query) and "pg_restore" in command.words
    # pg_restore stops at its first error; pg_dump says first which table it was about.
    found = troubles(stderr, role)[: 1 if restores else None]
    known = next((one for one in found if one.known), None)
    named = f"{found[0].object}: " if found and found[0].object else ""
    text = f"{known.sentence} ({said})" if known else f"{named}{said}{beside(stderr)}"
    then = _then(known, failed.inputs) if known else ""
    hint = (then or grant(role, stderr)) if restores else (grant(role, stderr) or then)
    return kind(f"{head_of(failed)}{text}", hint, code=code_of(failed))


def store_is_full(session: Session, c: RunInputs) -> str:
    """Say that the disk of a run's folder is full; empty where it has room, or can't be seen.

    Programs that write there say so in many ways, or in none.
    """
    folder = session.inventory.path(c.run_folder)
    with contextlib.suppress(OSError):
        if (free := shutil.disk_usage(folder).free) < LITTLE:
            return f"the store's disk is full: {amount(free)} free in {folder}"
    return ""


def _then(known: Trouble, c: RunInputs) -> str:
    """What to type: `inv resume` only where it can help; empty where nothing is to be done before."""
    if not known.then:
        return ""
    anew = f"inv undo --run={c.run}   and   inv backup --target={c.target}"
    return f"{known.then}, then   {f'inv resume --run={c.run}' if known.where == MENDED else anew}"


HOOKS.guard, HOOKS.clean_up, HOOKS.failures["program"] = Guard, clean_up, explain
