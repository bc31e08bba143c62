"""Query a target's stanza on its database's machine."""

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

# The folders of a server's programs on Debian, Red Hat and others.
PLACES = ("/usr/lib/postgresql/{}/bin", "/usr/pgsql-{}/bin", "/usr/local/pgsql/bin")

# Requests that mean the newest backup.
NEWEST = ("", "latest", "unproved")


def as_user(where: str, user: str, facts: Mapping[str, Any], machine: str = HERE) -> tuple[str, ...]:
    """Return the words that run a command as a user; empty if we are that user.

    Args:
        where: file, line and target, for the error.
        user: the database's operating system user.
        facts: the users on the machine, see ``OnStanza``.
        machine: the machine's name.

    Raises:
        UsageError: the user does not exist, or we may not become that user.
    """
    if facts["user"] is None:
        raise UsageError(f"{where}: there is no user {user} on {machine}", "pgbackrest: {user: NAME}")
    if facts["user"] == 0:
        raise UsageError(f"{where}: PostgreSQL does not run as root", "pgbackrest: {user: postgres}")
    if facts["we"] == facts["user"]:
        return ()
    if facts["we"] == 0:
        return (facts["runuser"], "-u", user, "--")
    said = f"{where}: pgBackRest runs as {user}, and only {user} may read a copy restored aside"
    behind = f"ansible_user: {user}, or root" if machine != HERE else f"run inv as {user}, or as root"
    raise UsageError(said, behind)


def wanted(session: Session, target: str) -> PgBackRest:
    """Return the inventory's ``pgbackrest`` key.

    Raises:
        UsageError: the key is missing.
    """
    entry = session.inventory.target(target)
    at = where(session.inventory, entry)
    if entry.pgbackrest is None:
        raise UsageError(f"{at} has no pgbackrest", f"pgbackrest: {PGBACKREST}   (docs/how-to/pgbackrest.md)")
    return entry.pgbackrest


def inputs_of(entry: Target, key: PgBackRest, prefix: tuple[str, ...]) -> PgBackRestInputs:
    """Return the key as inputs of a plan."""
    return PgBackRestInputs(
        stanza=key.stanza,
        config=key.config or "",
        kind=key.kind,
        folder=folder_of(entry),
        user=key.user,
        as_user=prefix,
    )


class OnStanza:
    """Query pgBackRest about a target.

    Args:
        session: the connections.
        target: the target's name.

    Raises:
        UsageError: the inventory has no stanza, or we may not query pgBackRest.
    """

    def __init__(self, session: Session, target: str) -> None:
        self.session, self.target = session, target
        entry, self.key = session.inventory.target(target), wanted(session, target)
        self.where = where(session.inventory, entry)
        self.machine = Machine(session, target, self.where)
        self.called = self.machine.name
        self.given = inputs_of(entry, self.key, as_user(self.where, self.key.user, self._facts(), self.called))

    def _facts(self) -> Mapping[str, Any]:
        """Return our uid, the user's uid (None if there is no such user), and the name of runuser.

        The result is cached, because the machine can be remote."""
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
        """Return the folder of a server's programs on its machine, by the server's major version.

        Raises:
            UsageError: no folder has the programs.
        """
        places = [self.key.bin] if self.key.bin else [place.format(major) for place in PLACES]
        if found := self.machine.script("programs", "", "", *places):
            return found[0]
        said = f"{self.where}: the programs of a PostgreSQL {major} server are not in {' or '.join(places)}"
        more = "" if self.called == HERE else f" on {self.called}"
        hint = f"pgbackrest: {{bin: FOLDER}}   or   apt-get install postgresql-{major}"
        raise UsageError(said + more, hint + (more and f"   {more.strip()}"))

    def still(self, stanza: str, folder: str) -> None:
        """Refuse another stanza or folder than the run was planned with."""
        now = (self.given.stanza, self.given.folder)
        if (stanza or now[0], folder or now[1]) != now:
            said = f"the run was planned with {stanza}, {folder}; the inventory now has {', '.join(now)}"
            raise Refused(f"{self.where}: {said}", "inv undo, with the former inventory")

    def run(self, words: tuple[str, ...]) -> Completed:
        """Run words on the machine with only PATH and pgBackRest's own variables of our environment."""
        return self.machine.run(words)

    def info(self) -> Stanza:
        """Return pgBackRest's report on the stanza.

        Raises:
            UsageError: pgBackRest is not installed or too old.
            Unreachable: pgBackRest ends with an error.
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
        """Return the version of pgBackRest.

        Raises:
            UsageError: pgBackRest is not installed, or does not support annotations.
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
        """Return the stanza if it is ready for a backup of a cluster.

        Raises:
            Refused: the stanza is missing, has an error, or belongs to another cluster.
        """
        self.version()
        found = self.info()
        if found.code not in WELL:
            said = f"{self.where}: pgBackRest reports for stanza {found.name}: {found.message}"
            hint = f"{self.hint('stanza-create')}   or   pgbackrest: {{stanza: NAME}} (docs/how-to/pgbackrest.md)"
            raise Refused(said, hint)
        if found.system != system:
            said = f"stanza {found.name} belongs to another server ({found.system}) than {self.target}'s ({system})"
            raise Refused(f"{self.where}: {said}", "pgbackrest: {stanza: NAME} of this server")
        return found

    def must_have(self, backup: str, label: str = "") -> Kept:
        """Return pgBackRest's backup with a backup id.

        Args:
            label: the label in the manifest, if there is one.

        Raises:
            StepFailed: the backup is not listed, or has errors.
        """
        found = self.info()
        one = found.named(backup)
        if one is None or (label and one.label != label):
            broken = [kept.label for kept in found.backups if kept.backup == backup and kept.broken]
            why = f"; it found errors in {broken[-1]}" if broken else ""
            gone = f"pgBackRest no longer has {label}" if label else f"pgBackRest lists no valid backup {backup}"
            raise StepFailed(f"{self.target}: {gone}, stanza {found.name}{why}", f"inv backups --target={self.target}")
        return one

    def hint(self, command: str) -> str:
        """Return the command with which a person queries pgBackRest."""
        return " ".join(pgbackrest_cli.words(self.given, command))

    def said(self, done: Completed) -> tuple[str, str]:
        """Return number and text of the error."""
        return trouble(self.session.redact(f"{done.out}\n{done.err}"))
