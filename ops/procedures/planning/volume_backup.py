"""What a restore of Railway's own backup is about: looked up also where the database answers no more."""

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
    """Railway's backup, by its ID or name; our newest dump, and the database where it answers.

    Raises:
        OpsError: the target is not on Railway, there is no such backup, or the database does not answer and no flag
            says that it is to go on without a last dump.
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
    """What is known of the database; by our newest dump where it does not answer."""
    session, entry, no_safety = look.session, look.entry, look.wanted.no_safety
    session.url(entry.name)
    sets = some_tools(session)
    try:
        here = identity(session, entry.name)
    except Unreachable as error:
        if not no_safety:
            said = f"{error.message}; so no last dump of it can be made, and nothing was changed"
            raise Refused(said, "the same with --no-safety   which gives up what is in no dump") from None
        known = {"database": session.database(entry.name), "system": ours.system if ours else ""}
        return {**known, "dump": {"compress": "1"}, "tools": str(sets[-1].major)}
    major = int(here["number"]) // 10000
    if not no_safety:
        session.commands.tools = fitting(session, entry, sets, (major, major), restoring=False)
    with RunLock(session, entry.name, here["database"], "", look.procedure.name):
        pass  # Another run is refused. It can't be held: its session ends with the server.
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
        return "there is no dump of ours"
    way = f"inv rollback --backup={ours.backup} --target={target}"
    return f"rather {way}, which is {age(ours.taken_at)} old"
