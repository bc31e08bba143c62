"""clone-prod-to-test: the backup, restored and proved, becomes the test database."""

from __future__ import annotations

from ops.engine.command import Command, Query, Tool
from ops.engine.effects import StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.needs import Need
from ops.engine.step import Procedure, Time, check
from ops.procedures.backup import backup
from ops.procedures.checks import backup_is_whole, server_room
from ops.procedures.restore_proof import AGAIN, equals_backup, restoring

clone = Procedure(
    "clone",
    "Restore the backup as the test database",
    """Restores a backup into a spare database, proves by fingerprint that it equals what was dumped, and only then
    gives it the test database's name.""",
    "The test database that was there before is kept aside until the clone after next.",
)


@check("What is about to be replaced is not production", "give the test target a database of its own in the inventory")
def not_production(c: RunInputs) -> Command:
    """A test target that points at production is how production gets overwritten."""
    given = {"planned": c.test_server.system, "system": c.system, "database": c.database}
    return Query(
        "check_not_production.sql", c.test, "postgres", given | {"name": c.test_server.database, "other": c.names.spare}
    )


@check("There is room for a copy on the test server, as far as its disk can be seen", "inv status")
def room_for_copy(c: RunInputs) -> Command:
    """A disk that fills up stops the whole server, with all that is on it."""
    return server_room(c, c.test, c.test_server.like)


@check("The test server can hold a copy that is like production: encoding, locale, extensions, roles", "inv doctor")
def copy_fits(c: RunInputs) -> Command:
    """Under another locale text is equal, ordered and folded in another way, so what succeeds there can fail here."""
    return Query("check_fits.sql", c.test, "postgres", {"from": c.fingerprint})


def created(c: RunInputs, name: str, marker: str) -> list[Command]:
    """What makes an empty database on the test server that is like the one that was dumped.

    Args:
        name: what it is called.
        marker: its comment.
    """
    given = {"name": name, "like": c.test_server.like, "marker": marker, "run": c.run, "from": c.fingerprint}
    roles = Query("create_roles.sql", c.test, "postgres", {"from": c.fingerprint})
    return [Query("create_database.sql", c.test, "postgres", given), roles]


@check("The restored database equals what was dumped: every table, sequence and object", "inv resume")
def same_fingerprint(c: RunInputs) -> list[Command]:
    """pg_restore can end with 0 and have left something out."""
    return equals_backup(c, c.test, c.names.spare, "restored", owned=False)


@check("The test database is the clone, and open", "inv resume")
def clone_is_live(c: RunInputs) -> Command:
    """The mark inside the server says which run made it."""
    given = {"live": c.test_server.database, "incoming": c.names.spare, "marker": c.names.clone_marker}
    return Query("check_swapped.sql", c.test, "postgres", given)


def drop_spare(c: RunInputs) -> Command:
    """The spare database goes; it is marked as ours."""
    return Query("drop_database.sql", c.test, "postgres", {"name": c.names.spare, "marker": c.names.clone_marker})


def swap_back(c: RunInputs) -> list[Command]:
    """The former test database takes its name back."""
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


@clone.step(
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
    """Stops at the first error. The test database that is there stays as it is meanwhile; so every release also
    proves that its backup can be restored. The copy has production's encoding and locale; roles that its policies name
    are created where the server lacks them; foreign servers and dblink lead nowhere from it; subscriptions stay
    out. Then its statistics are gathered, the settings of production's database become its own, and its schema is
    compared with the backup's."""
    private = {"private": "yes"} if c.defang else {}
    like = {"target": c.target, "test": c.test, "database": c.names.spare, "before": c.fingerprint, **private}
    return [
        *created(c, c.names.spare, c.names.clone_marker),
        *restoring(c, c.test, c.names.spare, "restored", owned=False),
        Query("isolate.sql", c.test, c.names.spare),
        Query("analyze.sql", c.test, c.names.spare),
        Tool("match-clone", like),
    ]


def _defang(c: RunInputs) -> dict[str, str]:
    """What the tools of a defang are told. The digest binds a run to the inventory and the files of its plan."""
    digest = c.defang.digest if c.defang else ""
    given = {"target": c.target, "test": c.test, "database": c.names.spare}
    return given | ({"digest": digest} if digest else {})


@check("The inventory's `defang` fits the clone, and says what becomes of all that looks like personal data")
def is_classified(c: RunInputs) -> Command:
    """A column that was added since would reach the test database as it is, and nobody would know."""
    return Tool("check-defang", _defang(c))


@check("What was to be emptied is empty, what was to be masked is masked, and the schema is the backup's", "inv resume")
def is_defanged(c: RunInputs) -> Command:
    """Looked at in the tables; that the commands ended well is no proof."""
    return Tool("check-defanged", {**_defang(c), "marker": c.names.clone_marker, "before": c.fingerprint})


@clone.step(
    "Take out of the clone what could reach real people",
    changes="the spare database: people's data",
    takes=Time.DATABASE,
    gates=(not_production, is_classified),
    proof=is_defanged,
    undo=drop_spare,
    again=True,
    when=lambda c: c.defang is not None,
    only="Only where the inventory has `defang`.",
)
def defang(c: RunInputs) -> Command:
    """Rules, masks and the operator's SQL files of the inventory's `defang`, in one transaction, before the clone gets
    the name under which people, workers and mail senders reach it. Equal values get equal masks; what the masks are
    made with is kept nowhere."""
    given = {**_defang(c), "marker": c.names.clone_marker, "run": c.run, "report": f"{c.run_folder}/defang.json"}
    return Tool("defang", given)


@clone.step(
    "Give the clone the test database's name",
    changes="the test database: the spare one gets its name",
    gates=(not_production,),
    proof=clone_is_live,
    undo=swap_back,
    again=True,
)
def swap(c: RunInputs) -> Command:
    """Two renames in one transaction: there is no moment without a test database. The former one is kept aside."""
    given = {"live": c.test_server.database, "incoming": c.names.spare, "aside": c.names.test_replaced}
    return Query("swap.sql", c.test, "postgres", given)


@clone.step(
    "Drop the test databases of earlier clones",
    changes="the test server: earlier clones are dropped",
    gates=(not_production,),
    proof=clone_is_live,
    stays="Only clones of earlier runs go, and only those that carry our mark; the last one is kept aside.",
    again=True,
    when=lambda c: bool(c.test_server.tidy),
    only="Only where there are any.",
)
def tidy(c: RunInputs) -> list[Command]:
    """One former test database is kept; those before it would only fill the disk."""
    mark = "generalprobe clone "
    return [
        Query("drop_database.sql", c.test, "postgres", {"name": name, "marker": mark}) for name in c.test_server.tidy
    ]


clone_prod_to_test = Procedure(
    "clone-prod-to-test",
    "Clone production to test",
    """Makes the test database an exact copy of production as it is now: takes a backup, restores that very backup,
    proves by fingerprint that nothing is missing, and swaps it in. Use it to look for a bug on real data, or before
    trying migrations by hand. Where the inventory has `defang`, what could reach real people is taken out of the copy
    first.""",
    """Production was only read. Until the swap the old test database is untouched; after it, the old one is kept
    aside. `inv status` says what stands, `inv resume` goes on, `inv undo` takes it back.""",
    needs=(Need.PRODUCTION, Need.TEST_DATABASE, Need.NEW_BACKUP),
    restores=True,
)
clone_prod_to_test.include(backup)
clone_prod_to_test.include(clone)
