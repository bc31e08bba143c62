"""Obtain the database on the test server: the test database, or the rehearsal database of a release."""

from __future__ import annotations

from ops.core.errors import Refused, UsageError
from ops.defang.request import read_request
from ops.defang.script import DEFANGED
from ops.engine.database_names import beside, named
from ops.infra.session.derived_targets import is_rehearsal, rehearsal_of
from ops.infra.session.server import no_production, server_of
from ops.infra.session.store_access import target_folder
from ops.infra.stores import manifest as backup
from ops.inventory.locate import where
from ops.procedures.planning.from_inventory import Given
from ops.procedures.planning.look import Look


def test_database(look: Look, _: Given) -> Given:
    """Return the test database, and the defang request for its clone."""
    found = _test(look, rehearses=False)
    request = read_request(look.session, look.entry.name)
    return found | ({"defang": {"digest": request.digest, "files": request.files}} if request else {})


def rehearsal_database(look: Look, _: Given) -> Given:
    """Return the database of a rehearsal: beside the test database if that is for defanged clones, else itself."""
    return _test(look, rehearses=look.entry.defang is not None)


def _test(look: Look, *, rehearses: bool) -> Given:
    session, entry, here = look.session, look.entry, look.here
    test = session.inventory.test_of(entry)
    meant = rehearsal_of(test.name) if rehearses else test.name
    session.url(meant)
    name = session.database(meant)
    there = server_of(session, meant)
    databases: dict[str, str] = there["databases"]
    if (there["system"], name) == (here["system"], here["database"]):
        raise UsageError(
            f"{where(session.inventory, test)} is the database of {entry.name}: "
            f"{name} on the same server",
            f"give {test.name} another database",
        )
    no_production(session, test, name, there["system"])
    look.connections.append(int(str(there["connections"])))
    look.restored, look.marks = int(str(there["number"])) // 10000, databases
    ours = (f"generalprobe clone of {entry.name}, run ", "generalprobe clone round trip, run ")
    former = [db for db in databases if beside(db, name, "replaced", "roundtrip", "migrated")]
    tidy = [db for db in former if databases[db].startswith(ours)]
    if entry.defang is not None and not rehearses:
        tidy += _true_copies(name, databases, entry.name)
    return {
        "test": meant,
        "test_server": {
            "database": name,
            "system": there["system"],
            # An undo must not restore the remains of an earlier rehearsal.
            "exists": name in databases and not rehearses,
            "like": here["database"] if there["system"] == here["system"] else "postgres",
            "tidy": tuple(sorted(tidy)),
        },
    }


def _true_copies(name: str, databases: dict[str, str], target: str) -> list[str]:
    """Return databases with unmasked rows that earlier rehearsals left beside a test database for defanged clones."""
    ours = (
        f"generalprobe clone of {target}, run ",
        "generalprobe clone before, run ",
        "generalprobe clone round trip, run ",
    )
    other = named(name, "rehearsal")
    left = {named(name, "before"), other, named(other, "before")}
    left |= {db for db in databases if beside(db, other, "replaced", "roundtrip", "migrated", "spare")}
    return [db for db in left if databases.get(db, "").startswith(ours)]


def clone(look: Look, given: Given) -> Given:
    """Return the backup of the clone in the rehearsal database, by its mark."""
    database = given["test_server"]["database"]
    name = _clone_run(look.marks.get(database, ""), look.entry.name, given["test"], database)
    known = backup.backups(target_folder(look.session, look.entry.name))
    return {"backup": name, "encryption": {"sealed": any(one.sealed for one in known if one.backup == name)}}


def migrated_clone(look: Look, given: Given) -> Given:
    """Return the backup of the clone, of which a copy from before the migrations exists.

    Raises:
        Refused: there is no such copy.
    """
    found, before = clone(look, given), named(given["test_server"]["database"], "before")
    kind, _, run = look.marks.get(before, "").partition(", run ")
    # A copy of a former clone is older than this clone's backup.
    if kind != "generalprobe clone before" or run < found["backup"]:
        raise Refused(
            f"{given['test']}: the clone of {look.entry.name} was not migrated yet: there is no copy of it from before "
            f"the migrations ({before})",
            f"inv migrate-test --target={look.entry.name}",
        )
    return found


def _clone_run(mark: str, target: str, test: str, database: str) -> str:
    if is_rehearsal(test) and not mark:
        raise Refused(
            f"{test}: there is no database {database}: a release creates it for the rehearsal",
            f"inv release --target={target}",
        )
    if not mark.startswith(f"generalprobe clone of {target}, run "):
        raise Refused(
            f"{test}: {database} is not a clone of {target}"
            + (f" (its mark says: {mark})" if mark else " (it has no mark)"),
            f"inv clone-prod-to-test --target={target}",
        )
    first, _, state = mark.partition("\n")
    if state == DEFANGED:
        raise Refused(
            f"{test}: {database} is a defanged clone of {target}: comparing with it "
            "would not prove that production's rows survive",
            f"inv release --target={target}   (it rehearses on unmasked rows)",
        )
    return str(first.rsplit(" ", 1)[-1])
