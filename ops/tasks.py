"""The command line, for your own ``tasks.py``: ``from ops.tasks import namespace``."""

from ops.core.early_interrupt import answer_interrupts
from ops.core.garbage import collect_rarely

answer_interrupts()
collect_rarely()

from ops.cli.namespace import namespace  # noqa: E402

__all__ = ["namespace"]
