"""What a drill is about: a backup, the test server, and nothing of production but what the manifest says."""

from __future__ import annotations

from pathlib import Path

from ops import backup, chosen, counted, journal
from ops.backup import Manifest
from ops.bind import anew, can_open
from ops.dumping import some_tools
from ops.errors import Refused
from ops.identity import no_production, server_of
from ops.inputs import Inputs
from ops.inventory import Target
from ops.postgres import choose
from ops.probes import target_folder
from ops.proved import proved
from ops.wanted import Wanted
from ops.world import World

UNPROVED = "unproved"


def drilled(world: World, entry: Target, wanted: Wanted) -> Inputs:
    """Look at the backups and the test server, and freeze what was found.

    Args:
        wanted: its ``backup`` is an id, ``latest``, a moment, or ``unproved`` (also where empty): the newest that was
            never proved, else the newest.

    Raises:
        OpsError: there is no backup, no test server, or no way to open or restore it.
    """
    test = world.inventory.test_of(entry)
    manifest, said = _chosen(target_folder(world, entry.name), wanted.backup)
    world.url(test.name)
    sets = some_tools(world)
    there, name = server_of(world, test.name), world.database(test.name)
    if (there["system"], name) == (manifest.system, manifest.database):
        where = f"{world.inventory.file.name}:{test.line}: {test.name} is the very database that was dumped"
        raise Refused(f"{where}: {name} on the same server", f"give {test.name} a database of its own")
    no_production(world, test, name, there["system"])
    if manifest.sealed:
        can_open(world, entry)
    major = int(str(there["number"])) // 10000
    world.tools = choose(sets, manifest.server // 10000, major, f"{test.name} ← {manifest.backup}")
    same = there["system"] == manifest.system and manifest.database in there["databases"]
    return Inputs(
        **{**anew(world, entry), "sealed": manifest.sealed},
        database=manifest.database,
        system=manifest.system,
        backup=manifest.backup,
        chosen=said,
        test=test.name,
        test_database=name,
        test_system=there["system"],
        test_like=manifest.database if same else "postgres",
        compress=world.tools.compression(),
        tools=str(world.tools.major),
        apart=True,
    )


def _chosen(folder: Path, wanted: str) -> tuple[Manifest, str]:
    runs = journal.runs(folder)
    if wanted in ("", UNPROVED):
        done = proved(runs)
        if never := [one for one in counted.dumps(backup.backups(folder)) if one.backup not in done]:
            return never[-1], f"{chosen.said(never[-1])}; never proved yet"
    choice = chosen.choose(folder, "latest" if wanted in ("", UNPROVED) else wanted, runs, chosen.ANY)
    return choice.manifest, choice.said
