"""What is put right at once when a command was cut off, since users would feel it until somebody resumes the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from ops.command import Command, Query
from ops.postgres import said_error
from ops.transport import Completed

# What was cut off, and what is run then, with the same variables.
MENDS = {"swap.sql": "reopen.sql"}
# A server that was restarted takes a moment to answer; in seconds.
PATIENCE, PAUSE = 20.0, 0.5


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
    live, deadline = command.parameters["live"], time.monotonic() + PATIENCE
    while True:
        done = run(query)
        if done.exit == 0:
            return f"; {live} is open to its users"
        if time.monotonic() > deadline:
            return f"; {live} may be CLOSED to its users, and could not be opened: {said_error(done.err)}"
        time.sleep(PAUSE)
