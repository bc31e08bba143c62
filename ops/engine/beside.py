"""What is done in the folder aside, by the database's own machine.

On this machine it is called. Behind SSH any Python since 3.8 there is given this file as it is, and behind it a
request: so nothing of ours, and nothing that came later, may be used here.

The folder carries a mark before anything is in it, and loses it last; what has no mark is never touched. Only one run
at a time works there: it holds a lock that ends with its process. So what a killed run left, processes included, is
known and ended by the next one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import re
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MARKER = "generalprobe.json"
CONF = "# Of a copy that was restored aside; what holds stands on the server's command line.\n"
# Seconds: in which a server that is told to stop at once has to be gone; without a sign of life, until a lock is free.
PATIENCE, SILENCE = 60, 120
# The locks of this process, by path; they end with it.
_held: dict[str, int] = {}


class Stopped(Exception):  # noqa: N818
    """It can't be done. ``kind``: ``refused`` (nothing was touched) or ``failed``; what is wrong; what to type."""

    def __init__(self, kind: str, said: str, hint: str) -> None:
        super().__init__(said)
        self.kind, self.said, self.hint = kind, said, hint


def facts(user: str) -> dict[str, Any]:
    """Who we are, and who the database's user is: numbers, None where there is no such user; where runuser is."""
    try:
        number: int | None = pwd.getpwnam(user).pw_uid
    except KeyError:
        number = None
    # cron's PATH has no place for it.
    found = shutil.which("runuser") or shutil.which("runuser", path="/usr/sbin:/sbin")
    here = shutil.which("runuser") is not None
    return {"we": os.geteuid(), "user": number, "runuser": "runuser" if here else found or "runuser"}


def programs(places: list[str]) -> str:
    """The first of the folders that holds a server's programs; empty where none does."""
    for place in map(Path, places):
        if (place / "pg_ctl").is_file() and (place / "postgres").is_file():
            return str(place)
    return ""


