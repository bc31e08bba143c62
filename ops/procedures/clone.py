"""Define clone-prod-to-test: restore a backup, prove the clone, make the clone the test database."""

from __future__ import annotations

from ops.engine.command import Command, Query, Shell, Tool
from ops.engine.effects import StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check
from ops.procedures.backup import backup
from ops.procedures.checks import backup_is_whole, server_room
from ops.procedures.restore_proof import AGAIN, broken, equals_backup, restoring

restore_clone = Procedure("clone", "Restore the backup into a spare database", "Part of every clone.", "")
swap_clone = Procedure("clone", "Swap the clone in as the test database", "Part of every clone.", "")


def moment(c: RunInputs, name: str) -> Command:
    """Return the command that records the present time under a name, to measure the recovery time."""
    return Tool("time-way-back", {"report": f"{c.run_folder}/way-back.json", "moment": name})


@check("The test target is not production", "give the test target a database of its own in the inventory")
def not_production(c: RunInputs) -> Command:
    """Detect a test target that leads to production: the run would overwrite production."""
    given = {"planned": c.test_server.system, "system": c.system, "database": c.database}
    return Query(
        "check_not_production.sql", c.test, "postgres", given | {"name": c.test_server.database, "other": c.names.spare}
    )


@check("The test server has disk space for a copy, if its disk can be measured", "inv status")
def room_for_copy(c: RunInputs) -> Command:
    """Prevent a full disk, which stops the complete server."""
    return server_room(c, c.test, c.test_server.like)


@check("The test server offers production's encoding, locale, extensions and roles", "inv doctor")
def copy_fits(c: RunInputs) -> Command:
    """Refuse another locale, which compares, orders and folds text differently.

    A migration that succeeds under one locale can fail under another."""
    return Query("check_fits.sql", c.test, "postgres", {"from": c.fingerprint})


def created(c: RunInputs, name: str, marker: str) -> list[Command]:
    """Return the commands that create an empty database like the dumped one on the test server.

    Args:
        name: the new database's name.
        marker: the new database's comment.
    """
    given = {"name": name, "like": c.test_server.like, "marker": marker, "run": c.run, "from": c.fingerprint}
    roles = Query("create_roles.sql", c.test, "postgres", {"from": c.fingerprint})
    return [Query("create_database.sql", c.test, "postgres", given), roles]


@check("The restored database equals the backup: every table, sequence and object", "inv resume")
def same_fingerprint(c: RunInputs) -> list[Command]:
    """Detect an incomplete restore: pg_restore can exit with 0 without having restored everything.

    The proof is a part of the recovery time. An interrupted restore has no recorded time, so it is repeated."""
    timed = Shell(("grep", "-q", '"restored"', f"{c.run_folder}/way-back.json"), c.test)
    equal = equals_backup(c, c.test, c.names.spare, "restored", owned=False)
    return [timed, moment(c, "proof-begun"), *equal, moment(c, "proved")]


@check("The test database is the clone, and accepts connections", "inv resume")
def clone_is_live(c: RunInputs) -> Command:
    """Compare the database's comment, which names the run that made the clone."""
    given = {"live": c.test_server.database, "incoming": c.names.spare, "marker": c.names.clone_marker}
    return Query("check_swapped.sql", c.test, "postgres", given)


@check("The copy from before the migrations exists", "inv clone-prod-to-test")
def copy_is_there(c: RunInputs) -> Command:
    """Check for the copy, without which the migrated clone cannot be compared."""
    return Query("check_frozen.sql", c.test, c.names.before, {"wanted": "off"})


def drop_before(c: RunInputs) -> Command:
    """Drop the copy from before the migrations. The drop is refused without the tool's mark."""
    return Query("drop_database.sql", c.test, "postgres", {"name": c.names.before, "marker": "generalprobe clone "})


COPIES = {
    "changes": "the test server: a copy of the clone",
    "takes": Time.DATABASE,
    "proof": copy_is_there,
    "undo": drop_before,
    "again": True,
}


def copy_before(c: RunInputs, source: str) -> Command:
    """Return the command that copies a clone's files inside the server; it refuses a database without a clone's mark.

    Args:
        source: the clone's name.
    """
    given = {"source": source, "name": c.names.before, "marker": c.names.before_marker}
    return Query("copy_database.sql", c.test, "postgres", given)


def drop_spare(c: RunInputs) -> Command:
    """Drop the spare database. The drop is refused without the tool's mark."""
    return Query("drop_database.sql", c.test, "postgres", {"name": c.names.spare, "marker": c.names.clone_marker})


def swap_back(c: RunInputs) -> list[Command]:
    """Give the former test database its name back."""
    if not c.test_server.exists:
        return [
            Query(
                "drop_database.sql",
                c.test,
                "postgres",
                {"name": c.test_server.database, "marker": c.names.clone_marker},
            )
        ]
    given = {"live": c.test_server.database, "incoming": c.names.test_replaced, "aside": c.names.spare}
    return [Query("swap.sql", c.test, "postgres", given)]


