"""What several procedures ask before they touch anything: the planned server, a whole backup, room."""

from __future__ import annotations

from ops.engine.command import Command, Query, Tool
from ops.engine.inputs import RunInputs
from ops.engine.step import check


@check("The database is the one that was planned for", "inv plan")
def is_production(c: RunInputs) -> list[Command]:
    """A wrong variable in the environment would dump, or change, another database."""
    return [
        *same_place(c),
        Query("check_identity.sql", c.target, parameters={"system": c.system, "database": c.database}),
    ]


def same_place(c: RunInputs) -> list[Command]:
    """On Railway the same project, environment and service by their IDs: names can be given away."""
    return [Tool("check-railway", {"target": c.target, "place": c.railway.app})] if c.railway.app else []


@check("The server is the one that was planned for", "inv status")
def is_production_server(c: RunInputs) -> list[Command]:
    """Asked on another database of the server: the live one may be closed by a swap that was interrupted."""
    given = {"system": c.system, "database": c.database}
    return [*same_place(c), Query("check_identity.sql", c.target, "postgres", given)]


def server_room(c: RunInputs, server: str, like: str) -> Command:
    """Looks whether a copy of the backup has room on a target's server, made like a database there."""
    given = {"target": c.target, "server": server, "backup_id": c.backup}
    return Tool("check-server-room", given | ({"like": like} if like != "postgres" else {}))


@check("Every file of the backup has the sha256 of its manifest", "inv backup")
def backup_is_whole(c: RunInputs) -> Command:
    """Without a manifest there is no backup, and a file that changed since is none either."""
    return Tool("check-backup", {"target": c.target, "backup_id": c.backup})
