"""What is put right at once when a command was cut off, since users would feel it until somebody resumes the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from ops.engine.command import Command, Completed, Query
from ops.infra.postgres.client import said_error

# What was cut off, and what is run then, with the same variables; and what is so again.
MENDS = {"swap.sql": "reopen.sql", "freeze.sql": "unfreeze.sql"}
AGAIN = {"swap.sql": ("is open to its users", "be CLOSED to its users, and could not be opened")}
AGAIN |= {"freeze.sql": ("takes writes as before", "be FROZEN (read-only), and could not be unfrozen")}
# A server that was restarted takes a moment to answer; in seconds.
PATIENCE, PAUSE = 20.0, 0.5


def clean_up(command: Command, run: Callable[[Query], Completed]) -> Callable[[], str]:
    """Return what puts right what a command leaves when it is cut off. Called before the command runs."""
    return (lambda: mend(command, run)) if mended_later(command, run) else (lambda: "")


def mended_later(command: Command, run: Callable[[Query], Completed]) -> bool:
    """Whether a command may be put right if it is cut off: a freeze that stood before it is not its own to take back.

    Args:
        command: what is about to run.
        run: runs a query to its end.
    """
    if not isinstance(command, Query) or command.file != "freeze.sql":
        return True
    return run(_frozen(command, "on")).exit != 0


def mend(command: Command, run: Callable[[Query], Completed]) -> str:
    """Run what puts right what a command left when it failed.

    Args:
        command: what failed or was interrupted.
        run: runs a query to its end.

    Returns:
        what was done, as words that go on a sentence; empty where there is nothing to put right.
    """
    if not isinstance(command, Query) or command.file not in MENDS:
        return ""
    query = replace(command, file=MENDS[command.file], output="")
    good, bad = AGAIN[command.file]
    live, deadline = command.parameters["live"], time.monotonic() + PATIENCE
    while True:
        if command.file == "freeze.sql" and run(_frozen(command, "off")).exit == 0:
            return f"; {live} {good}"  # Nothing was changed yet: nobody's session is ended for it.
        done = run(query)
        if done.exit == 0:
            return f"; {live} {good}"
        if time.monotonic() > deadline:
            return f"; {live} may {bad}: {said_error(done.err)}"
        time.sleep(PAUSE)


def _frozen(command: Query, wanted: str) -> Query:
    """The question whether a database is frozen, or takes writes."""
    live = command.parameters["live"]
    return replace(command, file="check_frozen.sql", database=live, parameters={"wanted": wanted}, output="")
