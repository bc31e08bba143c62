"""Run the measurement of a step while its commands run, also if the commands fail."""

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
    """``line`` is called with each line of the commands; ``said`` is the measurement in words, at the end."""

    line: Line
    said: str = ""


@contextlib.contextmanager
def watched(session: CommandRunner, planned: PlannedStep, emit: Callable[[Event], None]) -> Iterator[Watched]:
    """Measure until the end of the block if the step has a ``watch``, and emit a ``measures`` event.

    Append the duration of the failed statement to the message of an error that ends the block.
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
