"""Clean up at once after an interrupted swap, freeze or dump of a standby.

A swap or freeze would block users until the run is resumed. A dump would leave the replay of the standby paused.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from ops.engine.command import Command, Completed, Query
from ops.infra.postgres.client import said_error

# The file that cleans up after each interrupted file, with the same variables; and the result of success and failure.
MENDS = {"swap.sql": "reopen.sql", "freeze.sql": "unfreeze.sql"}
AGAIN = {"swap.sql": ("is open to its users", "be CLOSED to its users, and could not be opened")}
AGAIN |= {"freeze.sql": ("accepts writes as before", "be FROZEN (read-only), and could not be unfrozen")}
# The dump of a standby, and the file that resumes the replay.
DUMP, RESUMES = "dump.sql", "replay_resume.sql"
# A restarted server does not answer at once; in seconds.
PATIENCE, PAUSE = 20.0, 0.5


def clean_up(command: Command, run: Callable[[Query], Completed]) -> Callable[[], str]:
    """Return the function that cleans up if a command is cut off. Call ``clean_up`` before the command runs."""
    return (lambda: mend(command, run)) if mended_later(command, run) else (lambda: "")


def mended_later(command: Command, run: Callable[[Query], Completed]) -> bool:
    """Return True if a command may be cleaned up; a freeze must not end an earlier freeze.

    Args:
        command: the command that is about to run.
        run: runs a query to its end.
    """
    if not isinstance(command, Query) or command.file != "freeze.sql":
        return True
    return run(_frozen(command, "on")).exit != 0


def mend(command: Command, run: Callable[[Query], Completed]) -> str:
    """Clean up after a command that failed or was interrupted.

    Args:
        command: the command.
        run: runs a query to its end.

    Returns:
        the result as text to append to the error message; empty if there is nothing to clean up.
    """
    if isinstance(command, Query) and command.file == DUMP:
        return _resume(command, run)
    if not isinstance(command, Query) or command.file not in MENDS:
        return ""
    query = replace(command, file=MENDS[command.file], output="")
    good, bad = AGAIN[command.file]
    live, deadline = command.parameters["live"], time.monotonic() + PATIENCE
    while True:
        if command.file == "freeze.sql" and run(_frozen(command, "off")).exit == 0:
            return f"; {live} {good}"  # The freeze has changed nothing yet, so end no session.
        done = run(query)
        if done.exit == 0:
            return f"; {live} {good}"
        if time.monotonic() > deadline:
            return f"; {live} may {bad}: {said_error(done.err)}"
        time.sleep(PAUSE)


def _resume(command: Query, run: Callable[[Query], Completed]) -> str:
    """Resume the replay of a standby that a dump has paused. Production is dumped without a pause."""
    if "production" not in command.parameters:
        return ""
    done = run(Query(RESUMES, command.target, "postgres", {"folder": command.parameters["folder"]}))
    return f"; the replay of the standby may still be PAUSED: {said_error(done.err)}" if done.exit else ""


def _frozen(command: Query, wanted: str) -> Query:
    """Return the query that checks whether a database is frozen ("on") or accepts writes ("off")."""
    live = command.parameters["live"]
    return replace(command, file="check_frozen.sql", database=live, parameters={"wanted": wanted}, output="")
