"""Collect garbage rarely, so that a task starts and ends sooner."""

from __future__ import annotations

import atexit
import gc

from ops.core.early_interrupt import runs_inv

# Objects that exist more than at the last collection. Python's default is 700, so that the imports of a task alone
# cause more than a hundred collections, which find nothing.
RARELY = 100_000


def collect_rarely() -> None:
    """Collect garbage rarely, and not at the end of the process. Only ``inv`` does this, and no other program."""
    if runs_inv():
        gc.set_threshold(RARELY)
        # Otherwise Python searches all modules for garbage several times when it ends.
        atexit.register(gc.freeze)
