"""Ask the server of a target. Read-only."""

from __future__ import annotations

from typing import Any

from ops.core.errors import OpsError, Refused, Unreachable
from ops.engine.command import Query
from ops.infra.postgres.client import json_lines, unreached
from ops.infra.postgres.failure_text import lock_wait
from ops.infra.postgres.grants import grant
from ops.infra.session.session import Session
from ops.inventory.locate import where
from ops.inventory.targets import Target


def schema_digest(session: Session, target: str, database: str = "") -> str:
    """Compute the digest of a database's schema; of the target's own one unless another is named.

    Raises:
        Unreachable: the server can't be reached.
    """
    return str(ask(session, Query("schema_digest.sql", target, database))["schema"])


def schema_parts(session: Session, target: str) -> dict[str, str]:
    """Hash each part of the schema of a target's database, by its kind and name.

    Raises:
        Unreachable: the server can't be reached.
    """
    return dict(ask(session, Query("schema_digest.sql", target))["parts"])


def ask(session: Session, query: Query) -> dict[str, Any]:
    """Ask a server one question; the answer is one JSON object.

    Raises:
        Unreachable: it does not answer; names who holds the tables up, where somebody does.
    """
    done = session.run(query)
    if done.exit:
        which, (how, look, code) = f"the database {query.database}".rstrip(), unreached(done.err)
        who, ending = _holders(session, query) if lock_wait(done.err) else ("", "")
        hint = ending or grant(session.role(query.target), done.err) or look
        raise Unreachable(f"{query.target}: {which} {how}{who}", hint, code=code)
    return json_lines(done.out)[0]


def _holders(session: Session, query: Query) -> tuple[str, str]:
    """Find who holds locks that keep even a database's readers waiting, in words, and what ends the sessions."""
    found = session.run(Query("holders.sql", query.target, query.database)).out.splitlines()
    lines = [line.split("\t", 1) for line in found if "\t" in line][:3]
    if not lines:
        return "", "the same again: nobody holds such a lock any more"
    ends = " ".join(f"SELECT pg_terminate_backend({pid});" for pid, _ in lines)
    what = "that session" if len(lines) == 1 else "those sessions"
    said = f"; ACCESS EXCLUSIVE locks are held by {', '.join(words for _, words in lines)}"
    return said, f"{ends}   in psql ends {what}, or wait until they end"


def server_of(session: Session, target: str) -> dict[str, Any]:
    """What ``identity.sql`` says of a target's server, asked on its database ``postgres``.

    Raises:
        OpsError: it does not answer.
    """
    done = session.run(Query("identity.sql", target, "postgres"))
    if done.exit:
        how, look, code = unreached(done.err)
        raise OpsError(f"{target}: the server {how}", look, code=code)
    return in_english(session, target, json_lines(done.out)[0])


def in_english(session: Session, target: str, found: dict[str, Any]) -> dict[str, Any]:
    """Have a server whose messages are in another language say them in English, where its role may choose.

    Args:
        found: what ``identity.sql`` says of it, which is given back.
    """
    if found.get("foreign") and found["chooses"]:
        session.addresses.in_english(target)
    return found


def no_production(session: Session, test: Target, name: str, system: str) -> None:
    """Refuse a test database that is another production target's: what is restored there would take its place.

    Args:
        test: the test target.
        name: its database's name.
        system: its server's identifier.

    Raises:
        Refused: it is production of another target of this inventory.
    """
    for other in session.inventory.production:
        entry = session.inventory.target(other)
        if entry.database.kind == "embedded":
            continue  # The inventory compares these by name, and a look would make the database.
        try:
            same = session.database(other) == name and server_of(session, other)["system"] == system
        except OpsError:
            continue  # Without an address here, or away: then it is not the server that has just answered.
        if same:
            raise Refused(
                f"{where(session.inventory, test)} is the very database of {other}: "
                f"{name} on the same server; nothing was changed",
                f"give {test.name} a database of its own",
            )
