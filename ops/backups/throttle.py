"""Holds a stream back on its way through: ``python -m ops.backups.throttle BYTES``, so many a second at most, from
standard input to standard output. Whoever writes into it waits, and so does what that reads from."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import IO

from ops.core.errors import FAILED

# So often a second something goes through, MOST bytes at once: small pieces are a steady flow.
STEPS, MOST = 20, 1 << 20


def slowed(
    source: IO[bytes],
    into: IO[bytes],
    rate: int,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> int:
    """Hand a stream on at no more than ``rate`` bytes a second, from its first byte to its last.

    Returns:
        how many bytes went through.
    """
    begun, passed = clock(), 0
    while piece := source.read(min(max(rate // STEPS, 1), MOST)):
        into.write(piece)
        passed += len(piece)
        # Where the source itself was slow, what it did not use is not made up for: the database feels bursts.
        early = begun + passed / rate - clock()
        if early > 0:
            wait(early)
        else:
            begun -= early
    into.flush()
    return passed


def main(words: list[str]) -> int:
    """Hold standard input back."""
    if len(words) != 1 or not words[0].isdecimal() or int(words[0]) < 1:
        print("python -m ops.backups.throttle BYTES_A_SECOND", file=sys.stderr)
        return 2
    try:
        slowed(sys.stdin.buffer, sys.stdout.buffer, int(words[0]))
    except BrokenPipeError:
        # Who read it has failed, and says why.
        os._exit(1)
    except OSError as error:
        print(f"throttle: {error.strerror}", file=sys.stderr)
        return FAILED
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
