"""Check that a run's addresses lead to the planned databases, before the run is resumed or undone.

An address cannot change within one process. Between two processes it can change: by another environment, another
inventory, or another server with the same name. The gates of the steps check again."""

from __future__ import annotations

from ops.core.errors import Refused
from ops.engine.inputs import RunInputs
from ops.infra.session.server import server_of
from ops.infra.session.session import Session

# The database that holds the run lock, and from which databases are frozen, closed and renamed.
MAINTENANCE = "postgres"
NAMED_SO = "the database is named {}, and the tool freezes and renames databases from the database of that name"
HOW_ELSE = "ALTER DATABASE postgres RENAME TO other_name   from template1, CREATE DATABASE postgres, change the address"


def must_not_be_named_so(target: str, database: str) -> None:
    """Refuse a database that has the name of the maintenance database.

    Raises:
        Refused: the database has that name.
    """
    if database == MAINTENANCE:
        raise Refused(f"{target}: {NAMED_SO.format(database)}; nothing was changed", HOW_ELSE)


def check_places(session: Session, c: RunInputs) -> None:
    """Compare servers and databases with the plan.

    Raises:
        Refused: a server or database is not the planned one; the message names the difference.
        OpsError: a server does not answer.
    """
    folder = session.inventory.path(c.run_folder)
    store = session.inventory.path(f"{session.inventory.target(c.target).folder}/{c.target}/runs/{c.run}")
    if folder != store:
        raise Refused(
            f"{c.target}: run {c.run} was planned with the store {c.store}, and the inventory names another store now; "
            "nothing was changed",
            f"store: {c.store}   in {session.inventory.file.name}",
        )
    if c.railway.app:
        session.railway(c.target).still(c.railway.app)
    # The server is down while Railway exchanges the volume, so each step checks on its own.
    if not (c.apart or c.railway.volume_backup):
        _compare(session, c, c.target, c.database, c.system)
    if c.test:
        _compare(session, c, c.test, c.test_server.database, c.test_server.system)


def _compare(session: Session, c: RunInputs, target: str, database: str, system: str) -> None:
    name, server = session.database(target), server_of(session, target)
    said = []
    if name != database:
        said.append(f"the database {name}, not {database}")
    if system and server["system"] != system:
        said.append(f"another server ({server['system']}) than the planned one ({system})")
    if said:
        raise Refused(
            f"{target}: its address leads to {' on '.join(said)}, so run {c.run} cannot continue; nothing was changed",
            f"let {session.addresses.entry(target).database} lead to the database for which the run was planned",
        )
