"""Answer Ctrl-C before a task begins: Invoke would end with 1 and print nothing. Imports nothing heavy."""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import UTC, datetime
from typing import NoReturn

TEXT = "interrupted before anything was begun; nothing was changed"
INTERRUPTED = 130
PROGRAMS = ("inv", "invoke", "__main__.py")


def runs_inv() -> bool:
    """Return True if this process is ``inv``: a program of somebody's own handles its flags and signals itself."""
    return os.path.basename(sys.argv[0]) in PROGRAMS


def answer_interrupts() -> None:
    """End the process with 130 and one line when Ctrl-C comes, until ``restore_interrupts`` is called."""
    if runs_inv() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def restore_interrupts() -> None:
    """Have Ctrl-C raise ``KeyboardInterrupt`` again; a signal that is ignored stays ignored."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(*_: object) -> NoReturn:
    # An exception could be raised in the middle of an import, which may swallow it. No file is open yet.
    # Nor may it import: it may have come in the middle of that.
    event: dict[str, object] = {"event": "outcome", "procedure": "", "target": "", "run": None}
    event |= {"outcome": "interrupted"}
    event |= {"exit": INTERRUPTED, "reason": TEXT, "hint": "", "stands": "nothing was changed"}
    event |= {"at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    line = json.dumps(event) if "--json" in sys.argv else f"\nINTERRUPTED  {TEXT}"
    os.write(sys.stdout.fileno(), f"{line}\n".encode())
    os._exit(INTERRUPTED)
