"""`generalprobe init` on a terminal: it asks, asks again, and is left by Ctrl-C without a trace."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.inventory.load import load
from tests.cli.made_up_projects import write_project
from tests.support.fork_server import launcher
from tests.support.project import ROOT

SCRIPT = "from ops.cli.init.entry import main; main()"
PATIENCE = 120


class Terminal:
    """``generalprobe init`` on a terminal of its own."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.seen, self.read_to = "", 0
        self.leader, follower = pty.openpty()
        kept = {name: value for name, value in os.environ.items() if "DATABASE" not in name and "DJANGO" not in name}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, "init", f"--python={launcher().python}"],
            cwd=folder,
            env={**kept, "HOME": str(home), "PYTHONPATH": str(ROOT)},
            stdin=follower,
            stdout=follower,
            stderr=follower,
            # Ctrl-C reaches the foreground process of the terminal that a session has.
            preexec_fn=lambda: (os.setsid(), os.close(os.open(os.ttyname(0), os.O_RDWR)))[0],
        )
        os.close(follower)

    def until(self, text: str) -> None:
        """Read until a text has appeared behind the one of the last call."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.seen.find(text, self.read_to)) < 0:
            assert time.monotonic() < deadline, self.seen
            self._read(1)
        self.read_to = found + len(text)

    def type(self, text: str) -> None:
        """Type a line, or a key."""
        os.write(self.leader, text.encode())

    def ended(self) -> int:
        """Read to the end; gives the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read(1) or self.process.poll() is None:
            assert time.monotonic() < deadline, self.seen
        return self.process.wait()

    def _read(self, seconds: float) -> bool:
        if not select.select([self.leader], [], [], seconds)[0]:
            return False
        with contextlib.suppress(OSError):  # The other end is closed.
            read = os.read(self.leader, 65536).decode(errors="replace")
            self.seen += read
            return bool(read)
        return False


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    (tmp_path / "shop").mkdir()
    write_project(tmp_path / "shop", "separate")
    made = Terminal(tmp_path / "shop", tmp_path / "home")
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait()
    os.close(made.leader)


def test_questions_are_asked_until_they_are_answered(terminal: Terminal, tmp_path: Path) -> None:
    terminal.until("[shop]: ")
    terminal.type("a shop\n")
    terminal.until("Try: ")
    terminal.until("[shop]: ")
    terminal.type("corner\n")
    terminal.until("[Y/n]: ")
    terminal.type("\n")
    terminal.until("[file:~/.config/generalprobe/corner-url]: ")
    terminal.type("type it\n")
    terminal.until("Address, ")
    terminal.type("postgresql://keeper:hunter2word@127.0.0.1:9/corner\n")
    terminal.until("[corner_test]: ")
    terminal.type("corner\n")
    terminal.until("must differ from production")
    terminal.until("[corner_test]: ")
    terminal.type("\n")
    terminal.until("[backups]: ")
    terminal.type("\n")
    assert terminal.ended() == 4, terminal.seen
    assert "Next: " in terminal.seen and "hunter2word" not in terminal.seen
    assert load(tmp_path / "shop/inventory.yaml").production == ("corner",)
    address = tmp_path / "home/.config/generalprobe/corner-url"
    assert address.read_text() == "postgresql://keeper:hunter2word@127.0.0.1:9/corner\n"


def test_ctrl_c_at_a_question_leaves_nothing(terminal: Terminal, tmp_path: Path) -> None:
    before = {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts}
    terminal.until("[shop]: ")
    terminal.type("\n")
    terminal.until("[Y/n]: ")
    terminal.type("\x03")
    assert terminal.ended() == 130, terminal.seen
    assert "Traceback" not in terminal.seen and "nothing was changed" in terminal.seen
    assert {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts} == before
