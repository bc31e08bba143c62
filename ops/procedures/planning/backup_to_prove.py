"""Obtain the inputs of a drill: a backup, the test server, and production if the restore is tried there.

Otherwise only the manifest describes production."""

from __future__ import annotations

from pathlib import Path

from ops.application.probe import identity
from ops.backups import selection
from ops.backups.restore_tests import proved
from ops.core.errors import Refused
from ops.engine import journal
from ops.infra.postgres.client import choose
from ops.infra.session.client_tools import some_tools
from ops.infra.session.server import no_production, server_of
from ops.infra.session.store_access import target_folder
from ops.infra.stores import backup_kinds
from ops.infra.stores import manifest as backup
from ops.infra.stores.manifest import Manifest
from ops.inventory.locate import where
from ops.procedures.planning.dump_options import fitting_jobs
from ops.procedures.planning.from_inventory import Given, join
from ops.procedures.planning.look import Look, beside_production

UNPROVED = "unproved"


def backup_to_prove(look: Look, given: Given) -> Given:
    """Return the backup to prove, and the servers on which it is restored.

    The request names an id, ``latest``, a moment, or ``unproved``. ``unproved`` and an empty request mean the newest
    backup that was never proved, or the newest backup.

    Raises:
        OpsError: there is no backup, the backup cannot be decrypted or restored, or a server does not answer.
    """
    session, entry = look.session, look.entry
    manifest, said = _chosen(target_folder(session, entry.name), look.wanted.backup)
    if manifest.sealed:
        look.can_open()
    sets = some_tools(session)
    tries = _beside(look, given) if look.wanted.beside or not entry.test else {}
    elsewhere = _test(look, manifest) if entry.test else {}
    majors = [int(str(there.pop("number"))) // 10000 for there in (tries, elsewhere) if there]
    names = " and ".join(filter(None, [entry.test, entry.name if tries else ""]))
    session.commands.tools = choose(sets, manifest.server // 10000, min(majors), f"{names} ← {manifest.backup}")
    found = {
        **{"backup": manifest.backup, "chosen": said, "database": manifest.database, "system": manifest.system},
        **{"encryption": {"sealed": manifest.sealed}, "apart": not tries, "tools": str(session.commands.tools.major)},
        "dump": {"compress": session.commands.tools.compression()},
    }
    return join(found, tries, elsewhere)


def _beside(look: Look, given: Given) -> Given:
    """Return the inputs of the trial beside production."""
    here = identity(look.session, look.entry.name)
    known = {"database": here["database"], "system": here["system"], "number": here["number"]}
    return join(known, beside_production(look, given), {"beside": {"trial": True}})


def _test(look: Look, manifest: Manifest) -> Given:
    session, entry = look.session, look.entry
    test = session.inventory.test_of(entry)
    session.url(test.name)
    there, name = server_of(session, test.name), session.database(test.name)
    if (there["system"], name) == (manifest.system, manifest.database):
        at = f"{where(session.inventory, test)} is the database that was dumped"
        raise Refused(f"{at}: {name} on the same server", f"give {test.name} another database")
    no_production(session, test, name, there["system"])
    same = there["system"] == manifest.system and manifest.database in there["databases"]
    return {
        "test": test.name,
        "test_server": {
            "database": name,
            "system": there["system"],
            "like": manifest.database if same else "postgres",
        },
        "number": there["number"],
        "jobs": fitting_jobs(entry, int(str(there["connections"]))),
    }


def _chosen(folder: Path, wanted: str) -> tuple[Manifest, str]:
    runs = journal.runs(folder)
    if wanted in ("", UNPROVED):
        done = proved(runs)
        if never := [one for one in backup_kinds.dumps(backup.backups(folder)) if one.backup not in done]:
            return never[-1], f"{selection.said(never[-1])}; never proved"
    choice = selection.choose(folder, "latest" if wanted in ("", UNPROVED) else wanted, runs, selection.ANY)
    return choice.manifest, choice.said
