"""clone-prod-to-test: the backup, restored and proved, becomes the test database."""

from __future__ import annotations

from ops.command import Command, Query, Shell, Tool
from ops.inputs import Inputs
from ops.procedures.backup import backup, backup_is_whole, restore_words, server_room
from ops.step import Procedure, check

clone = Procedure(
    "clone",
    "Restore the backup as the test database",
    """Restores a backup into a spare database, proves by fingerprint that it equals what was dumped, and only then
    gives it the test database's name.""",
    "The test database that was there before is kept aside until the clone after next.",
)


@check("What is about to be replaced is not production", "give the test target a database of its own in the inventory")
def not_production(c: Inputs) -> Command:
    """A test target that points at production is how production gets overwritten."""
    given = {"planned": c.test_system, "system": c.system, "database": c.database}
    return Query("check_not_production.sql", c.test, "postgres", given | {"name": c.test_database, "other": c.spare})


@check("There is room for a copy on the test server, as far as its disk can be seen", "inv status")
def room_for_copy(c: Inputs) -> Command:
    """A disk that fills up stops the whole server, with all that is on it."""
    return server_room(c, c.test, c.test_like)


@check("The restored database equals what was dumped: every table, every sequence", "inv resume")
def same_fingerprint(c: Inputs) -> list[Command]:
    """pg_restore can end with 0 and have left something out."""
    found = f"{c.run_folder}/restored.jsonl"
    return [
        Query("fingerprint.sql", c.test, c.spare, output=found),
        Tool("same-fingerprint", {"before": c.fingerprint, "after": found}),
    ]


@check("The test database is the clone, and open", "inv resume")
def clone_is_live(c: Inputs) -> Command:
    """The mark inside the server says which run made it."""
    given = {"live": c.test_database, "incoming": c.spare, "marker": c.clone_marker}
    return Query("check_swapped.sql", c.test, "postgres", given)


def drop_spare(c: Inputs) -> Command:
    """The spare database goes; it is marked as ours."""
    return Query("drop_database.sql", c.test, "postgres", {"name": c.spare, "marker": c.clone_marker})


def swap_back(c: Inputs) -> list[Command]:
    """The former test database takes its name back."""
    if not c.test_exists:
        return [Query("drop_database.sql", c.test, "postgres", {"name": c.test_database, "marker": c.clone_marker})]
    given = {"live": c.test_database, "incoming": c.test_replaced, "aside": c.spare}
    return [Query("swap.sql", c.test, "postgres", given)]


@clone.step(
    "Restore the backup into a spare database",
    gates=(not_production, backup_is_whole, room_for_copy),
    proof=same_fingerprint,
    undo=drop_spare,
    again=True,
)
def restore(c: Inputs) -> list[Command]:
    """Stops at the first error. The test database that is there stays as it is meanwhile; so every release also
    proves that its backup can be restored."""
    created = {"name": c.spare, "like": c.test_like, "marker": c.clone_marker, "run": c.run}
    words = restore_words(c, c.test, c.spare, owned=False)
    return [
        Query("create_database.sql", c.test, "postgres", created),
        Shell(words, c.test, env={"PGOPTIONS": "-c synchronous_commit=off -c maintenance_work_mem=256MB"}),
    ]


def _defang(c: Inputs) -> dict[str, str]:
    """What the tools of a defang are told. The digest binds a run to the inventory and the files of its plan."""
    digest = c.defang.digest if c.defang else ""
    given = {"target": c.target, "test": c.test, "database": c.spare}
    return given | ({"digest": digest} if digest else {})


@check("The inventory's `defang` fits the clone, and says what becomes of all that looks like personal data")
def is_classified(c: Inputs) -> Command:
    """A column that was added since would reach the test database as it is, and nobody would know."""
    return Tool("check-defang", _defang(c))


@check("What was to be emptied is empty, what was to be masked is masked, and the schema is the backup's", "inv resume")
def is_defanged(c: Inputs) -> Command:
    """Looked at in the tables; that the commands ended well is no proof."""
    return Tool("check-defanged", {**_defang(c), "marker": c.clone_marker, "before": c.fingerprint})


@clone.step(
    "Take out of the clone what could reach real people",
    gates=(not_production, is_classified),
    proof=is_defanged,
    undo=drop_spare,
    again=True,
    when=lambda c: c.defang is not None,
    only="Only where the inventory has `defang`.",
)
def defang(c: Inputs) -> Command:
    """Rules, masks and the operator's SQL files of the inventory's `defang`, in one transaction, before the clone gets
    the name under which people, workers and mail senders reach it. Equal values get equal masks; what the masks are
    made with is kept nowhere."""
    given = {**_defang(c), "marker": c.clone_marker, "run": c.run, "report": f"{c.run_folder}/defang.json"}
    return Tool("defang", given)


@clone.step(
    "Give the clone the test database's name", gates=(not_production,), proof=clone_is_live, undo=swap_back, again=True
)
def swap(c: Inputs) -> Command:
    """Two renames in one transaction: there is no moment without a test database. The former one is kept aside."""
    given = {"live": c.test_database, "incoming": c.spare, "aside": c.test_replaced}
    return Query("swap.sql", c.test, "postgres", given)


@clone.step(
    "Drop the test databases of earlier clones",
    gates=(not_production,),
    proof=clone_is_live,
    stays="Only clones of earlier runs go, and only those that carry our mark; the last one is kept aside.",
    again=True,
    when=lambda c: bool(c.tidy),
    only="Only where there are any.",
)
def tidy(c: Inputs) -> list[Command]:
    """One former test database is kept; those before it would only fill the disk."""
    mark = "generalprobe clone "
    return [Query("drop_database.sql", c.test, "postgres", {"name": name, "marker": mark}) for name in c.tidy]


clone_prod_to_test = Procedure(
    "clone-prod-to-test",
    "Clone production to test",
    """Makes the test database an exact copy of production as it is now: takes a backup, restores that very backup,
    proves by fingerprint that nothing is missing, and swaps it in. Use it to look for a bug on real data, or before
    trying migrations by hand. Where the inventory has `defang`, what could reach real people is taken out of the copy
    first.""",
    """Production was only read. Until the swap the old test database is untouched; after it, the old one is kept
    aside. `inv status` says what stands, `inv resume` goes on, `inv undo` takes it back.""",
)
clone_prod_to_test.include(backup)
clone_prod_to_test.include(clone)