@restore_clone.step(
    "Restore the backup into a spare database",
    changes="the test server: a spare database",
    takes=Time.DATABASE,
    does=(StepEffect.RESTORES, StepEffect.CLONES),
    reports=("excluded",),
    gates=(not_production, backup_is_whole, room_for_copy, copy_fits),
    proof=same_fingerprint,
    undo=drop_spare,
    again=True,
    retries=lambda _: AGAIN,
)
def restore(c: RunInputs) -> list[Command]:
    """Restore the backup into a spare database, and stop at the first error.

    The present test database is not changed. The spare database has production's encoding and locale, and the
    database settings of production. Roles that policies name are created if the server lacks them. Foreign servers
    and dblink are disconnected, and subscriptions are not restored. Afterwards statistics are gathered, and the
    schema is compared with the backup's."""
    private = {"private": "yes"} if c.defang else {}
    like = {"target": c.target, "test": c.test, "database": c.names.spare, "before": c.fingerprint, **private}
    return [
        moment(c, "restore-begun"),
        *created(c, c.names.spare, c.names.clone_marker),
        *restoring(c, c.test, c.names.spare, "restored", owned=False),
        Tool("check-keys", {"target": c.target, "report": broken(c, "restored")}),
        Query("isolate.sql", c.test, c.names.spare),
        Query("analyze.sql", c.test, c.names.spare),
        moment(c, "restored"),
        Tool("match-clone", like),
    ]


def _defang(c: RunInputs) -> dict[str, str]:
    """Return the options of the defang actions. The digest binds a run to the inventory and the files of the plan."""
    digest = c.defang.digest if c.defang else ""
    given = {"target": c.target, "test": c.test, "database": c.names.spare}
    return given | ({"digest": digest} if digest else {})


@check("The inventory's `defang` fits the clone and covers every column that looks like personal data")
def is_classified(c: RunInputs) -> Command:
    """Prevent a new column with personal data from reaching the test database unmasked."""
    return Tool("check-defang", _defang(c))


@check("The data to empty is empty, the data to mask is masked, and the schema is the backup's", "inv resume")
def is_defanged(c: RunInputs) -> Command:
    """Read the tables: an exit code is no proof."""
    return Tool("check-defanged", {**_defang(c), "marker": c.names.clone_marker, "before": c.fingerprint})


@restore_clone.step(
    "Defang the clone",
    changes="the spare database: personal data",
    takes=Time.DATABASE,
    gates=(not_production, is_classified),
    proof=is_defanged,
    undo=drop_spare,
    again=True,
    when=lambda c: c.defang is not None,
    only="Only where the inventory has `defang`.",
)
def defang(c: RunInputs) -> Command:
    """Apply the rules, masks and SQL files of the inventory's `defang` in one transaction.

    The clone gets the test database's name only afterwards, so no person, worker or mail sender reaches the clone
    before. Equal values get equal masks. The key of the masks is not stored."""
    given = {**_defang(c), "marker": c.names.clone_marker, "run": c.run, "report": f"{c.run_folder}/defang.json"}
    return Tool("defang", given)


@swap_clone.step(
    "Swap the clone in as the test database",
    changes="the test database: the clone replaces it",
    gates=(not_production,),
    proof=clone_is_live,
    undo=swap_back,
    again=True,
)
def swap(c: RunInputs) -> Command:
    """Rename both databases in one transaction, so that the test database is never missing.

    The former test database stays on the server under another name."""
    given = {"live": c.test_server.database, "incoming": c.names.spare, "aside": c.names.test_replaced}
    return Query("swap.sql", c.test, "postgres", given)


@swap_clone.step(
    "Drop earlier test databases",
    changes="the test server: earlier test databases are dropped",
    gates=(not_production,),
    proof=clone_is_live,
    stays="Only clones of earlier runs with the tool's mark are dropped. The last former test database stays.",
    again=True,
    when=lambda c: bool(c.test_server.tidy),
    only="Only if there are any.",
)
def tidy(c: RunInputs) -> list[Command]:
    """Drop the former test databases except the last one. They only use disk space."""
    mark = "generalprobe clone "
    return [
        Query("drop_database.sql", c.test, "postgres", {"name": name, "marker": mark}) for name in c.test_server.tidy
    ]


clone_prod_to_test = Procedure(
    "clone-prod-to-test",
    "Clone production to test",
    """Makes the test database an exact copy of production: takes a backup, restores that backup, proves by fingerprint
    that nothing is missing, and swaps the clone in. Use it to search for a bug on real data, or before trying
    migrations by hand. If the inventory has `defang`, the clone is defanged before the swap.""",
    """Production was only read. Until the swap, the former test database is unchanged; after the swap, it stays on the
    server under another name. `inv status` shows the state, `inv resume` continues, `inv undo` undoes the run.""",
    needs=(Need.PRODUCTION, Need.TEST_DATABASE, Need.NEW_BACKUP),
    restores=True,
)
clone_prod_to_test.include(backup)
clone_prod_to_test.include(restore_clone)
clone_prod_to_test.include(swap_clone)
