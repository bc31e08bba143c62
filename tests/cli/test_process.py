"""A command's process: what its exit code is when signals come, also while it says how it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WAITS = """
import signal, sys
from ops.cli.options import Options
from ops.cli.process import ended
def work():
    sys.stderr.write("ready\\n")
    sys.stderr.flush()
    signal.pause()
ended(work, Options(target="shop"), "backup")
"""


def _full_pipe() -> tuple[int, int]:
    """A pipe that takes nothing more until it is read: what prints into it waits."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x")
    os.set_blocking(writing, True)
    return reading, writing


def _prints(process: subprocess.Popen[str]) -> None:
    """Wait until it sleeps in a call about its standard output."""
    for _ in range(1000):
        if Path(f"/proc/{process.pid}/syscall").read_text().split()[1:2] == ["0x1"]:
            return
        time.sleep(0.01)
    pytest.fail("it never printed")


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_while_it_says_how_it_ended_changes_nothing(first: signal.Signals) -> None:
    reading, writing = _full_pipe()
    words = [sys.executable, "-c", WAITS]
    with (
        os.fdopen(reading) as stream,
        subprocess.Popen(words, stdout=writing, stderr=subprocess.PIPE, text=True) as process,
    ):
        os.close(writing)
        assert process.stderr is not None and process.stderr.readline() == "ready\n"
        process.send_signal(first)
        _prints(process)
        process.send_signal(signal.SIGINT)
        said = stream.read().lstrip("x")
        assert process.wait(30) == 130 and process.stderr.read() == ""
    assert "INTERRUPTED  interrupted before the command started; nothing was changed" in said


@pytest.mark.parametrize("json", [[], ["--json"]], ids=["text", "json"])
def test_a_signal_before_the_task_begins_is_answered(tmp_path: Path, json: list[str]) -> None:
    """While Invoke reads the tasks and the command line, Invoke itself would end with 1 and print nothing."""
    (tmp_path / "tasks.py").write_text(
        "import os, signal\nfrom ops.tasks import namespace\nos.kill(os.getpid(), signal.SIGINT)\n"
    )
    words = [sys.executable, "-m", "invoke", "runs", *json]
    # A shell's background job inherits a SIGINT that is ignored; a person's is not.
    wake = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", wake, *words], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 130 and done.stderr == "", done
    assert "interrupted before the command started; nothing was changed" in done.stdout
    assert done.stdout.startswith('{"event": "outcome"' if json else "\nINTERRUPTED  ")
