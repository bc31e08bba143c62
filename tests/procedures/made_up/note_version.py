"""note-version: a made-up procedure, as a contributor would add it; this file is all of it."""

from __future__ import annotations

from ops.engine.command import Command, Query, Shell
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, check
from ops.procedures.checks import is_production

note_version = Procedure(
    "note-version",
    "Note which version production has",
    "Writes down what production's server says of itself. For whoever plans an upgrade of the server.",
    "Production was only read. `inv resume` looks again.",
    needs=(Need.PRODUCTION,),
    exclusive=False,
)


def note(c: RunInputs) -> str:
    """Where it stands."""
    return f"{c.run_folder}/version.jsonl"


@check("What was written down names the database", "inv resume")
def names_database(c: RunInputs) -> Command:
    """An empty file would be taken for a server that says nothing."""
    return Shell(("grep", "-q", c.database, note(c)), c.target)


def forget(c: RunInputs) -> Command:
    """Removes what was written down."""
    return Shell(("rm", "-f", note(c)), c.target)


@note_version.step(
    "Ask the server", gates=(is_production,), proof=names_database, undo=forget, again=True, data="it is written down"
)
def ask(c: RunInputs) -> Command:
    """Into the run's folder."""
    return Query("identity.sql", c.target, output=note(c))
