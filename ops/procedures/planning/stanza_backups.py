"""Obtain the inputs of a run about one of pgBackRest's backups, read-only."""

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
    """Return the stanza, which must have no error. The new backup's id names pgBackRest as its engine.

    Raises:
        OpsError: the stanza or the server's programs do not exist.
    """
    wanted(look.session, look.entry.name)
    OnStanza(look.session, look.entry.name).must_be_well(given["system"])
    found = _stanza(look, given["server"].split(".")[0])
    return {"backup": f"{given['run']}{PHYSICAL}", "pgbackrest": found, "railway": {"backups": False}}


def _stanza(look: Look, major: str) -> PgBackRestInputs:
    on = OnStanza(look.session, look.entry.name)
    return on.given.model_copy(update={"bin": on.programs(major)})


def stanza_backup(look: Look, _: Given) -> Given:
    """Return one of pgBackRest's backups. Only the manifest describes production.

    Raises:
        OpsError: the stanza, the backup or the server's programs do not exist.
    """
    return _about(look, _named(look))


def backup_to_unpack(look: Look, given: Given) -> Given:
    """Return one of pgBackRest's backups without a dump.

    Raises:
        NothingToDo: the backup is unpacked already.
    """
    manifest = _named(look)
    unpacked = manifest.backup.removesuffix(PHYSICAL) + UNPACKED
    if any(one.backup == unpacked for one in backup.backups(target_folder(look.session, look.entry.name))):
        raise NothingToDo(f"{manifest.backup} is unpacked already: inv rollback --backup={unpacked}")
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
    """Return the backup with the requested id; the newest for ``latest`` or an empty request."""
    wanted(look.session, look.entry.name)
    target, asked = look.entry.name, look.wanted.backup.strip()
    known = backup.backups(target_folder(look.session, target))
    ours = [one for one in known if one.engine]
    if not ours:
        raise UsageError(f"{target}: there is no backup of pgBackRest", f"inv backup --target={target}")
    if asked in NEWEST:
        return ours[-1]
    for one in ours:
        if one.backup == asked:
            return one
    listed = ", ".join(one.backup for one in reversed(ours[-4:]))
    there = any(one.backup == asked for one in known)
    what = f"{asked} is a dump and not a backup of pgBackRest" if there else f"there is no backup {asked!r}"
    raise UsageError(f"{target}: {what}; the newest backups of pgBackRest are: {listed}", f"--backup={ours[-1].backup}")
