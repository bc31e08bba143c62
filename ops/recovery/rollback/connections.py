"""Open a kept database to connections, and close it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import sql

from ops.core.errors import StepFailed
from ops.engine.command import Query
from ops.infra.postgres.client import said_error
from ops.infra.session.session import Session
from ops.verdict.fingerprint import Fingerprint, read


def exists(session: Session, target: str, database: str) -> bool:
    """Return True if the server of ``target`` has a database of this name."""
    with session.connect(target, "postgres") as server:
        return bool(server.execute("SELECT FROM pg_database WHERE datname = %s", [database]).rowcount)


@contextmanager
def opened(session: Session, target: str, database: str) -> Iterator[None]:
    """Open a kept database to connections, and close it afterwards, also if an interrupted run had left it open."""
    words = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    if not exists(session, target, database):
        raise StepFailed(f"{target}: there is no database {database}", f"inv status --target={target}")
    with session.connect(target, "postgres") as server:
        server.execute(words.format(sql.Identifier(database), sql.SQL("true")))
    try:
        yield
    finally:
        with session.connect(target, "postgres") as server:
            server.execute(words.format(sql.Identifier(database), sql.SQL("false")))


def fingerprint_of(session: Session, target: str, database: str, output: str) -> Fingerprint:
    """Take a database's fingerprint into the file ``output`` (relative to the inventory's folder).

    Raises:
        StepFailed: the database cannot be read.
    """
    done = session.run(Query("fingerprint.sql", target, database, output=output))
    if done.exit:
        raise StepFailed(
            f"{target}: {database or 'the live database'} can't be read: {said_error(done.err)}", "inv resume"
        )
    return read(session.inventory.path(output))
