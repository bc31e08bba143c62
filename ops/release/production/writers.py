"""Find who could still write to a frozen production and cannot be stopped by the tool's role."""

from __future__ import annotations

from dataclasses import dataclass

from ops.core.errors import OpsError
from ops.engine.command import Query
from ops.infra.postgres.client import json_lines, said_error
from ops.infra.postgres.grants import grant
from ops.infra.session.session import Session


@dataclass(frozen=True)
class Writer:
    """Hold one possible writer.

    ``who``: its description. ``stop``: what to type to stop it. ``lasting``: it remains until somebody types that,
    unlike a session.
    """

    who: str
    stop: str
    lasting: bool


def writers(session: Session, target: str) -> list[Writer]:
    """Query the server for possible writers, read-only.

    Raises:
        OpsError: the server does not answer or refuses the query.
    """
    done = session.run(Query("check_writers.sql", target, "postgres", {"live": session.database(target)}))
    if done.exit:
        said = f"{target}: cannot find out who could write during a freeze: {said_error(done.err)}"
        raise OpsError(said, grant(session.role(target), done.err) or f"inv doctor --target={target}")
    (found,) = json_lines(done.out)
    rows = found["writers"]
    assert isinstance(rows, list)
    return [Writer(*row) for row in rows]


def told(found: list[Writer]) -> tuple[str, str]:
    """Return the writers in one line, and what to type to stop them."""
    return "; ".join(one.who for one in found), ";   ".join(dict.fromkeys(one.stop for one in found))
