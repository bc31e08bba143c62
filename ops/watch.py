"""What a step asks to be measured, around its commands; also when they fail."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ops.errors import OpsError
from ops.journal import Event
from ops.measures import half_done, told
from ops.plan import PlannedStep
from ops.tools import WATCHES
from ops.world import World

Line = Callable[[str], None]


@dataclass
class Watched:
    """``line`` takes what the commands print; ``said`` is, at the end, what was measured, in words."""

    line: Line
    said: str = ""


@contextlib.contextmanager
def watched(world: World, planned: PlannedStep, emit: Callable[[Event], None]) -> Iterator[Watched]:
    """Measure from here to the end of the block, where the step asks for that, and emit a ``measures`` event.

    An error that ends the block leaves it with the addition of how long what failed had run.
    """
    if planned.step.watch is None:
        yield Watched(lambda _: None)
        return
    asked = planned.step.watch(planned.inputs)
    watch = WATCHES[asked.name](world, **asked.options)
    watch.start()
    made = Watched(watch.line)
    failed, reason = "interrupted", None
    try:
        yield made
        failed = ""
    except OpsError as error:
        failed, reason = error.message, error
        raise
    finally:
        found = watch.stop(failed)
        lines = told(found)
        made.said = "\n".join(lines)
        emit(
            {
                "event": "measures",
                "step": planned.name,
                **found.model_dump(mode="json"),
                "told": lines,
                "failed": failed,
            }
        )
        if reason:
            reason.message += half_done(found)
