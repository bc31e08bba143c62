"""Restore a backup of pgBackRest aside: into a separate folder and server on the database's machine.

`inv resume`, `inv undo` and the next run remove what a killed run left there."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from pathlib import PurePosixPath

from ops.backups.pgbackrest.pgbackrest_cli import DAMAGED, Kept, restore_words
from ops.backups.pgbackrest.scratch_server import start_words
from ops.backups.pgbackrest.stanza import OnStanza
from ops.core.errors import Code, Refused, StepFailed
from ops.core.text import amount, megabytes

MARKER = "generalprobe.json"
# Additional disk space: WAL until the first consistent state, and the server's own files.
ROOM, MORE = 1.05, 256_000_000
# Messages of a server whose backup or archive lacks what recovery needs.
LACKING = r"WAL ends before|could not locate|invalid checkpoint|could not find .*WAL|before end of .*backup|PANIC"


class Aside:
    """The folder aside of a target. It gets a mark first and loses the mark last.

    A folder without a mark is never changed. A lock admits one run at a time and is released with its process. So
    the next run finds and ends what a killed run left, processes included.

    Args:
        on: the target's stanza.
    """

    def __init__(self, on: OnStanza) -> None:
        self.on, self.target, self.folder = on, on.target, on.given.folder
        self._owner = on.given.user if on.given.as_user else ""

    def _do(self, action: str, *given: str) -> list[str]:
        return self.on.machine.script(action, self.folder, self._owner, *given)

    def check(self, need: int, live: list[str]) -> str:
        """Check that a backup can be restored here, without changing anything.

        Args:
            need: bytes of the cluster.
            live: folders of the live server.

        Raises:
            Refused: the folder belongs to somebody else or overlaps a live server's files, or disk space is missing.
        """
        self.must_be_ours()
        place, real, free_kb, used_kb, server, *others = self._do("room", *live)
        self._must_be_apart(real, server, zip(live, others, strict=True))
        above = PurePosixPath(self.folder).parent.parent
        if not PurePosixPath(place).is_relative_to(above):
            raise self._refused(f"there is no folder {above}", "pgbackrest: {aside: a folder in an existing folder}")
        # The remains of a killed run are removed first.
        free, wanted = (int(free_kb) + int(used_kb)) * 1024, int(need * ROOM) + MORE
        said = f"{amount(free)} free in {place}, {amount(wanted)} needed to restore {amount(need)}"
        if free < wanted:
            hint = "free disk space there, or pgbackrest: {aside: another folder}; then repeat it, or inv resume"
            raise Refused(f"{self.target}: {said}", hint)
        return said

    def _must_be_apart(self, real: str, server: str, live: Iterable[tuple[str, str]]) -> None:
        hint = "pgbackrest: {aside: a folder outside of it}"
        if server:
            raise self._refused(f"{self.folder} is in the data folder of a server: {server}", hint)
        here = PurePosixPath(real)
        for name, resolved in live:
            there = PurePosixPath(resolved)
            if here.is_relative_to(there) or there.is_relative_to(here):
                raise self._refused(f"{self.folder} and the live server's {name} contain each other", hint)

    def _refused(self, said: str, hint: str) -> Refused:
        return Refused(f"{self.on.where}: {said}", hint)

    def _look(self) -> tuple[str, dict[str, str], list[str]]:
        """Return the kind of the folder, its mark (empty if there is none), and the names in it."""
        kind, *rest = self._do("look")
        mark, *names = rest or [""]
        try:
            return kind, {str(key): str(value) for key, value in json.loads(mark).items()}, names
        except (ValueError, AttributeError):
            return kind, {}, names

    def must_be_ours(self) -> None:
        """Refuse a folder without the tool's mark, unless it is empty or missing."""
        kind, mark, names = self._look()
        if kind == "link":
            raise self._refused(f"{self.folder} is a link", "pgbackrest: {aside: a separate folder}")
        # A run that was killed while it wrote the mark leaves the mark under a temporary name.
        empty = kind in ("folder", "nothing") and all(name.startswith(f".{MARKER}.") for name in names)
        if not empty and mark.get("aside_of") != self.target:
            said = f"{self.folder} is not empty, and has no mark of the tool for {self.target}; nothing was changed"
            raise self._refused(said, f"ls -la {self.folder}   and move it away")

    def of(self, run: str) -> bool:
        """Return True if the folder belongs to this run or does not exist."""
        return self._look()[1].get("run", run) == run

    def is_gone(self) -> bool:
        """Return True if the folder does not exist."""
        return self._look()[0] == "nothing"

    def hold(self) -> None:
        """Lock the folder against every other run until this process ends."""
        self.on.machine.hold(self.folder, self._owner, self.target)

    def clear(self) -> str:
        """Stop the restored server and remove the folder; the mark is removed last."""
        self.must_be_ours()
        if self.is_gone():
            return f"{self.folder} does not exist"
        self._do("clear")
        return f"{self.folder} was removed"

    def restore(self, kept: Kept, run: str, backup: str) -> str:
        """Restore a backup and start its server, after removing what a killed run left.

        Raises:
            StepFailed: the backup cannot be restored, or its server does not start.
        """
        self.hold()
        self.clear()
        self._do("make", json.dumps({"aside_of": self.target, "run": run, "backup": backup}))
        started = time.monotonic()
        done = self.on.run(restore_words(self.on.given, kept.label, self.folder))
        if done.exit:
            number, said = self.on.said(done)
            what, code = ("is damaged", Code.BAD_BACKUP) if number in DAMAGED else ("was not restored", Code.NONE)
            said = f"{self.target}: pgBackRest's {kept.label} {what}: {said}"
            raise StepFailed(said, self.on.hint("verify"), code=code)
        restored = time.monotonic() - started
        self._start(kept)
        whole = time.monotonic() - started
        return f"{kept.label}: {megabytes(kept.size)} restored in {restored:,.1f} s, consistent after {whole:,.1f} s"

    def _start(self, kept: Kept) -> None:
        programs = self.on.programs(self._do("major")[0])
        done = self.on.run((*self.on.given.as_user, *start_words(self.folder, programs)))
        ready, *last = self._do("ready")
        if done.exit or ready != "ready":
            said = last[0] if last else self.on.said(done)[1]
            bad = bool(re.search(LACKING, said))
            what = "is damaged: its server does not start" if bad else "was restored, and its server does not start"
            said = f"{self.target}: pgBackRest's {kept.label} {what}: {said}"
            raise StepFailed(said, "inv resume", code=Code.BAD_BACKUP if bad else Code.NONE)
