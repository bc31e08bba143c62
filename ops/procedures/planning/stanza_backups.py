"""What a run about one of pgBackRest's backups depends on, looked at before its plan is made. Read-only."""

from __future__ import annotations

from ops.backups import selection
from ops.backups.pgbackrest.presence import gone
from ops.backups.pgbackrest.stanza import NEWEST, OnStanza, wanted
from ops.core.errors import Refused, UsageError
from ops.engine.inputs import PHYSICAL, UNPACKED, PgBackRestInputs
from ops.infra.postgres.client import choose
from ops.infra.session.client_tools import some_tools
from ops.infra.session.store_access import target_folder
from ops.infra.stores import manifest as backup
from ops.infra.stores.manifest import Manifest
from ops.procedures.planning.from_inventory import Given
from ops.procedures.planning.look import Look, NothingToDo


def stanza(look: Look, given: Given) -> Given:
    """The stanza, which must be well; the new backup's id says whose it is.

    Raises:
        OpsError: the stanza or the server's programs are not there.
    """
    wanted(look.session, look.entry.name)
    OnStanza(look.session, look.entry.name).must_be_well(given["system"])
    found = _stanza(look, given["server"].split(".")[0])
    return {"backup": f"{given['run']}{PHYSICAL}", "pgbackrest": found, "railway": {"backups": False}}


def _stanza(look: Look, major: str) -> PgBackRestInputs:
    on = OnStanza(look.session, look.entry.name)
    return on.given.model_copy(update={"bin": on.programs(major)})


def stanza_backup(look: Look, _: Given) -> Given:
    """One of pgBackRest's backups; of production only what the manifest says.

    Raises:
        OpsError: the stanza, the backup or the server's programs are not there.
    """
    return _about(look, _named(look))


def backup_to_unpack(look: Look, given: Given) -> Given:
    """The same, of which no dump was made yet.

    Raises:
        NothingToDo: it is unpacked already.
    """
    manifest = _named(look)
    unpacked = manifest.backup.removesuffix(PHYSICAL) + UNPACKED
    if any(one.backup == unpacked for one in backup.backups(target_folder(look.session, look.entry.name))):
        raise NothingToDo(f"{manifest.backup} is unpacked: inv rollback --backup={unpacked}")
    if given["encryption"].get("identity"):
        look.can_open()
    return _about(look, manifest)


def _about(look: Look, manifest: Manifest) -> Given:
    session, entry = look.session, look.entry
    if lost := gone(session, manifest):
        raise Refused(f"{entry.name}: {manifest.backup}: {lost}", f"inv backups --target={entry.name}")
    session.url(entry.name)
    sets, major = some_tools(session), manifest.server // 10000
    session.commands.tools = choose(sets, major, major, f"{entry.name} ← {manifest.backup}")
    return {
        "database": manifest.database,
        "system": manifest.system,
        "backup": manifest.backup,
        "chosen": selection.said(manifest),
        "pgbackrest": _stanza(look, str(major)),
        "dump": {"compress": session.commands.tools.compression()},
        "tools": str(session.commands.tools.major),
        "apart": True,
    }


def _named(look: Look) -> Manifest:
    """The one that is meant: an id, or ``latest``, which is also meant where nothing is said."""
    wanted(look.session, look.entry.name)
    target, asked = look.entry.name, look.wanted.backup.strip()
    known = backup.backups(target_folder(look.session, target))
    ours = [one for one in known if one.engine]
    if not ours:
        raise UsageError(f"{target}: there is no backup of pgBackRest's", f"inv backup --target={target}")
    if asked in NEWEST:
        return ours[-1]
    for one in ours:
        if one.backup == asked:
            return one
    listed = ", ".join(one.backup for one in reversed(ours[-4:]))
    there = any(one.backup == asked for one in known)
    what = f"{asked} is a dump already" if there else f"there is no backup {asked!r}"
    raise UsageError(f"{target}: {what}; of pgBackRest's the newest are: {listed}", f"--backup={ours[-1].backup}")
