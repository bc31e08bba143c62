"""Turn the declared needs of a procedure into the inputs of its plan. Later code does not branch on a source."""

from __future__ import annotations

from typing import Protocol

from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure
from ops.procedures.planning.from_inventory import Given, join


class Source(Protocol):
    """Obtain needs from the servers (``Live``), or from placeholders for a page (``Page``)."""

    def begin(self, procedure: Procedure) -> Given:
        """Return the inputs of every run."""

    def obtain(self, need: Need, given: Given) -> Given:
        """Return the inputs of one need. ``given`` holds the inputs of the needs before."""

    def end(self, given: Given) -> Given:
        """Return the inputs that depend on all needs."""


def bind(source: Source, procedure: Procedure) -> RunInputs:
    """Obtain all needs that a procedure declares, and freeze them.

    Raises:
        NothingToDo: the procedure has nothing to do.
        OpsError: a server or store does not answer, or must not be used.
    """
    given = source.begin(procedure)
    for need in Need:
        if need in procedure.needs:
            given = join(given, source.obtain(need, given))
    return RunInputs(**join(given, source.end(given)))
