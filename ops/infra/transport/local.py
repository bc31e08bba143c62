"""Run programs on this machine. A transport has one method, ``run``; ``Local`` is the transport of this machine."""

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

# Seconds that a program may take to end after SIGINT, and after SIGTERM.
GRACE = (10.0, 5.0)


class Local:
    """This machine. Each program gets a separate process group, so that Ctrl-C ends all its processes in order."""

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
        """Run a program without a shell. Exit code 127: the program is missing; 126: the folder is missing.

        Args:
            output: the file that receives standard output; it appears if the program succeeds.
            on_line: called with each line of standard error, and of standard output if ``output`` is None.
            umask: the umask of the program; the caller's if negative.
        """
        if not folder.is_dir():
            return Completed(126, "", f"the folder {folder} does not exist")
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
    """A context manager for the output file of a program; the file gets its final name if the program succeeds.

    Args:
        path: the file; None for no file, and then ``handle`` is None.

    Raises:
        OSError: the file cannot be written.
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
    """Start a program. Defer signals until its process number is known, so that the program can be ended."""
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
    """Collect the lines of a stream until it ends, and call ``on_line`` with each."""
    for raw in stream:
        line = raw.decode(errors="replace")
        lines.append(line)
        if on_line:
            try:
                on_line(line.rstrip("\r\n"))
            except Exception:
                # A closed terminal must not stop the reading: the program would hang on a full pipe.
                on_line = None


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process group by SIGINT, SIGTERM and SIGKILL. A second Ctrl-C does not interrupt this."""
    for number, patience in ((signal.SIGINT, GRACE[0]), (signal.SIGTERM, GRACE[1]), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        if _gone(process, patience):
            return


def _gone(process: subprocess.Popen[bytes], patience: float) -> bool:
    """Wait for the leader, then up to two seconds for the rest of its group; return True if the group has ended."""
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
