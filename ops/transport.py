"""How a command reaches its host. A transport has one method, ``run``; ``Local`` is this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from ops.files import private_file

OnLine = Callable[[str], None]
# How long a program may take to end by itself after Ctrl-C, and again after SIGTERM, in seconds.
GRACE = (10.0, 5.0)


@dataclass(frozen=True)
class Completed:
    """How a program ended: its exit code (negative: the signal) and what it printed."""

    exit: int
    out: str
    err: str


class Transport(Protocol):
    """Runs words on a host."""

    def run(
        self,
        words: Sequence[str],
        *,
        folder: Path,
        env: Mapping[str, str],
        output: Path | None = None,
        on_line: OnLine | None = None,
        umask: int = -1,
    ) -> Completed:
        """Run a program to its end.

        Args:
            words: the program and its arguments, as they are; no shell reads them.
            folder: the working directory.
            env: the whole environment.
            output: a file that takes standard output; it appears when the program succeeded.
            on_line: is told each line of standard error, and of standard output where ``output`` is not given.
            umask: the program's; the caller's own where negative.
        """
        ...


class Local:
    """This machine. A program gets a process group of its own, so Ctrl-C ends all of it, in order."""

    def run(
        self,
        words: Sequence[str],
        *,
        folder: Path,
        env: Mapping[str, str],
        output: Path | None = None,
        on_line: OnLine | None = None,
        umask: int = -1,
    ) -> Completed:
        """See ``Transport``. A program that is not there ends with 127, a folder that is not there with 126."""
        partial = output.with_name(f".{output.name}.partial") if output else None
        if not folder.is_dir():
            return Completed(126, "", f"there is no folder {folder}")
        with contextlib.ExitStack() as stack:
            out: int | IO[bytes] = subprocess.PIPE
            if partial:
                try:
                    handle = private_file(partial, os.O_WRONLY | os.O_TRUNC)
                except OSError as error:
                    return Completed(126, "", f"{output}: {error.strerror}")
                out = stack.enter_context(open(handle, "wb"))
            try:
                process = subprocess.Popen(
                    list(words),
                    cwd=folder,
                    env=dict(env),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                    umask=umask,
                )
            except OSError as error:
                if partial:
                    partial.unlink(missing_ok=True)
                return Completed(127, "", f"{words[0]}: {error.strerror}")
            return _finish(process, partial, output, on_line)


def _finish(
    process: subprocess.Popen[bytes], partial: Path | None, output: Path | None, on_line: OnLine | None
) -> Completed:
    collected: list[list[str]] = [[], []]
    readers = [
        threading.Thread(target=_read, args=(stream, lines, on_line), daemon=True)
        for stream, lines in zip((process.stdout, process.stderr), collected, strict=True)
        if stream
    ]
    try:
        for reader in readers:
            reader.start()
        code = process.wait()
    except BaseException:
        end(process)
        raise
    for reader in readers:
        reader.join()
    if partial and output:
        if code == 0:
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(output)
        else:
            partial.unlink(missing_ok=True)
    return Completed(code, "".join(collected[0]), "".join(collected[1]))


def _read(stream: IO[bytes], lines: list[str], on_line: OnLine | None) -> None:
    for raw in stream:
        line = raw.decode(errors="replace")
        lines.append(line)
        if on_line:
            try:
                on_line(line.rstrip("\r\n"))
            except Exception:
                # A screen that is gone must not stop the reading: the program would hang on a full pipe.
                on_line = None


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process group, all of it: SIGINT, then SIGTERM, then SIGKILL. A second Ctrl-C does not cut this short."""
    for number, patience in ((signal.SIGINT, GRACE[0]), (signal.SIGTERM, GRACE[1]), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        if _gone(process, patience):
            return


def _gone(process: subprocess.Popen[bytes], patience: float) -> bool:
    """Wait for the leader, and then a little for the rest of its group."""
    deadline, led = time.monotonic() + patience, True
    while time.monotonic() < deadline:
        with contextlib.suppress(KeyboardInterrupt):
            if process.poll() is not None:
                if led:
                    deadline, led = min(deadline, time.monotonic() + 2), False
                try:
                    os.killpg(process.pid, 0)
                except ProcessLookupError:
                    return True
            time.sleep(0.01)
    return False
