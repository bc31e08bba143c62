"""Whether a run's addresses still lead where they led when it was planned: asked before it goes on or is taken back.

Within one process an address can't change. Between two it can: by another environment, another inventory, another
server behind the same name. The steps' own gates look again, each at what it is about to touch.
"""

from __future__ import annotations

from typing import Any

from ops.command import Query
from ops.errors import OpsError, Refused
from ops.inputs import Inputs
from ops.inventory import Target
from ops.postgres import json_lines, said_error
from ops.world import World


def check_places(world: World, c: Inputs) -> None:
    """Compare servers and databases with those of the plan.

    Raises:
        Refused: one of them is another one now; the message says what differs.
        OpsError: a server does not answer.
    """
    folder = world.inventory.path(c.run_folder)
    store = world.inventory.path(f"{world.inventory.target(c.target).folder}/{c.target}/runs/{c.run}")
    if folder != store:
        raise Refused(
            f"{c.target}: run {c.run} was planned with the store {c.store}, and the inventory has another one now; "
            "nothing was changed",
            f"store: {c.store}   in {world.inventory.file.name}",
        )
    if c.railway:
        world.railway(c.target).still(c.railway)
    # While Railway exchanges its volume, the server is away: each step looks for itself.
    if not (c.apart or c.volume_backup):
        _compare(world, c, c.target, c.database, c.system)
    if c.test:
        _compare(world, c, c.test, c.test_database, c.test_system)


def _compare(world: World, c: Inputs, target: str, database: str, system: str) -> None:
    name, server = world.database(target), server_of(world, target)
    said = []
    if name != database:
        said.append(f"the database {name}, not {database}")
    if system and server["system"] != system:
        said.append(f"another server ({server['system']}) than the one planned for ({system})")
    if said:
        raise Refused(
            f"{target}: its address leads to {' on '.join(said)}, so run {c.run} does not go on; nothing was changed",
            f"let {world.entry(target).database} lead where it led when the run was planned",
        )


def server_of(world: World, target: str) -> dict[str, Any]:
    """What ``identity.sql`` says of a target's server, asked on its database ``postgres``.

    Raises:
        OpsError: it does not answer.
    """
    done = world.run(Query("identity.sql", target, "postgres"))
    if done.exit:
        raise OpsError(f"{target}: the server does not answer: {said_error(done.err)}", "check its address")
    return json_lines(done.out)[0]


def no_production(world: World, test: Target, name: str, system: str) -> None:
    """Refuse a test database that is another production target's: what is restored there would take its place.

    Args:
        test: the test target.
        name: its database's name.
        system: its server's identifier.

    Raises:
        Refused: it is production of another target of this inventory.
    """
    for other in world.inventory.production:
        entry = world.inventory.target(other)
        if entry.database.kind == "embedded":
            continue  # The inventory compares these by name, and a look would make the database.
        try:
            same = world.database(other) == name and server_of(world, other)["system"] == system
        except OpsError:
            continue  # Without an address here, or away: then it is not the server that has just answered.
        if same:
            raise Refused(
                f"{world.inventory.file.name}:{test.line}: {test.name} is the very database of {other}: {name} on the "
                "same server; nothing was changed",
                f"give {test.name} a database of its own",
            )
