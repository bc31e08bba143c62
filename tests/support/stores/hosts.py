"""Hosts behind SSH, OpenSSH's own server and asyncssh's: each serves all tests, which reach it over a line each."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.ssh_servers import SSHD, Login, Within, make_login, start_sshd
from tests.support.stores.lines import Line, line_to


@dataclass
class Far:
    """A host behind SSH, and a line to it that can be cut."""

    login: Login
    line: Line
    folder: Path

    @property
    def url(self) -> str:
        """The folder there as the inventory names it."""
        return f"ssh://{self.login.variables()['ansible_user']}@127.0.0.1:{self.line.port}{self.folder}"


@contextlib.contextmanager
def started(kind: str, folder: Path, *more: str) -> Iterator[Login]:
    """Start a server, in its own folder; ``more`` are lines of OpenSSH's configuration."""
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        login = make_login(folder, patch)
    if kind == "asyncssh":
        within = Within(folder, login.port)
        yield login
        within.stop()
        return
    process = start_sshd(folder, login.port, *more)
    yield login
    process.terminate()
    process.wait(10)


@contextlib.contextmanager
def reached(server: Login, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    """A user who reaches a server over a line; the files that say how are the user's own, and may be changed."""
    home = folder / "home"
    shutil.copytree(server.home, home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with line_to(server.port) as line:
        login = Login(home, server.port)
        key = server.known.read_text().split(" ", 1)[1]
        login.known.write_text(f"[127.0.0.1]:{line.port} {key}")
        yield Far(login, line, folder / "kept")


class Hosts:
    """The servers that serve all tests, each started when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.stack, self.logins = folder, contextlib.ExitStack(), dict[str, Login]()

    def login(self, kind: str) -> Login:
        """One of them; skips where OpenSSH's is not installed."""
        if kind not in self.logins:
            self.logins[kind] = self.stack.enter_context(started(kind, self.folder / kind, *_patient()))
        return self.logins[kind]


def _patient() -> list[str]:
    """It has to bear whoever can't get in, test after test."""
    said = subprocess.run([SSHD or "true", "-V"], capture_output=True, text=True).stderr
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", said)
    punishes = found is not None and (int(found[1]), int(found[2])) >= (9, 8)
    return ["MaxStartups 200:30:400", *(["PerSourcePenalties no"] if punishes else [])]