class Folder:
    """The folder of a target.

    Args:
        target: whose; its mark says so.
        folder: the whole path.
        user: to whom it is given; empty where we are that user.
    """

    def __init__(self, target: str, folder: str, user: str) -> None:
        self.target, self.user = target, user
        self.folder = Path(folder)
        self.data, self.marker = self.folder / "data", self.folder / MARKER

    def room(self, live: list[str]) -> dict[str, Any]:
        """Where there is how much room, in bytes; changes nothing.

        Args:
            live: folders of the live server.

        Raises:
            Stopped: the folder is not ours, or too near to a live server's files.
        """
        self.must_be_ours()
        self._apart(live)
        above = self.folder.parent.parent
        if not above.is_dir():
            raise Stopped("refused", f"there is no folder {above}", "pgbackrest: {aside: a folder in one that is}")
        place = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        # What a killed run left goes first.
        return {"place": str(place), "free": shutil.disk_usage(place).free + _used(self.folder)}

    def must_be_ours(self) -> None:
        """Refuse a folder that has no mark of ours, unless it is empty or not there."""
        if self.folder.is_symlink():
            raise Stopped("refused", f"{self.folder} is a link", "pgbackrest: {aside: a folder of its own}")
        with contextlib.suppress(FileNotFoundError):
            inside = [path.name for path in self.folder.iterdir()]
            # A mark that was being written when its run was killed has another name yet.
            if all(name.startswith(f".{MARKER}.") for name in inside):
                return
            if self._mark().get("aside_of") != self.target:
                said = f"{self.folder} is not empty, and has no mark of ours for {self.target}: it is not touched"
                raise Stopped("refused", said, f"ls -la {self.folder}   and move it away")

    def _mark(self) -> dict[str, str]:
        try:
            return {str(key): str(value) for key, value in json.loads(self.marker.read_text(encoding="utf-8")).items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def of(self, run: str) -> dict[str, bool]:
        """Whether it is there, and whether what is there, if anything, is this run's."""
        there = self.folder.exists()
        return {"there": there, "ours": not there or self._mark().get("run", run) == run}

    def _apart(self, live: list[str]) -> None:
        here, hint = self.folder.resolve(), "pgbackrest: {aside: a folder outside of it}"
        for path in (*here.parents, here):
            if (path / "PG_VERSION").exists():
                raise Stopped("refused", f"{self.folder} is in the data folder of a server: {path}", hint)
        for one in live:
            there = Path(one).resolve()
            if here == there or here in there.parents or there in here.parents:
                raise Stopped("refused", f"{self.folder} and the live server's {one} are in each other", hint)

    def make(self, run: str, backup: str) -> None:
        """Make the folder anew for a run, with its mark; what a killed run left is cleared first."""
        self.clear()
        self._folder(self.folder)
        self._write(self.marker, json.dumps({"aside_of": self.target, "run": run, "backup": backup}))
        for name in ("data", "tablespaces", "s"):
            self._folder(self.folder / name)
        for name, text in (("postgresql.conf", CONF), ("hba.conf", "local all all trust\n"), ("ident.conf", "")):
            self._write(self.folder / name, text)

    def _folder(self, path: Path) -> None:
        if not path.exists():
            path.mkdir(mode=0o700)
            self._own(path)

    def _write(self, path: Path, text: str) -> None:
        part = path.with_name(f".{path.name}.{os.getpid()}")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        self._own(part)
        part.replace(path)

    def _own(self, path: Path) -> None:
        if self.user:
            about = pwd.getpwnam(self.user)
            os.chown(path, about.pw_uid, about.pw_gid)

    def major(self) -> str:
        """The major version of what was restored."""
        return (self.data / "PG_VERSION").read_text().strip()

    def ready(self) -> dict[str, Any]:
        """Wait until the server has recovered: whether it has, or else what it said last. pg_ctl is content when it
        begins to."""
        while any(True for _ in self._serving()):
            with contextlib.suppress(OSError, IndexError):
                if (self.data / "postmaster.pid").read_text().split("\n")[7].strip() == "ready":
                    return {"ready": True, "said": ""}
            time.sleep(0.05)
        return {"ready": False, "said": self._log()}

    def _log(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self.folder / "server.log").read_text(encoding="utf-8", errors="replace").splitlines()
            bad = [line for line in lines if re.search(r"\b(FATAL|PANIC|ERROR)\b", line)]
            return (bad or [""])[-1]
        return ""

    def clear(self) -> str:
        """End what runs here and remove the folder; the mark goes last.

        Raises:
            Stopped: it is not ours, or what runs here does not end.
        """
        self.must_be_ours()
        if not self.folder.exists():
            return f"{self.folder} is not there"
        self._end()
        for path in sorted(self.folder.iterdir(), key=lambda one: one.name == MARKER):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        self.folder.rmdir()
        return f"{self.folder} is gone"

    def _end(self) -> None:
        deadline, signals = time.monotonic() + PATIENCE, iter((signal.SIGTERM, signal.SIGTERM))
        while True:
            left = [*self._restoring(), *self._serving()]
            if not left:
                return
            number = next(signals, None)
            for pid, kind in left if number else ():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGQUIT if kind == "server" else signal.SIGTERM)
            if time.monotonic() > deadline:
                pids = ", ".join(str(pid) for pid, _ in left)
                raise Stopped("failed", f"what runs in {self.folder} does not end: {pids}", f"ps {pids}")
            time.sleep(0.1)

    def _restoring(self) -> Iterator[tuple[int, str]]:
        """pgBackRest's processes that restore into this folder, by the words of their call, which nobody else has."""
        ours = f"--pg1-path={self.data}".encode()
        # Not "[0-9]*/cmdline": that raises where a process ends while it is looked for.
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if ours in (path / "cmdline").read_bytes().split(b"\0"):
                    yield int(path.name), "restore"

    def _serving(self) -> Iterator[tuple[int, str]]:
        """The server of this folder. A number in a file may be another process's by now; where it works tells."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.data / "postmaster.pid").read_text().split("\n")[0])
            if Path(f"/proc/{pid}/cwd").resolve(strict=True) == self.data.resolve():
                yield pid, "server"

    def hold(self, patience: float) -> None:
        """Keep every other run away until this process ends.

        Args:
            patience: seconds in which a process that ends may still have it.

        Raises:
            Stopped: another one is at work here.
        """
        path = str(self.folder.parent / f".{self.folder.name}.lock")
        if path in _held:
            return
        self._folder(self.folder.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._own(Path(path))
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(handle)
                    said = f"another run is restoring into {self.folder}"
                    raise Stopped("refused", said, f"inv status --target={self.target}") from None
                time.sleep(0.1)
        _held[path] = handle


def release() -> None:
    """Let go of every lock that this process holds here."""
    while _held:
        os.close(_held.popitem()[1])


def _used(folder: Path) -> int:
    """Bytes of what is there; what vanishes meanwhile does not count."""
    total = 0
    for path in folder.rglob("*") if folder.exists() else ():
        with contextlib.suppress(OSError):
            total += path.lstat().st_blocks * 512
    return total


def do(request: dict[str, Any]) -> Any:
    """Do what is asked for: ``do`` names a function of above, ``of`` says which folder, ``with`` holds its arguments.

    Raises:
        Stopped: see there.
    """
    if request["of"] is None:
        work: Any = {"facts": facts, "programs": programs}[request["do"]]
        return work(**request["with"])
    return getattr(Folder(**request["of"]), request["do"])(**request["with"])


def main() -> None:
    """Behind SSH: answers the request on standard input by a line; one that holds a lock stays until that ends."""
    request = json.loads(sys.stdin.readline())
    try:
        answer = {"done": do(request)}
    except Stopped as stopped:
        answer = {"stopped": [stopped.kind, stopped.said, stopped.hint]}
    except OSError as error:
        answer = {"error": [error.errno, error.strerror, error.filename]}
    print(json.dumps(answer), flush=True)
    if request["do"] == "hold" and "done" in answer:
        while select.select([0], [], [], SILENCE)[0] and os.read(0, 64):
            pass
