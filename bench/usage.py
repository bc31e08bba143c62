"""Run a program to its end, and find what it took: seconds, processor time, memory of it and of all that it started."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ops.core.errors import OpsError

TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
EVERY = 0.1


@dataclass
class Usage:
    """What a program took, with everything that it started; the server's part is counted apart."""

    seconds: float
    cpu: float
    peak: int


def run(
    words: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    *,
    source: IO[bytes] | None = None,
    target: IO[bytes] | None = None,
    each: Callable[[str], None] | None = None,
    code: int = 0,
) -> Usage:
    """Run a program that has to succeed.

    Args:
        source: its standard input.
        target: takes its standard output.
        each: is called with every line of its output, as soon as it is there.
        code: the exit code that is a success.
    """
    begun = time.perf_counter()
    errors, output = folder / "stderr", folder / "stdout"
    with errors.open("wb") as stderr, output.open("wb") as stdout:
        out = subprocess.PIPE if each else target or stdout
        process = subprocess.Popen(
            words, cwd=folder, env=env, stdin=source or subprocess.DEVNULL, stdout=out, stderr=stderr
        )
        sampled = Peak(process.pid)
        try:
            for line in process.stdout or ():
                if each:
                    each(line.decode())
        finally:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.perf_counter() - begun
            peak = sampled.stop()
    if process.returncode != code:
        said = (errors.read_text(errors="replace") + output.read_text(errors="replace")).strip()[-500:]
        raise OpsError(f"{' '.join(words[:4])} failed with {process.returncode}: {said}")
    return Usage(seconds, used.ru_utime + used.ru_stime, peak)


class Peak:
    """The most memory that a process and its descendants have at the same time, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        self.pid, self.most, self.end = pid, 0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def stop(self) -> int:
        """Return the bytes."""
        self.end.set()
        self.thread.join()
        return self.most

    def _watch(self) -> None:
        while not self.end.wait(EVERY):
            self.most = max(self.most, sum(_resident(pid) for pid in family(self.pid)))


def family(pid: int) -> Iterator[int]:
    """Yield a process and all its descendants."""
    yield pid
    with contextlib.suppress(OSError):
        for file in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in file.read_text().split():
                yield from family(int(child))


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    return 0


def server_cpu(data: Path) -> float:
    """Return the processor time of a server and all sessions it ever had, by its folder of data."""
    postmaster = int((data / "postmaster.pid").read_text().split("\n")[0])
    total = 0
    for pid in family(postmaster):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            # Only the postmaster counts those that ended.
            total += sum(int(value) for value in fields[11 : 15 if pid == postmaster else 13])
    return total / TICKS
