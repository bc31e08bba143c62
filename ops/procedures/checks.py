"""Define gates that several procedures share: the planned server, a complete backup, disk space."""

from __future__ import annotations

from dataclasses import replace

from ops.engine.command import Command, Query, Tool
from ops.engine.inputs import RunInputs
from ops.engine.step import check


@check("The address leads to the planned production database", "inv plan")
def is_production(c: RunInputs) -> list[Command]:
    """Detect a wrong address in the environment: the step would dump or change another database.

    The plan recorded the identifier of production's server and the name of the database."""
    return [
        *same_place(c),
        Query("check_identity.sql", c.target, parameters={"system": c.system, "database": c.database}),
    ]


def same_place(c: RunInputs) -> list[Command]:
    """Return the check that project, environment and service on Railway have the planned IDs: names can be reused."""
    return [Tool("check-railway", {"target": c.target, "place": c.railway.app})] if c.railway.app else []


@check("The address leads to the planned production server", "inv status")
def is_production_server(c: RunInputs) -> list[Command]:
    """Check the server by a connection to its database `postgres`.

    The live database can be closed to connections: an interrupted swap leaves it closed."""
    given = {"system": c.system, "database": c.database}
    return [*same_place(c), Query("check_identity.sql", c.target, "postgres", given)]


def take_fingerprint(c: RunInputs, target: str, database: str = "", *, output: str, objects: bool = False) -> Query:
    """Read every table of a database, by as many sessions as dump and restore.

    Args:
        target: whose server it is on.
        database: another database on that server.
        output: the file in the run's folder that takes the fingerprint.
        objects: with every object that a restore creates.
    """
    query = Query("fingerprint.sql", target, database, output=output)
    return by_several(c, query, **({"objects": "yes"} if objects else {}))


def by_several(c: RunInputs, query: Query, **more: str) -> Query:
    """Return a query that reads tables by several sessions, with further parameters."""
    sessions = {"sessions": str(c.jobs), "connection": query.connection}
    return replace(query, parameters={**query.parameters, **sessions, **more})


def server_room(c: RunInputs, server: str, like: str) -> Command:
    """Return the check that a target's server has disk space for a copy of the backup, created like a database."""
    given = {"target": c.target, "server": server, "backup_id": c.backup}
    return Tool("check-server-room", given | ({"like": like} if like != "postgres" else {}))


@check("Every file of the backup has the sha256 that the manifest names", "inv backup")
def backup_is_whole(c: RunInputs) -> Command:
    """Refuse to use a backup without a manifest or with a changed file."""
    return Tool("check-backup", {"target": c.target, "backup_id": c.backup})
