"""The binder: a procedure's declared needs become the inputs of its plan, and from then on nothing branches."""

from __future__ import annotations

from typing import Protocol

from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure
from ops.procedures.planning.from_inventory import Given, join


class Source(Protocol):
    """Where needs are obtained: from the servers (``Live``), or from placeholders for a page (``Page``)."""

    def begin(self, procedure: Procedure) -> Given:
        """What every run has, whatever it needs."""

    def obtain(self, need: Need, given: Given) -> Given:
        """One need, where those before it gave this."""

    def end(self, given: Given) -> Given:
        """What comes of all of them."""


def bind(source: Source, procedure: Procedure) -> RunInputs:
    """Obtain all that a procedure declares, and freeze it.

    Raises:
        NothingToDo: there is nothing for the procedure to do.
        OpsError: something can't be reached, or must not be.
    """
    given = source.begin(procedure)
    for need in Need:
        if need in procedure.needs:
            given = join(given, source.obtain(need, given))
    return RunInputs(**join(given, source.end(given)))
