"""A check as data, what it finds, and what the checks of one target know together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from ops import probes
from ops.command import Query, quote
from ops.doctor.session import Session, session
from ops.dumping import some_tools
from ops.errors import OpsError
from ops.identity import server_of
from ops.inventory import Target
from ops.postgres import Tools, json_lines, said_error
from ops.rights import grant
from ops.world import World

Status = Literal["ok", "warn", "fail", "skip"]


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
        world: the connections.
        target: the target's name.
        production: the production target that it belongs to; itself, where it is in production.
        known: the subjects so far, by their targets.
    """

    def __init__(self, world: World, target: str, production: str, known: dict[str, Subject] | None = None) -> None:
        self.world, self.target, self.production = world, target, production
        self.known = known if known is not None else {}
        self.known[target] = self

    def of(self, target: str) -> Subject:
        """Another target of the same pair."""
        return self.known.get(target) or Subject(self.world, target, self.production, self.known)

    @property
    def entry(self) -> Target:
        """The target's entry in the inventory."""
        return self.world.inventory.target(self.target)

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
    def session(self) -> Session:
        """What a connection tells. Raises Unreachable, and is not kept waiting a second time."""
        if isinstance(self._session, OpsError):
            raise self._session
        return self._session

    @cached_property
    def _session(self) -> Session | OpsError:
        try:
            return session(self.world, self.target, self.database)
        except OpsError as error:
            return error

    @cached_property
    def tools(self) -> list[Tools]:
        """The client tools that are there; any psql will do for a look. Raises UsageError where there are none."""
        return some_tools(self.world)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What ``identity.sql`` says. Raises OpsError."""
        return (server_of if self.is_test else probes.identity)(self.world, self.target)

    @cached_property
    def rights(self) -> dict[str, Any]:
        """What ``rights.sql`` says.

        Raises:
            OpsError: it does not answer, or refuses.
        """
        given = {"live": self.world.database(self.target)}
        done = self.world.run(Query("rights.sql", self.target, self.database, given))
        if done.exit:
            raise OpsError(
                f"{self.target}: its rights could not be read: {said_error(done.err)}",
                grant(self.world, self.target, done.err) or f"inv status --target={self.production}",
            )
        return dict(json_lines(done.out)[0])

    @cached_property
    def probe(self) -> dict[str, Any]:
        """What the application says of itself. Raises OpsError."""
        return probes.probe(self.world, self.target, self.target)


Look = Callable[[Subject], Finding]


@dataclass(frozen=True)
class Check:
    """One check.

    ``name`` is what it is called in the list and in ``--json``; ``why`` what goes wrong at night where it does not
    hold; ``look`` looks, and only reads: an OpsError of it is a ``fail`` with its text and hint. Where one of
    ``after`` did not hold, it can't be looked at.
    """

    name: str
    why: str
    look: Look
    after: tuple[str, ...] = ()


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
