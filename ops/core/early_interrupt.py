"""Handle Ctrl-C before a task begins. Invoke itself would exit with 1 and print nothing.

Imports no module that is slow to load.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import UTC, datetime
from typing import NoReturn

TEXT = "interrupted before the command started; nothing was changed"
INTERRUPTED = 130
PROGRAMS = ("inv", "invoke", "__main__.py")


def runs_inv() -> bool:
    """Return True if this process is ``inv``. Any other program handles its own flags and signals."""
    return os.path.basename(sys.argv[0]) in PROGRAMS


def answer_interrupts() -> None:
    """Exit with 130 and one line on Ctrl-C, until ``restore_interrupts`` is called."""
    if runs_inv() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def restore_interrupts() -> None:
    """Let Ctrl-C raise ``KeyboardInterrupt`` again. An ignored signal stays ignored."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(*_: object) -> NoReturn:
    # Write and exit here: an exception raised during an import may be swallowed by that import. No file is open yet.
    # Do not import here: the signal may have interrupted an import.
    event: dict[str, object] = {"event": "outcome", "procedure": "", "target": "", "run": None}
    event |= {"outcome": "interrupted"}
    event |= {"exit": INTERRUPTED, "reason": TEXT, "hint": "", "stands": "nothing was changed"}
    event |= {"at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    line = json.dumps(event) if "--json" in sys.argv else f"\nINTERRUPTED  {TEXT}"
    os.write(sys.stdout.fileno(), f"{line}\n".encode())
    os._exit(INTERRUPTED)
