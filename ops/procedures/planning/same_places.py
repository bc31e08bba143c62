"""Whether a run's addresses still lead where they led when it was planned: asked before it goes on or is taken back.

Within one process an address can't change. Between two it can: by another environment, another inventory, another
server behind the same name. The steps' own gates look again, each at what it is about to touch.
"""

from __future__ import annotations

from ops.core.errors import Refused
from ops.engine.inputs import RunInputs
from ops.infra.session.server import server_of
from ops.infra.session.session import Session

# Where the run lock is, and from where databases are frozen, closed and renamed.
MAINTENANCE = "postgres"
NAMED_SO = "the database is named {}, and from the one of that name it is frozen and renamed: no release, no way back"
HOW_ELSE = "ALTER DATABASE postgres RENAME TO another_name   from template1, CREATE DATABASE postgres, and the address"


def must_not_be_named_so(target: str, database: str) -> None:
    """Refuse to change a database that has the name of the one from which it would be done.

    Raises:
        Refused: it has.
    """
    if database == MAINTENANCE:
        raise Refused(f"{target}: {NAMED_SO.format(database)}; nothing was changed", HOW_ELSE)


def check_places(session: Session, c: RunInputs) -> None:
    """Compare servers and databases with those of the plan.

    Raises:
        Refused: one of them is another one now; the message says what differs.
        OpsError: a server does not answer.
    """
    folder = session.inventory.path(c.run_folder)
    store = session.inventory.path(f"{session.inventory.target(c.target).folder}/{c.target}/runs/{c.run}")
    if folder != store:
        raise Refused(
            f"{c.target}: run {c.run} was planned with the store {c.store}, and the inventory has another one now; "
            "nothing was changed",
            f"store: {c.store}   in {session.inventory.file.name}",
        )
    if c.railway.app:
        session.railway(c.target).still(c.railway.app)
    # While Railway exchanges its volume, the server is away: each step looks for itself.
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
        said.append(f"another server ({server['system']}) than the one planned for ({system})")
    if said:
        raise Refused(
            f"{target}: its address leads to {' on '.join(said)}, so run {c.run} does not go on; nothing was changed",
            f"let {session.addresses.entry(target).database} lead where it led when the run was planned",
        )
