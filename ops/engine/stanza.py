"""A target's stanza, asked on this machine."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from ops.engine import pgbackrest
from ops.engine.pgbackrest import SINCE, WELL, Kept, Stanza, trouble
from ops.engine.place import folder_of
from ops.engine.wanted import PGBACKREST, PgBackRest
from ops.errors import Refused, StepFailed, Unreachable, UsageError
from ops.inputs import PhysicalInputs
from ops.inventory import Target
from ops.transport import Completed
from ops.world import World


def as_user(where: str, user: str) -> tuple[str, ...]:
    """The words before a command that make it run as that user; none where we are that user.

    Raises:
        UsageError: there is no such user, or we may not.
    """
    try:
        wanted = pwd.getpwnam(user)
    except KeyError:
        raise UsageError(f"{where}: there is no user {user} on this machine", "pgbackrest: {user: NAME}") from None
    if wanted.pw_uid == 0:
        raise UsageError(f"{where}: PostgreSQL does not run as root", "pgbackrest: {user: postgres}")
    if os.geteuid() == wanted.pw_uid:
        return ()
    if os.geteuid() == 0:
        # cron's PATH has no place for it.
        elsewhere = None if shutil.which("runuser") else shutil.which("runuser", path="/usr/sbin:/sbin")
        return (elsewhere or "runuser", "-u", user, "--")
    said = f"{where}: pgBackRest works as {user}, and a copy restored aside is nobody else's to read"
    raise UsageError(said, f"run inv as {user}, or as root")


def wanted(world: World, target: str) -> PgBackRest:
    """The inventory's key.

    Raises:
        UsageError: it is not there, or its database is on another machine.
    """
    entry = world.inventory.target(target)
    where = f"{world.inventory.file.name}:{entry.line}: {target}"
    if entry.pgbackrest is None:
        raise UsageError(f"{where} has no pgbackrest", f"pgbackrest: {PGBACKREST}   (docs/pgbackrest.md)")
    if entry.connection.kind == "ssh":
        said = f"{where} is behind SSH, and pgBackRest is driven on the database's own machine only"
        raise UsageError(said, "run inv there, with ansible_connection: local   (docs/pgbackrest.md)")
    return entry.pgbackrest


def inputs_of(entry: Target, key: PgBackRest, prefix: tuple[str, ...], programs: str = "") -> PhysicalInputs:
    """The key as a plan knows it."""
    return PhysicalInputs(
        stanza=key.stanza,
        config=key.config or "",
        kind=key.kind,
        folder=folder_of(entry),
        user=key.user,
        as_user=prefix,
        bin=programs,
    )


class OnStanza:
    """Asks pgBackRest about a target.

    Args:
        world: the connections.
        target: the target's name.

    Raises:
        UsageError: the inventory has no stanza, or we may not ask.
    """

    def __init__(self, world: World, target: str) -> None:
        self.world, self.target = world, target
        entry, self.key = world.inventory.target(target), wanted(world, target)
        self.where = f"{world.inventory.file.name}:{entry.line}: {target}"
        self.given = inputs_of(entry, self.key, as_user(self.where, self.key.user))

    def still(self, stanza: str, folder: str) -> None:
        """Refuse where the inventory says another stanza or folder by now than a run was planned with."""
        now = (self.given.stanza, self.given.folder)
        if (stanza or now[0], folder or now[1]) != now:
            said = f"the run was planned with {stanza}, {folder}; the inventory has {', '.join(now)} now"
            raise Refused(f"{self.where}: {said}", "inv undo, with the inventory as it was")

    def run(self, words: tuple[str, ...]) -> Completed:
        """Run words with nothing of our environment but what pgBackRest's own variables and PATH are."""
        environ = self.world.environ
        env = {name: value for name, value in environ.items() if name.startswith("PGBACKREST_")}
        env |= {"PATH": environ.get("PATH", os.defpath), "LC_ALL": "C"}
        return self.world.local.run(words, folder=Path("/"), env=env)

    def info(self) -> Stanza:
        """What it says of the stanza.

        Raises:
            UsageError: it is not installed, or too old.
            Unreachable: it does not answer.
        """
        done = self.run(pgbackrest.words(self.given, "--output=json", "info"))
        if done.exit:
            self.version()
            raise Unreachable(f"{self.target}: pgBackRest does not answer: {self.said(done)[1]}", self.hint("info"))
        try:
            return pgbackrest.read_info(done.out, self.key.stanza)
        except ValueError as error:
            raise Unreachable(f"{self.target}: pgBackRest: {error}", self.hint("info")) from None

    def version(self) -> tuple[int, ...]:
        """Its version.

        Raises:
            UsageError: it is not there, or has no annotations yet.
        """
        done = self.run((*self.given.as_user, pgbackrest.PROGRAM, "version"))
        found = pgbackrest.version(done.out)
        if done.exit or not found:
            hint = "apt-get install pgbackrest   (docs/pgbackrest.md)"
            raise UsageError(f"{self.where}: pgbackrest does not run here: {self.said(done)[1]}", hint)
        if found < SINCE:
            said = ".".join(map(str, found))
            raise UsageError(f"{self.where}: pgBackRest {said} has no annotations", "pgBackRest 2.41 or newer")
        return found

    def must_be_well(self, system: str) -> Stanza:
        """The stanza, where it is ready for a backup of a cluster.

        Raises:
            Refused: it is not there, not well, or another cluster's.
        """
        self.version()
        found = self.info()
        if found.code not in WELL:
            said = f"{self.where}: pgBackRest says of stanza {found.name}: {found.message}"
            hint = f"{self.hint('stanza-create')}   or   pgbackrest: {{stanza: NAME}} (docs/pgbackrest.md)"
            raise Refused(said, hint)
        if found.system != system:
            said = f"stanza {found.name} is of another server ({found.system}) than {self.target}'s ({system})"
            raise Refused(f"{self.where}: {said}", "pgbackrest: {stanza: NAME} of this server")
        return found

    def must_have(self, backup: str, label: str = "") -> Kept:
        """The backup that carries the id of ours.

        Args:
            label: the one that the manifest names, where there is one.

        Raises:
            StepFailed: it is not listed, or not whole.
        """
        found = self.info()
        one = found.named(backup)
        if one is None or (label and one.label != label):
            broken = [kept.label for kept in found.backups if kept.backup == backup and kept.broken]
            why = f"; it found errors in {broken[-1]}" if broken else ""
            gone = f"{label} is gone from pgBackRest" if label else f"pgBackRest lists no whole backup {backup}"
            raise StepFailed(f"{self.target}: {gone}, stanza {found.name}{why}", f"inv backups --target={self.target}")
        return one

    def hint(self, command: str) -> str:
        """What a person types to ask pgBackRest itself."""
        return " ".join(pgbackrest.words(self.given, command))

    def said(self, done: Completed) -> tuple[str, str]:
        """The number and the sentence of its error."""
        return trouble(self.world.redact(f"{done.out}\n{done.err}"))
