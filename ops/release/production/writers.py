"""Who could still write to production once it is frozen, and can't be stopped by the tool's role."""

from __future__ import annotations

from dataclasses import dataclass

from ops.core.errors import OpsError
from ops.engine.command import Query
from ops.infra.postgres.client import json_lines, said_error
from ops.infra.postgres.grants import grant
from ops.infra.session.session import Session


@dataclass(frozen=True)
class Writer:
    """One of them.

    ``who`` says what it is, ``stop`` what to type; ``lasting``: it stays so until somebody types that, as a session
    does not.
    """

    who: str
    stop: str
    lasting: bool


def writers(session: Session, target: str) -> list[Writer]:
    """Ask the server; changes nothing.

    Raises:
        OpsError: it does not answer, or refuses.
    """
    done = session.run(Query("check_writers.sql", target, "postgres", {"live": session.database(target)}))
    if done.exit:
        said = f"{target}: who could write to it while it is frozen is not known: {said_error(done.err)}"
        raise OpsError(said, grant(session.role(target), done.err) or f"inv doctor --target={target}")
    (found,) = json_lines(done.out)
    rows = found["writers"]
    assert isinstance(rows, list)
    return [Writer(*row) for row in rows]


def told(found: list[Writer]) -> tuple[str, str]:
    """All of them in one line, and what to type."""
    return "; ".join(one.who for one in found), ";   ".join(dict.fromkeys(one.stop for one in found))
