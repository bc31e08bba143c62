"""Query the server of a target; read-only."""

from __future__ import annotations

from typing import Any

from ops.core.errors import OpsError, Refused, Unreachable
from ops.engine.command import Query
from ops.infra.postgres.client import json_lines, unreached
from ops.infra.postgres.failure_text import lock_wait
from ops.infra.postgres.grants import grant
from ops.infra.postgres.session_settings import PATH
from ops.infra.session.session import Session
from ops.inventory.locate import where
from ops.inventory.targets import Target


def schema_digest(session: Session, target: str, database: str = "") -> str:
    """Return the digest of a database's schema; by default of the target's database.

    Raises:
        Unreachable: the server cannot be reached.
    """
    return str(ask(session, Query("schema_digest.sql", target, database))["schema"])


def schema_parts(session: Session, target: str) -> dict[str, str]:
    """Return the hash of each part of the schema of a target's database, by kind and name.

    Raises:
        Unreachable: the server cannot be reached.
    """
    return dict(ask(session, Query("schema_digest.sql", target))["parts"])


def ask(session: Session, query: Query) -> dict[str, Any]:
    """Run a query that returns one JSON object.

    Raises:
        Unreachable: the query failed; after a lock timeout the message names the holders of the locks.
    """
    done = session.run(query)
    if done.exit:
        which, (how, look, code) = f"the database {query.database}".rstrip(), unreached(done.err)
        who, ending = _holders(session, query) if lock_wait(done.err) else ("", "")
        hint = ending or grant(session.role(query.target), done.err) or look
        raise Unreachable(f"{query.target}: {which} {how}{who}", hint, code=code)
    return json_lines(done.out)[0]


def _holders(session: Session, query: Query) -> tuple[str, str]:
    """Return the holders of ACCESS EXCLUSIVE locks as text, and the statements that end their sessions."""
    found = session.run(Query("holders.sql", query.target, query.database)).out.splitlines()
    lines = [line.split("\t", 1) for line in found if "\t" in line][:3]
    if not lines:
        return "", "repeat the command: the lock was released"
    ends = " ".join(f"SELECT pg_terminate_backend({pid});" for pid, _ in lines)
    what = "that session" if len(lines) == 1 else "those sessions"
    said = f"; ACCESS EXCLUSIVE locks are held by {', '.join(words for _, words in lines)}"
    return said, f"{ends}   in psql ends {what}, or wait until they end"


def search_path(session: Session, target: str) -> str:
    """Return the search_path of a target's own sessions."""
    with session.connect(target, own=PATH) as live:
        return str((live.execute("SHOW search_path").fetchone() or [""])[0])


def server_of(session: Session, target: str) -> dict[str, Any]:
    """Return the result of ``identity.sql`` on the database ``postgres`` of a target's server.

    Raises:
        OpsError: the server cannot be reached.
    """
    done = session.run(Query("identity.sql", target, "postgres"))
    if done.exit:
        how, look, code = unreached(done.err)
        raise OpsError(f"{target}: the server {how}", look, code=code)
    return in_english(session, target, json_lines(done.out)[0])


def in_english(session: Session, target: str, found: dict[str, Any]) -> dict[str, Any]:
    """Set English messages if the server's are in another language and the role may set them; return ``found``.

    Args:
        found: the result of ``identity.sql``.
    """
    if found.get("foreign") and found["chooses"]:
        session.addresses.in_english(target)
    return found


def no_production(session: Session, test: Target, name: str, system: str) -> None:
    """Refuse a test database that is the database of a production target, which a clone would replace.

    Args:
        test: the test target.
        name: the test database's name.
        system: the system identifier of the test server.

    Raises:
        Refused: the database belongs to a production target of this inventory.
    """
    for other in session.inventory.production:
        entry = session.inventory.target(other)
        if entry.database.kind == "embedded":
            continue  # The inventory compares embedded databases by name, and a query would create the database.
        try:
            same = session.database(other) == name and server_of(session, other)["system"] == system
        except OpsError:
            continue  # An unreachable server is not the test server, which has just answered.
        if same:
            raise Refused(
                f"{where(session.inventory, test)} is the database of {other}: "
                f"{name} on the same server; nothing was changed",
                f"configure another database for {test.name}",
            )
