"""Define a trial restore on production's server: as production's role, without rows."""

from __future__ import annotations

from ops.engine.command import Command, Query, Shell, Tool, conninfo
from ops.engine.inputs import RunInputs
from ops.engine.step import Procedure, Time, check
from ops.procedures.backup import from_dump
from ops.procedures.checks import backup_is_whole, is_production
from ops.procedures.restore_proof import created_beside, listing

# The output of pg_restore is stored, to read from it which statements failed.
SAID = 'umask 077; said="$1"; shift; "$@" 2> "$said" || :'
# The files of a trial in its run's folder: the restored schema, the output of pg_restore, functions to inspect, views
# that stay empty.
FILES = {"after": "beside.jsonl", "said": "beside.txt", "fragile": "fragile.jsonl", "empty": "empty.json"}

beside = Procedure(
    "beside",
    "Try a restore beside production",
    """Restores the backup's schema, with owners and grants and without rows, into an empty database on production's
    server, and drops the database.""",
    "Production itself is not changed.",
)


def report(c: RunInputs) -> str:
    """Return the path of the report of what could not be restored."""
    return f"{c.run_folder}/beside.json"


@check("The trial was judged, and its database does not exist", "inv resume")
def was_tried(c: RunInputs) -> list[Command]:
    """Detect a trial's database that stays on production's server."""
    return [
        Shell(("test", "-s", report(c)), c.target),
        Query("check_gone.sql", c.target, "postgres", {"name": c.names.trial}),
    ]


def drop_tried(c: RunInputs) -> Query:
    """Drop the trial's database, which has no rows. The drop is refused without this run's mark."""
    return Query("drop_database.sql", c.target, "postgres", {"name": c.names.trial, "marker": c.names.trial_marker})


def forget_trial(c: RunInputs) -> list[Command]:
    """Drop the trial's database, and remove the trial's report."""
    return [drop_tried(c), Shell(("rm", "-f", report(c)), c.target)]


def trial(c: RunInputs, folder: str) -> list[Command]:
    """Return the commands that restore, inspect and drop the trial's database, and write the findings to a folder."""
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
    """Return the command that judges whether everything was restored."""
    found = {name: f"{c.run_folder}/{file}" for name, file in FILES.items()}
    return Tool("judge-trial", {"target": c.target, "before": c.fingerprint, **found, "report": report(c)})


@beside.step(
    "Restore the backup's schema beside production, then drop it",
    changes="production's server: an empty database during the step",
    takes=Time.DATABASE,
    gates=(is_production, backup_is_whole),
    proof=was_tried,
    undo=forget_trial,
    again=True,
)
def restore(c: RunInputs) -> list[Command]:
    """Restore the schema on production's server as the role of a rollback, with owners and grants, without rows.

    A test server has other roles and rights. The step names each object that could not be restored, and the commands
    for an administrator, before a rollback needs them. Production itself is not changed."""
    return [*trial(c, c.run_folder), judged(c)]
