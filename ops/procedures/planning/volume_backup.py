"""Obtain the inputs of a restore of a Railway volume backup, also if the database does not answer."""

from __future__ import annotations

from ops.application.probe import identity
from ops.backups.selection import newest, said_of
from ops.core.errors import Refused, Unreachable, UsageError
from ops.core.text import age
from ops.infra.railway.volume_backups import OnVolume
from ops.infra.session.client_tools import some_tools
from ops.infra.session.run_lock import RunLock
from ops.infra.session.store_access import target_folder
from ops.infra.stores.manifest import Manifest
from ops.inventory.locate import where
from ops.procedures.planning.dump_options import compression, fitting
from ops.procedures.planning.from_inventory import Given, join
from ops.procedures.planning.look import Look, places


def volume_backup(look: Look, _: Given) -> Given:
    """Return the volume backup by its ID or name, the newest dump, and the database if it answers.

    Raises:
        OpsError: the target is not on Railway, there is no such volume backup, or the database does not answer and
        ``--no-safety`` is missing.
    """
    session, entry, wanted = look.session, look.entry, look.wanted
    if entry.railway is None:
        at = where(session.inventory, entry)
        raise UsageError(f"{at}: not a production target on Railway", "inv rollback --backup=latest")
    on = session.railway(entry.name)
    volumes = OnVolume(on)
    volumes.can_restore()
    meant = volumes.chosen(wanted.backup.strip())
    ours = newest(target_folder(session, entry.name))
    given = {
        "backup": ours.backup if ours else "",
        "chosen": f"{said_of(meant)}, of the whole volume ({_prefer(entry.name, ours)})",
        "railway": {
            **{"volume_backup": meant.id, "database": str(on.database)},
            **{"no_safety": wanted.no_safety, "backups": False},
        },
    }
    return join(_database(look, ours), places(look), given)


def _database(look: Look, ours: Manifest | None) -> Given:
    """Return the database's inputs; from the newest dump if the database does not answer."""
    session, entry, no_safety = look.session, look.entry, look.wanted.no_safety
    session.url(entry.name)
    sets = some_tools(session)
    try:
        here = identity(session, entry.name)
    except Unreachable as error:
        if not no_safety:
            said = f"{error.message}; so no safety backup can be made; nothing was changed"
            raise Refused(said, "repeat the command with --no-safety   rows that are in no dump are lost") from None
        known = {"database": session.database(entry.name), "system": ours.system if ours else ""}
        return {**known, "dump": {"compress": "1"}, "tools": str(sets[-1].major)}
    major = int(here["number"]) // 10000
    if not no_safety:
        session.commands.tools = fitting(session, entry, sets, (major, major), restoring=False)
    with RunLock(session, entry.name, here["database"], "", look.procedure.name):
        pass  # Refuse another run. The lock is released at once, because its session ends with the server.
    tools = session.commands.tools or sets[-1]
    frozen = here["read_only"] == "on"
    return {
        "database": here["database"],
        "system": here["system"],
        "server": here["server"],
        "frozen": frozen,
        "freezes": not (frozen or no_safety),
        "dump": {"compress": compression(session, entry, tools, major)},
        "tools": str(tools.major),
    }


def _prefer(target: str, ours: Manifest | None) -> str:
    if ours is None:
        return "there is no dump"
    way = f"inv rollback --backup={ours.backup} --target={target}"
    return f"prefer {way}, which is {age(ours.taken_at)} old"
