"""Define a check, its finding, and the subject that the checks of a target share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from ops.application import probe as probes
from ops.core.errors import OpsError
from ops.doctor.server_session import ServerSession, read_server_session
from ops.engine.command import Query, quote
from ops.infra.postgres.client import Tools, json_lines, said_error
from ops.infra.postgres.grants import grant
from ops.infra.session.client_tools import some_tools
from ops.infra.session.server import server_of
from ops.infra.session.session import Session
from ops.inventory.targets import Target

Status = Literal["ok", "warn", "fail", "skip"]
Kind = Literal["production", "test", "trial"]
BOTH: tuple[Kind, ...] = ("production", "test")


@dataclass(frozen=True)
class Finding:
    """The result of a check: its status, a text, and for ``warn`` and ``fail`` what to type."""

    status: Status
    said: str
    hint: str = ""


def ok(said: str) -> Finding:
    """Return a finding of a check that passed."""
    return Finding("ok", said)


def warn(said: str, hint: str) -> Finding:
    """Return a warning: a release works, but a person should correct this before the release."""
    return Finding("warn", said, hint)


def fail(said: str, hint: str) -> Finding:
    """Return a failure: a release, a backup or a rollback would not work."""
    return Finding("fail", said, hint)


class Subject:
    """A target to check. The results of queries are cached.

    Args:
        session: the connections.
        target: the name of the target.
        production: the production target of a test target; for a production target, the target itself.
        known: the existing subjects, by target.
    """

    def __init__(self, session: Session, target: str, production: str, known: dict[str, Subject] | None = None) -> None:
        self.session, self.target, self.production = session, target, production
        self.known = known if known is not None else {}
        self.known[target] = self

    def of(self, target: str) -> Subject:
        """Return the subject of another target of the same pair."""
        return self.known.get(target) or Subject(self.session, target, self.production, self.known)

    @property
    def entry(self) -> Target:
        """The target's entry in the inventory."""
        return self.session.inventory.target(self.target)

    @property
    def is_test(self) -> bool:
        """True if the target is a test target."""
        return self.target != self.production

    @property
    def reference(self) -> str:
        """The reference to the address in the inventory; never the address."""
        return str(self.entry.database)

    @property
    def database(self) -> str:
        """The database for queries: for a test target ``postgres``, since the first clone creates the test database."""
        return "postgres" if self.is_test else ""

    @property
    def server_session(self) -> ServerSession:
        """The properties of a connection. A failure is cached, too.

        Raises:
            Unreachable: there is no connection.
        """
        if isinstance(self._server_session, OpsError):
            raise self._server_session
        return self._server_session

    @cached_property
    def _server_session(self) -> ServerSession | OpsError:
        try:
            return read_server_session(self.session, self.target, self.database)
        except OpsError as error:
            return error

    @cached_property
    def tools(self) -> list[Tools]:
        """The installed client tools, of any version.

        Raises:
            UsageError: there are none.
        """
        return some_tools(self.session)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """The result of ``identity.sql``. Raises OpsError."""
        return (server_of if self.is_test else probes.identity)(self.session, self.target)

    @cached_property
    def rights(self) -> dict[str, Any]:
        """The result of ``rights.sql``.

        Raises:
            OpsError: the server does not answer, or refuses the query.
        """
        given = {"live": self.session.database(self.target)}
        done = self.session.run(Query("rights.sql", self.target, self.database, given))
        if done.exit:
            raise OpsError(
                f"{self.target}: its rights could not be read: {said_error(done.err)}",
                grant(self.session.role(self.target), done.err) or f"inv status --target={self.production}",
            )
        return dict(json_lines(done.out)[0])

    @cached_property
    def probe(self) -> dict[str, Any]:
        """The result of the probe of the application. Raises OpsError."""
        return probes.probe(self.session, self.target, self.target)


Look = Callable[[Subject], Finding]


@dataclass(frozen=True)
class Check:
    """A check.

    Args:
        name: the name in the output and in ``--json``.
        why: what the check requires and why, for the reference.
        look: runs the check. It changes nothing. An OpsError is a failure with its message and hint.
        after: the checks on which this check depends. If one of them failed, this check is skipped.
        of: the kinds of targets. ``trial`` is a check of production that runs with ``--restore`` only.
    """

    name: str
    why: str
    look: Look
    after: tuple[str, ...] = ()
    of: tuple[Kind, ...] = ("production",)


CHECKS: dict[str, Check] = {}


def check(name: str, *after: str, of: tuple[Kind, ...] = ("production",)) -> Callable[[Look], Look]:
    """Register a function as a check. The function's docstring is the check's ``why``.

    Args:
        name: the name of the check.
        after: the checks on which it depends.
        of: the kinds of targets.
    """

    def register(look: Look) -> Look:
        if name in CHECKS:
            raise ValueError(f"check {name} is defined twice")
        CHECKS[name] = Check(name, " ".join((look.__doc__ or "").split()), look, after, of)
        return look

    return register


def examine(check: Check, subject: Subject, before: dict[str, Finding]) -> Finding:
    """Run a check, or skip it if a check on which it depends failed.

    Args:
        check: the check.
        subject: the target.
        before: the findings of the earlier checks, by name.
    """
    for name in check.after:
        found = before.get(name)
        if found is None or found.status in ("fail", "skip"):
            root = found.said if found and found.status == "skip" else f"skipped, since {name} failed"
            return Finding("skip", root)
    try:
        return check.look(subject)
    except OpsError as error:
        return fail(error.message.removeprefix(f"{subject.target}: "), error.hint)
    except OSError as error:
        where = quote(str(error.filename or "."))
        return fail(f"{where}: {error.strerror}", f"ls -ld {where}")
