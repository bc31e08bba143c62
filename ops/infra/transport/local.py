"""How a command reaches its host. A transport has one method, ``run``; ``Local`` is this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ops.core.files import private_file
from ops.engine.command import Completed, OnLine

# How long a program may take to end by itself after Ctrl-C, and again after SIGTERM, in seconds.
GRACE = (10.0, 5.0)


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
        """Run words to their end; no shell reads them. No such program ends with 127, no such folder with 126.

        Args:
            output: a file that takes standard output; it appears when the program succeeded.
            on_line: is told each line of standard error, and of standard output where ``output`` is not given.
            umask: the caller's own where negative.
        """
        if not folder.is_dir():
            return Completed(126, "", f"there is no folder {folder}")
        try:
            file = Output(output)
        except OSError as error:
            return Completed(126, "", f"{output}: {error.strerror}")
        with file:
            try:
                process = _start(
                    words,
                    cwd=folder,
                    env=dict(env),
                    stdin=subprocess.DEVNULL,
                    stdout=file.handle or subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                    umask=umask,
                )
            except OSError as error:
                return Completed(127, "", f"{words[0]}: {error.strerror}")
            done = _finish(process, on_line)
            file.succeeded = done.exit == 0
        return done


class Output:
    """A file that takes what a program prints; it gets its name when the program succeeded. ``with`` ends it.

    Args:
        path: the file; None where what is printed goes nowhere else, and then ``handle`` is None.

    Raises:
        OSError: it can't be written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.partial = path.with_name(f".{path.name}.partial") if path else None
        self.succeeded = False
        self.handle: IO[bytes] | None = None
        if self.partial:
            self.handle = os.fdopen(private_file(self.partial, os.O_WRONLY | os.O_TRUNC), "wb")

    def __enter__(self) -> Output:
        return self

    def __exit__(self, *_: object) -> None:
        if not (self.handle and self.partial and self.path):
            return
        with self.handle as handle:
            if self.succeeded:
                handle.flush()
                os.fsync(handle.fileno())
        if self.succeeded:
            self.partial.replace(self.path)
        else:
            self.partial.unlink(missing_ok=True)


def _start(words: Sequence[str], **given: Any) -> subprocess.Popen[bytes]:
    """Start a program. Ctrl-C waits meanwhile: before its number is known, nobody could end it."""
    caught: list[object] = []
    former = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        former = {number: handler for number, handler in handlers.items() if callable(handler)}
    try:
        for number in former:
            signal.signal(number, lambda *_: caught.append(_))
        process = subprocess.Popen(list(words), **given)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    if caught:
        end(process)
        raise KeyboardInterrupt
    return process


def _finish(process: subprocess.Popen[bytes], on_line: OnLine | None) -> Completed:
    collected: list[list[str]] = [[], []]
    readers = [
        threading.Thread(target=_read_to_its_end, args=(stream, lines, on_line), daemon=True)
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
    return Completed(code, "".join(collected[0]), "".join(collected[1]))


def _read_to_its_end(stream: IO[bytes], lines: list[str], on_line: OnLine | None) -> None:
    with stream:
        read_lines(stream, lines, on_line)


def read_lines(stream: Iterable[bytes], lines: list[str], on_line: OnLine | None) -> None:
    """Collect the lines of a stream until it ends, telling each one to ``on_line``."""
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
