"""What a step asks to be measured, around its commands; also when they fail."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ops.core.errors import OpsError
from ops.engine.command import CommandRunner
from ops.engine.journal import Event
from ops.engine.plan import PlannedStep
from ops.engine.registry import WATCHES

Line = Callable[[str], None]


@dataclass
class Watched:
    """``line`` takes what the commands print; ``said`` is, at the end, what was measured, in words."""

    line: Line
    said: str = ""


@contextlib.contextmanager
def watched(session: CommandRunner, planned: PlannedStep, emit: Callable[[Event], None]) -> Iterator[Watched]:
    """Measure from here to the end of the block, where the step asks for that, and emit a ``measures`` event.

    An error that ends the block leaves it with the addition of how long what failed had run.
    """
    if planned.step.watch is None:
        yield Watched(lambda _: None)
        return
    asked = planned.step.watch(planned.inputs)
    watch = WATCHES[asked.name](session, **asked.options)
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
        lines = found.lines()
        made.said = "\n".join(lines)
        emit({"event": "measures", "step": planned.name, **found.data(), "told": lines, "failed": failed})
        if reason:
            reason.message += found.half_done()
