"""A folder and a server of our own on the database's machine, in which one of pgBackRest's backups is restored to be
looked at. `inv resume` or `inv undo` ends what a killed run left there, and so does the next run."""

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
# Over the cluster's size: what it writes until it is consistent, and its own files.
ROOM, MORE = 1.05, 256_000_000
# What a server says where the backup, or the archive, does not hold what recovery needs.
LACKING = r"WAL ends before|could not locate|invalid checkpoint|could not find .*WAL|before end of .*backup|PANIC"


class Aside:
    """The folder of a target. It carries a mark before anything is in it, and loses it last.

    What has no mark is never touched. One run at a time works there, under a lock that ends with its process; so what
    a killed run left, processes included, is known and ended by the next one.

    Args:
        on: the target's stanza.
    """

    def __init__(self, on: OnStanza) -> None:
        self.on, self.target, self.folder = on, on.target, on.given.folder
        self._owner = on.given.user if on.given.as_user else ""

    def _do(self, action: str, *given: str) -> list[str]:
        return self.on.machine.script(action, self.folder, self._owner, *given)

    def check(self, need: int, live: list[str]) -> str:
        """Say whether a backup can be restored here; changes nothing.

        Args:
            need: bytes of the cluster.
            live: folders of the live server.

        Raises:
            Refused: it is not ours, too near to a live server's files, or there is no room.
        """
        self.must_be_ours()
        place, real, free_kb, used_kb, server, *others = self._do("room", *live)
        self._must_be_apart(real, server, zip(live, others, strict=True))
        above = PurePosixPath(self.folder).parent.parent
        if not PurePosixPath(place).is_relative_to(above):
            raise self._refused(f"there is no folder {above}", "pgbackrest: {aside: a folder in one that is}")
        # What a killed run left goes first.
        free, wanted = (int(free_kb) + int(used_kb)) * 1024, int(need * ROOM) + MORE
        said = f"{amount(free)} free in {place}, {amount(wanted)} needed to restore {amount(need)}"
        if free < wanted:
            hint = "make room there, or pgbackrest: {aside: a folder with more}; and then the same again, or inv resume"
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
                raise self._refused(f"{self.folder} and the live server's {name} are in each other", hint)

    def _refused(self, said: str, hint: str) -> Refused:
        return Refused(f"{self.on.where}: {said}", hint)

    def _look(self) -> tuple[str, dict[str, str], list[str]]:
        """Return what the folder is, its mark (empty where it has none), and the names in it."""
        kind, *rest = self._do("look")
        mark, *names = rest or [""]
        try:
            return kind, {str(key): str(value) for key, value in json.loads(mark).items()}, names
        except (ValueError, AttributeError):
            return kind, {}, names

    def must_be_ours(self) -> None:
        """Refuse a folder that has no mark of ours, unless it is empty or not there."""
        kind, mark, names = self._look()
        if kind == "link":
            raise self._refused(f"{self.folder} is a link", "pgbackrest: {aside: a folder of its own}")
        # A mark that was being written when its run was killed has another name yet.
        empty = kind in ("folder", "nothing") and all(name.startswith(f".{MARKER}.") for name in names)
        if not empty and mark.get("aside_of") != self.target:
            said = f"{self.folder} is not empty, and has no mark of ours for {self.target}: it is not touched"
            raise self._refused(said, f"ls -la {self.folder}   and move it away")

    def of(self, run: str) -> bool:
        """Return True if what is there, if anything, is this run's."""
        return self._look()[1].get("run", run) == run

    def is_gone(self) -> bool:
        """Return True if nothing is left."""
        return self._look()[0] == "nothing"

    def hold(self) -> None:
        """Keep every other run away until this process ends."""
        self.on.machine.hold(self.folder, self._owner, self.target)

    def clear(self) -> str:
        """End what runs here and remove the folder; the mark goes last."""
        self.must_be_ours()
        if self.is_gone():
            return f"{self.folder} is not there"
        self._do("clear")
        return f"{self.folder} is gone"

    def restore(self, kept: Kept, run: str, backup: str) -> str:
        """Restore a backup and start its server; what a killed run left is cleared first.

        Raises:
            StepFailed: it can't be restored, or does not come up.
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
            what = "is damaged: restored, it does not" if bad else "does not"
            said = f"{self.target}: pgBackRest's {kept.label} {what} come up: {said}"
            raise StepFailed(said, "inv resume", code=Code.BAD_BACKUP if bad else Code.NONE)
