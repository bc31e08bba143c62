"""A folder and a server of our own on the database's machine, in which one of pgBackRest's backups is restored to be
looked at. `inv resume` or `inv undo` ends what a killed run left there, and so does the next run."""

from __future__ import annotations

import re
import time

from ops.backup import amount
from ops.engine.pgbackrest import DAMAGED, Kept, restore_words
from ops.engine.place import start_words
from ops.engine.stanza import OnStanza
from ops.errors import Refused, StepFailed

# Over the cluster's size: what it writes until it is consistent, and its own files.
ROOM, MORE = 1.05, 256_000_000
# What a server says where the backup, or the archive, does not hold what recovery needs.
LACKING = r"WAL ends before|could not locate|invalid checkpoint|could not find .*WAL|before end of .*backup|PANIC"


class Aside:
    """The folder of a target.

    Args:
        on: the target's stanza.

    Its methods raise ``OpsError`` for what ``ops.engine.beside`` says.
    """

    def __init__(self, on: OnStanza) -> None:
        self.on, self.target, self.folder = on, on.target, on.given.folder
        owner = on.given.user if on.given.as_user else ""
        self._of = {"target": on.target, "folder": on.given.folder, "user": owner}

    def check(self, need: int, live: list[str]) -> str:
        """Say whether a backup can be restored here; changes nothing.

        Args:
            need: bytes of the cluster.
            live: folders of the live server.

        Raises:
            Refused: it is not ours, too near to a live server's files, or there is no room.
        """
        found = self.on.machine.do("room", self._of, live=live)
        free, wanted = int(found["free"]), int(need * ROOM) + MORE
        said = f"{amount(free)} free in {found['place']}, {amount(wanted)} needed to restore {amount(need)}"
        if free < wanted:
            hint = "make room there, or pgbackrest: {aside: a folder with more}; and then the same again, or inv resume"
            raise Refused(f"{self.target}: {said}", hint)
        return said

    def must_be_ours(self) -> None:
        """Refuse a folder that has no mark of ours, unless it is empty or not there."""
        self.on.machine.do("must_be_ours", self._of)

    def of(self, run: str) -> bool:
        """Whether what is there, if anything, is this run's."""
        return bool(self.on.machine.do("of", self._of, run=run)["ours"])

    def is_gone(self) -> bool:
        """Whether nothing is left."""
        return not self.on.machine.do("of", self._of, run="")["there"]

    def hold(self) -> None:
        """Keep every other run away until this process ends."""
        self.on.machine.hold(self._of)

    def clear(self) -> str:
        """End what runs here and remove the folder; the mark goes last."""
        return str(self.on.machine.do("clear", self._of))

    def restore(self, kept: Kept, run: str, backup: str) -> str:
        """Restore a backup and start its server; what a killed run left is cleared first.

        Raises:
            StepFailed: it can't be restored, or does not come up.
        """
        self.hold()
        self.on.machine.do("make", self._of, run=run, backup=backup)
        started = time.monotonic()
        done = self.on.run(restore_words(self.on.given, kept.label, self.folder))
        if done.exit:
            number, said = self.on.said(done)
            what = "is damaged" if number in DAMAGED else "was not restored"
            raise StepFailed(f"{self.target}: pgBackRest's {kept.label} {what}: {said}", self.on.hint("verify"))
        restored = time.monotonic() - started
        self._start(kept)
        whole = time.monotonic() - started
        return f"{kept.label}: {kept.size / 1e6:,.1f} MB restored in {restored:,.1f} s, consistent after {whole:,.1f} s"

    def _start(self, kept: Kept) -> None:
        programs = self.on.programs(self.on.machine.do("major", self._of))
        done = self.on.run((*self.on.given.as_user, *start_words(self.folder, programs)))
        found = self.on.machine.do("ready", self._of)
        if done.exit or not found["ready"]:
            said = found["said"] or self.on.said(done)[1]
            what = "is damaged: restored, it does not" if re.search(LACKING, said) else "does not"
            raise StepFailed(f"{self.target}: pgBackRest's {kept.label} {what} come up: {said}", "inv resume")
