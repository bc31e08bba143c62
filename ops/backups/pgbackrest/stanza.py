"""A target's stanza, asked on its database's machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.backups.pgbackrest import pgbackrest_cli
from ops.backups.pgbackrest.host import HERE, Machine
from ops.backups.pgbackrest.pgbackrest_cli import SINCE, WELL, Kept, Stanza, trouble
from ops.core.errors import Refused, StepFailed, Unreachable, UsageError
from ops.engine.command import Completed
from ops.engine.inputs import PgBackRestInputs
from ops.infra.session.derived_targets import folder_of
from ops.infra.session.session import Session
from ops.inventory.locate import where
from ops.inventory.pgbackrest import PGBACKREST, PgBackRest
from ops.inventory.targets import Target

# Where Debian, Red Hat and others put a server's programs.
PLACES = ("/usr/lib/postgresql/{}/bin", "/usr/pgsql-{}/bin", "/usr/local/pgsql/bin")

# What names no backup in particular: the newest is meant.
NEWEST = ("", "latest", "unproved")


def as_user(where: str, user: str, facts: Mapping[str, Any], machine: str = HERE) -> tuple[str, ...]:
    """The words before a command that make it run as that user; none where we are that user.

    Args:
        where: file, line and target, for the error.
        user: the database's user of the operating system.
        facts: of its machine, see ``OnStanza``.
        machine: how that is called.

    Raises:
        UsageError: there is no such user, or we may not.
    """
    if facts["user"] is None:
        raise UsageError(f"{where}: there is no user {user} on {machine}", "pgbackrest: {user: NAME}")
    if facts["user"] == 0:
        raise UsageError(f"{where}: PostgreSQL does not run as root", "pgbackrest: {user: postgres}")
    if facts["we"] == facts["user"]:
        return ()
    if facts["we"] == 0:
        return (facts["runuser"], "-u", user, "--")
    said = f"{where}: pgBackRest works as {user}, and a copy restored aside is nobody else's to read"
    behind = f"ansible_user: {user}, or root" if machine != HERE else f"run inv as {user}, or as root"
    raise UsageError(said, behind)


def wanted(session: Session, target: str) -> PgBackRest:
    """The inventory's key.

    Raises:
        UsageError: it is not there.
    """
    entry = session.inventory.target(target)
    at = where(session.inventory, entry)
    if entry.pgbackrest is None:
        raise UsageError(f"{at} has no pgbackrest", f"pgbackrest: {PGBACKREST}   (docs/how-to/pgbackrest.md)")
    return entry.pgbackrest


def inputs_of(entry: Target, key: PgBackRest, prefix: tuple[str, ...]) -> PgBackRestInputs:
    """The key as a plan knows it."""
    return PgBackRestInputs(
        stanza=key.stanza,
        config=key.config or "",
        kind=key.kind,
        folder=folder_of(entry),
        user=key.user,
        as_user=prefix,
    )


class OnStanza:
    """Asks pgBackRest about a target.

    Args:
        session: the connections.
        target: the target's name.

    Raises:
        UsageError: the inventory has no stanza, or we may not ask.
    """

    def __init__(self, session: Session, target: str) -> None:
        self.session, self.target = session, target
        entry, self.key = session.inventory.target(target), wanted(session, target)
        self.where = where(session.inventory, entry)
        self.machine = Machine(session, target, self.where)
        self.called = self.machine.name
        self.given = inputs_of(entry, self.key, as_user(self.where, self.key.user, self._facts(), self.called))

    def _facts(self) -> Mapping[str, Any]:
        """Return who we are and who the user is there (numbers; None where there is no such user), and runuser's name.

        Asked once as long as nothing can have changed: the machine can be far away.
        """
        known = self.session.looked_up(self.target, "pgbackrest")
        if "facts" not in known:
            we, user, *program = self.machine.script("facts", "", "", self.key.user)
            known["facts"] = {
                "we": int(we),
                "user": None if user == "none" else int(user),
                "runuser": program[0] if program else "runuser",
            }
        found: Mapping[str, Any] = known["facts"]
        return found

    def programs(self, major: str) -> str:
        """The folder with the programs of a server, by its major version, on its machine.

        Raises:
            UsageError: they are nowhere.
        """
        places = [self.key.bin] if self.key.bin else [place.format(major) for place in PLACES]
        if found := self.machine.script("programs", "", "", *places):
            return found[0]
        said = f"{self.where}: the programs of a PostgreSQL {major} server are not in {' or '.join(places)}"
        more = "" if self.called == HERE else f" on {self.called}"
        hint = f"pgbackrest: {{bin: FOLDER}}   or   apt-get install postgresql-{major}"
        raise UsageError(said + more, hint + (more and f"   {more.strip()}"))

    def still(self, stanza: str, folder: str) -> None:
        """Refuse where the inventory says another stanza or folder by now than a run was planned with."""
        now = (self.given.stanza, self.given.folder)
        if (stanza or now[0], folder or now[1]) != now:
            said = f"the run was planned with {stanza}, {folder}; the inventory has {', '.join(now)} now"
            raise Refused(f"{self.where}: {said}", "inv undo, with the inventory as it was")

    def run(self, words: tuple[str, ...]) -> Completed:
        """Run words on its machine, with nothing of our environment but PATH and pgBackRest's own variables."""
        return self.machine.run(words)

    def info(self) -> Stanza:
        """What it says of the stanza.

        Raises:
            UsageError: it is not installed, or too old.
            Unreachable: it ends with an error.
        """
        done = self.run(pgbackrest_cli.words(self.given, "--output=json", "info"))
        if done.exit:
            self.version()
            raise Unreachable(f"{self.target}: pgBackRest reports an error: {self.said(done)[1]}", self.hint("info"))
        try:
            return pgbackrest_cli.read_info(done.out, self.key.stanza)
        except ValueError as error:
            raise Unreachable(f"{self.target}: pgBackRest: {error}", self.hint("info")) from None

    def version(self) -> tuple[int, ...]:
        """Its version.

        Raises:
            UsageError: it is not there, or has no annotations yet.
        """
        done = self.run((*self.given.as_user, pgbackrest_cli.PROGRAM, "version"))
        found = pgbackrest_cli.version(done.out)
        if done.exit or not found:
            hint = "apt-get install pgbackrest   (docs/how-to/pgbackrest.md)"
            raise UsageError(f"{self.where}: pgbackrest does not run on {self.called}: {self.said(done)[1]}", hint)
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
            hint = f"{self.hint('stanza-create')}   or   pgbackrest: {{stanza: NAME}} (docs/how-to/pgbackrest.md)"
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
        return " ".join(pgbackrest_cli.words(self.given, command))

    def said(self, done: Completed) -> tuple[str, str]:
        """The number and the sentence of its error."""
        return trouble(self.session.redact(f"{done.out}\n{done.err}"))
