"""The restore, tried where it will be needed: on production's server, as production's role, without rows."""

from __future__ import annotations

from ops.engine.command import Command, Query, Shell, Tool, conninfo
from ops.engine.inputs import RunInputs
from ops.engine.step import Procedure, Time, check
from ops.procedures.backup import from_dump
from ops.procedures.checks import backup_is_whole, is_production
from ops.procedures.restore_proof import created_beside, listing

# What pg_restore says of each statement is kept; which of them failed is read from that.
SAID = 'umask 077; said="$1"; shift; "$@" 2> "$said" || :'
# What a trial leaves, each in the folder of its run: the restored schema, what pg_restore said, functions to look at,
# views that stay empty.
FILES = {"after": "beside.jsonl", "said": "beside.txt", "fragile": "fragile.jsonl", "empty": "empty.json"}

beside = Procedure(
    "beside",
    "Try the restore beside production",
    """Restores the backup's schema, with owners and grants and without rows, into an empty database on production's
    server, and drops it again.""",
    "Production itself is not touched.",
)


def report(c: RunInputs) -> str:
    """Where it stands what could not be restored."""
    return f"{c.run_folder}/beside.json"


@check("The trial was judged, and its database is gone", "inv resume")
def was_tried(c: RunInputs) -> list[Command]:
    """It would lie beside production until somebody wonders what it is."""
    return [
        Shell(("test", "-s", report(c)), c.target),
        Query("check_gone.sql", c.target, "postgres", {"name": c.names.trial}),
    ]


def drop_tried(c: RunInputs) -> Query:
    """It carries this run's mark and has no rows; nothing else is dropped."""
    return Query("drop_database.sql", c.target, "postgres", {"name": c.names.trial, "marker": c.names.trial_marker})


def forget_trial(c: RunInputs) -> list[Command]:
    """What was tried is gone, and so is what was found."""
    return [drop_tried(c), Shell(("rm", "-f", report(c)), c.target)]


def trial(c: RunInputs, folder: str) -> list[Command]:
    """Restore, look, drop: what was found stands in a folder, and is judged afterwards."""
    where = f"--dbname=service={c.target} dbname={conninfo(c.names.trial)}"
    listed, entries = f"{folder}/beside.list", f"{folder}/beside.entries"
    place = {"server": c.target, "database": c.names.trial, "before": c.fingerprint}
    rights = place | {"report": f"{folder}/beside.opened"}
    parts = ("--section=pre-data", "--section=post-data", f"--use-list={entries}", "--no-password", where)
    return [
        created_beside(c, c.names.trial, c.names.trial_marker),
        Tool("open-schemas", rights),
        listing(c, c.target, listed),
        Tool("choose-entries", place | {"listed": listed, "rest": entries}),
        Shell(("sh", "-c", SAID, "try", f"{folder}/{FILES['said']}", *from_dump(c, "pg_restore", *parts)), c.target),
        Tool("close-schemas", rights),
        Tool("fill-views", place | {"report": f"{folder}/{FILES['empty']}"}),
        Query("fingerprint.sql", c.target, c.names.trial, {"objects": "yes"}, output=f"{folder}/{FILES['after']}"),
        Query("fragile.sql", c.target, c.names.trial, output=f"{folder}/{FILES['fragile']}"),
        drop_tried(c),
    ]


def judged(c: RunInputs) -> Tool:
    """What says whether all of it was restored."""
    found = {name: f"{c.run_folder}/{file}" for name, file in FILES.items()}
    return Tool("judge-trial", {"target": c.target, "before": c.fingerprint, **found, "report": report(c)})


@beside.step(
    "Restore the backup's schema beside production, and drop it again",
    changes="production's server: an empty database, for the time of the step",
    takes=Time.DATABASE,
    gates=(is_production, backup_is_whole),
    proof=was_tried,
    undo=forget_trial,
    again=True,
)
def restore(c: RunInputs) -> list[Command]:
    """On the server and as the role with which a rollback works, with owners and grants, without rows: a test server
    knows other roles and other rights. Whatever could not be restored is named here, with what an administrator types
    once, before anything is frozen. Production itself is not touched."""
    return [*trial(c, c.run_folder), judged(c)]
