"""A folder and a server of our own, in which one of pgBackRest's backups is restored to be looked at.

The folder carries a mark before anything is in it, and loses it last; what has no mark is never touched. Only one run
at a time works there: it holds a lock that ends with its process. So what a killed run left, processes included, is
known and ended by the next one, by `inv resume` or by `inv undo`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from ops.backup import amount
from ops.command import quote
from ops.engine.pgbackrest import DAMAGED, Kept, restore_words
from ops.engine.place import MARKER, start_words
from ops.engine.programs import programs_of
from ops.engine.stanza import OnStanza
from ops.errors import OpsError, Refused, StepFailed
from ops.files import write_whole

# Over the cluster's size: what it writes until it is consistent, and its own files.
ROOM, MORE = 1.05, 256_000_000
# Seconds in which a server that is told to stop at once has to be gone.
PATIENCE = 60
# What a server says where the backup, or the archive, does not hold what recovery needs.
LACKING = r"WAL ends before|could not locate|invalid checkpoint|could not find .*WAL|before end of .*backup|PANIC"
CONF = "# Of a copy that was restored aside; what holds stands on the server's command line.\n"
# The locks of this process, by path; they end with it.
_held: dict[str, int] = {}


class Aside:
    """The folder of a target.

    Args:
        on: the target's stanza.
    """

    def __init__(self, on: OnStanza) -> None:
        self.on, self.target = on, on.target
        self.folder = Path(on.given.folder)
        self.data, self.marker = self.folder / "data", self.folder / MARKER

    def check(self, need: int, live: list[str]) -> str:
        """Say whether a backup can be restored here; changes nothing.

        Args:
            need: bytes of the cluster.
            live: folders of the live server.

        Raises:
            Refused: it is not ours, too near to a live server's files, or there is no room.
        """
        self.must_be_ours()
        self._apart(live)
        above = self.folder.parent.parent
        if not above.is_dir():
            said = f"{self.on.where}: there is no folder {above}"
            raise Refused(said, "pgbackrest: {aside: a folder in one that is}")
        place = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        # What a killed run left goes first.
        free = shutil.disk_usage(place).free + _used(self.folder)
        wanted = int(need * ROOM) + MORE
        said = f"{amount(free)} free in {place}, {amount(wanted)} needed to restore {amount(need)}"
        if free < wanted:
            raise Refused(f"{self.on.where}: {said}", "pgbackrest: {aside: a folder with more room}")
        return said

    def must_be_ours(self) -> None:
        """Refuse a folder that has no mark of ours, unless it is empty or not there."""
        if self.folder.is_symlink():
            raise Refused(f"{self.on.where}: {self.folder} is a link", "pgbackrest: {aside: a folder of its own}")
        with contextlib.suppress(FileNotFoundError):
            inside = [path.name for path in self.folder.iterdir()]
            # A mark that was being written when its run was killed has another name yet.
            if all(name.startswith(f".{MARKER}.") for name in inside):
                return
            if not self._marked():
                said = f"{self.folder} is not empty, and has no mark of ours for {self.target}: it is not touched"
                raise Refused(f"{self.on.where}: {said}", f"ls -la {quote(str(self.folder))}   and move it away")

    def _marked(self) -> bool:
        return self._mark().get("aside_of") == self.target

    def _mark(self) -> dict[str, str]:
        try:
            return {str(key): str(value) for key, value in json.loads(self.marker.read_text(encoding="utf-8")).items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def of(self, run: str) -> bool:
        """Whether what is there, if anything, is this run's."""
        return not self.folder.exists() or self._mark().get("run", run) == run

    def _apart(self, live: list[str]) -> None:
        here = self.folder.resolve()
        for path in (*here.parents, here):
            if (path / "PG_VERSION").exists():
                said = f"{self.folder} is in the data folder of a server: {path}"
                raise Refused(f"{self.on.where}: {said}", "pgbackrest: {aside: a folder outside of it}")
        for one in live:
            there = Path(one).resolve()
            if here == there or here in there.parents or there in here.parents:
                said = f"{self.folder} and the live server's {one} are in each other"
                raise Refused(f"{self.on.where}: {said}", "pgbackrest: {aside: a folder outside of it}")

    def restore(self, kept: Kept, run: str, backup: str) -> str:
        """Restore a backup and start its server; what a killed run left is cleared first.

        Raises:
            StepFailed: it can't be restored, or does not come up.
        """
        self.hold()
        self.clear()
        self._make(run, backup)
        started = time.monotonic()
        done = self.on.run(restore_words(self.on.given, kept.label, str(self.folder)))
        if done.exit:
            number, said = self.on.said(done)
            what = "is damaged" if number in DAMAGED else "was not restored"
            raise StepFailed(f"{self.target}: pgBackRest's {kept.label} {what}: {said}", self.on.hint("verify"))
        restored = time.monotonic() - started
        self._start(kept)
        whole = time.monotonic() - started
        return f"{kept.label}: {kept.size / 1e6:,.1f} MB restored in {restored:,.1f} s, consistent after {whole:,.1f} s"

    def _make(self, run: str, backup: str) -> None:
        self._folder(self.folder)
        told = {"aside_of": self.target, "run": run, "backup": backup}
        self._write(self.marker, json.dumps(told))
        for name in ("data", "tablespaces", "s"):
            self._folder(self.folder / name)
        for name, text in (("postgresql.conf", CONF), ("hba.conf", "local all all trust\n"), ("ident.conf", "")):
            self._write(self.folder / name, text)

    def _folder(self, path: Path) -> None:
        if not path.exists():
            path.mkdir(mode=0o700)
            self._own(path)

    def _write(self, path: Path, text: str) -> None:
        write_whole(path, text)
        self._own(path)

    def _own(self, path: Path) -> None:
        if self.on.given.as_user:
            about = pwd.getpwnam(self.on.given.user)
            os.chown(path, about.pw_uid, about.pw_gid)

    def _start(self, kept: Kept) -> None:
        major = (self.data / "PG_VERSION").read_text().strip()
        programs = programs_of(self.on.where, self.on.given.bin or self.on.key.bin or "", major)
        done = self.on.run((*self.on.given.as_user, *start_words(str(self.folder), programs)))
        if done.exit or not self._is_ready():
            said = self._log() or self.on.said(done)[1]
            what = "is damaged: restored, it does not" if re.search(LACKING, said) else "does not"
            raise StepFailed(f"{self.target}: pgBackRest's {kept.label} {what} come up: {said}", "inv resume")

    def _is_ready(self) -> bool:
        """Wait until the server has recovered; False where it ended before. pg_ctl is content when it begins to."""
        while any(True for _ in self._serving()):
            with contextlib.suppress(OSError, IndexError):
                if (self.data / "postmaster.pid").read_text().split("\n")[7].strip() == "ready":
                    return True
            time.sleep(0.05)
        return False

    def _log(self) -> str:
        """What the server said last of what is wrong."""
        with contextlib.suppress(OSError):
            lines = (self.folder / "server.log").read_text(encoding="utf-8", errors="replace").splitlines()
            bad = [line for line in lines if re.search(r"\b(FATAL|PANIC|ERROR)\b", line)]
            return (bad or [""])[-1]
        return ""

    def clear(self) -> str:
        """End what runs here and remove the folder; the mark goes last.

        Raises:
            Refused: it is not ours.
            OpsError: what runs here does not end.
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

    def is_gone(self) -> bool:
        """Whether nothing is left."""
        return not self.folder.exists()

    def _end(self) -> None:
        deadline, signals = time.monotonic() + PATIENCE, iter((signal.SIGTERM, signal.SIGTERM))
        while left := [*self._restoring(), *self._serving()]:
            if (number := next(signals, None)) is not None:
                for pid, kind in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGQUIT if kind == "server" else number)
            if time.monotonic() > deadline:
                pids = ", ".join(str(pid) for pid, _ in left)
                raise OpsError(f"{self.target}: what runs in {self.folder} does not end: {pids}", f"ps {pids}")
            time.sleep(0.1)

    def _restoring(self) -> Iterator[tuple[int, str]]:
        """pgBackRest's processes that restore into this folder, by the words of their call, which nobody else has."""
        ours = f"--pg1-path={self.data}".encode()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if ours in path.read_bytes().split(b"\0"):
                    yield int(path.parent.name), "restore"

    def _serving(self) -> Iterator[tuple[int, str]]:
        """The server of this folder. A number in a file may be another process's by now; where it works tells."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.data / "postmaster.pid").read_text().split("\n")[0])
            if Path(f"/proc/{pid}/cwd").resolve(strict=True) == self.data.resolve():
                yield pid, "server"

    def hold(self) -> None:
        """Keep every other run away until this process ends.

        Raises:
            Refused: another one is at work here.
        """
        path = str(self.folder.parent / f".{self.folder.name}.lock")
        if path in _held:
            return
        self._folder(self.folder.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            self._own(Path(path))
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            said = f"another run is restoring into {self.folder}"
            raise Refused(f"{self.target}: {said}", f"inv status --target={self.target}") from None
        _held[path] = handle


def _used(folder: Path) -> int:
    """Bytes of what is there; what vanishes meanwhile does not count."""
    total = 0
    for path in folder.rglob("*") if folder.exists() else ():
        with contextlib.suppress(OSError):
            total += path.lstat().st_blocks * 512
    return total
