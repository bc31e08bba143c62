"""hazards: the first look of a release, before anything runs."""

from __future__ import annotations

from ops.command import Command, Tool
from ops.inputs import Inputs
from ops.step import Procedure

hazards = Procedure(
    "hazards",
    "Look at what the pending migrations would do",
    """Reads the pending migrations from the application itself, as operations with their tables and columns, and holds
    them against production's rows: what would be deleted without a copy, what can't succeed, what locks.""",
    """Exit code 3 means that a migration can't succeed: the text says which and why, and `inv hazards` how to write it
    right. Nothing was changed.""",
)


@hazards.step("Look at what the pending migrations would do", reads=True, again=True)
def look(c: Inputs) -> Command:
    """What can't succeed is refused here, before anything has run. What would lose data is told with its rows; whether
    it really does is proved by the rehearsal."""
    return Tool("hazards", {"target": c.target})
