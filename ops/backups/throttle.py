"""Limit the rate of a stream from standard input to standard output: ``python -m ops.backups.throttle BYTES``.

The writer of the stream waits, and so does its source."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import IO

from ops.core.errors import FAILED

# Pieces per second, and the largest piece in bytes. Small pieces make a steady flow.
STEPS, MOST = 20, 1 << 20


def slowed(
    source: IO[bytes],
    into: IO[bytes],
    rate: int,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> int:
    """Copy a stream at no more than ``rate`` bytes a second.

    Returns:
        the number of copied bytes.
    """
    begun, passed = clock(), 0
    while piece := source.read(min(max(rate // STEPS, 1), MOST)):
        into.write(piece)
        passed += len(piece)
        # Do not make up for a slow source: a burst would load the database.
        early = begun + passed / rate - clock()
        if early > 0:
            wait(early)
        else:
            begun -= early
    into.flush()
    return passed


def main(words: list[str]) -> int:
    """Copy standard input to standard output at a limited rate."""
    if len(words) != 1 or not words[0].isdecimal() or int(words[0]) < 1:
        print("python -m ops.backups.throttle BYTES_A_SECOND", file=sys.stderr)
        return 2
    try:
        slowed(sys.stdin.buffer, sys.stdout.buffer, int(words[0]))
    except BrokenPipeError:
        # The reader has failed, and reports why.
        os._exit(1)
    except OSError as error:
        print(f"throttle: {error.strerror}", file=sys.stderr)
        return FAILED
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
