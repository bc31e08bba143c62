"""A check as data, what it finds, and what the checks of one target know together."""

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
    """What a check found: in words, and for ``warn`` and ``fail`` what to type."""

    status: Status
    said: str
    hint: str = ""


def ok(said: str) -> Finding:
    """It is right."""
    return Finding("ok", said)


def warn(said: str, hint: str) -> Finding:
    """The night can come, but somebody should look at it before."""
    return Finding("warn", said, hint)


def fail(said: str, hint: str) -> Finding:
    """A release, a backup or the way back would not work."""
    return Finding("fail", said, hint)


class Subject:
    """One target that is looked at. What is asked of a server is asked once.

    Args:
        session: the connections.
        target: the target's name.
        production: the production target that it belongs to; itself, where it is in production.
        known: the subjects so far, by their targets.
    """

    def __init__(self, session: Session, target: str, production: str, known: dict[str, Subject] | None = None) -> None:
        self.session, self.target, self.production = session, target, production
        self.known = known if known is not None else {}
        self.known[target] = self

    def of(self, target: str) -> Subject:
        """Another target of the same pair."""
        return self.known.get(target) or Subject(self.session, target, self.production, self.known)

    @property
    def entry(self) -> Target:
        """The target's entry in the inventory."""
        return self.session.inventory.target(self.target)

    @property
    def is_test(self) -> bool:
        """Whether it is a test target."""
        return self.target != self.production

    @property
    def reference(self) -> str:
        """How the inventory names the address; never the address."""
        return str(self.entry.database)

    @property
    def database(self) -> str:
        """Where it is asked: a test database is made by the first clone, so there it is the server's ``postgres``."""
        return "postgres" if self.is_test else ""

    @property
    def server_session(self) -> ServerSession:
        """What a connection tells. Raises Unreachable, and is not kept waiting a second time."""
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
        """The client tools that are there; any psql will do for a look. Raises UsageError where there are none."""
        return some_tools(self.session)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What ``identity.sql`` says. Raises OpsError."""
        return (server_of if self.is_test else probes.identity)(self.session, self.target)

    @cached_property
    def rights(self) -> dict[str, Any]:
        """What ``rights.sql`` says.

        Raises:
            OpsError: it does not answer, or refuses.
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
        """What the application says of itself. Raises OpsError."""
        return probes.probe(self.session, self.target, self.target)


Look = Callable[[Subject], Finding]


@dataclass(frozen=True)
class Check:
    """One check.

    ``name`` is what it is called in the list and in ``--json``; ``why`` what goes wrong at night where it does not
    hold; ``look`` looks, and only reads: an OpsError of it is a ``fail`` with its text and hint. Where one of
    ``after`` did not hold, it can't be looked at. ``of``: the targets that it is for; ``trial`` is production's, asked
    for by ``--restore``.
    """

    name: str
    why: str
    look: Look
    after: tuple[str, ...] = ()
    of: tuple[Kind, ...] = ("production",)


CHECKS: dict[str, Check] = {}


def check(name: str, *after: str, of: tuple[Kind, ...] = ("production",)) -> Callable[[Look], Look]:
    """Make a function a check, under its name. As with a step, its docstring says why the check is there."""

    def register(look: Look) -> Look:
        if name in CHECKS:
            raise ValueError(f"check {name} stands twice")
        CHECKS[name] = Check(name, " ".join((look.__doc__ or "").split()), look, after, of)
        return look

    return register


def examine(check: Check, subject: Subject, before: dict[str, Finding]) -> Finding:
    """Look, unless a check that this one needs did not hold.

    Args:
        before: what the checks before it found, by name; one that is not there could not be looked at.
    """
    for name in check.after:
        found = before.get(name)
        if found is None or found.status in ("fail", "skip"):
            root = found.said if found and found.status == "skip" else f"not looked at, since {name} failed"
            return Finding("skip", root)
    try:
        return check.look(subject)
    except OpsError as error:
        return fail(error.message.removeprefix(f"{subject.target}: "), error.hint)
    except OSError as error:
        where = quote(str(error.filename or "."))
        return fail(f"{where}: {error.strerror}", f"ls -ld {where}")
