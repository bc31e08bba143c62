"""Every restore and its proof: one list of commands, whoever restores and wherever."""

from __future__ import annotations

from ops.engine.command import Command, Query, Shell, Tool, conninfo
from ops.engine.inputs import RunInputs
from ops.infra.postgres.session_settings import RESTORES
from ops.procedures.backup import from_dump, jobs

# As on a test server, where those roles and disks may not be, and where nothing may be fetched from another server.
BARE = ("--no-owner", "--no-privileges", "--no-tablespaces", "--no-subscriptions")

# Jobs of pg_restore may wait for each other at a partitioned table: the server ends one of them, and all is done again.
AGAIN = 2


def created_beside(c: RunInputs, name: str, marker: str) -> Query:
    """What makes an empty database beside production that is like it.

    Args:
        name: what it is called.
        marker: its comment.
    """
    given = {"name": name, "like": c.database, "marker": marker, "run": c.run, "from": c.fingerprint}
    return Query(
        "create_database.sql",
        c.target,
        "postgres",
        given | ({"template": c.beside.template} if c.beside.template else {}),
    )


def listing(c: RunInputs, server: str, listed: str) -> Shell:
    """What writes the archive's list to a file."""
    return Shell(from_dump(c, "pg_restore", "--list"), server, output=listed)


def restoring(c: RunInputs, server: str, database: str, found: str, *, owned: bool = True) -> list[Command]:
    """Restore the backup into a database, stopping at the first error.

    What the new database has already is left out; checks that depend on more than their row are held against the rows
    at the end, and materialized views that need search_path are filled there.

    Args:
        server: the target on whose server it is.
        found: what the files in the run's folder begin with.
        owned: with owners, grants, tablespaces and subscriptions.
    """
    listed, first, rest, report = (f"{c.run_folder}/{found}.{end}" for end in ("list", "first", "rest", "checks"))
    place = {"server": server, "database": database, "before": c.fingerprint}
    lists = {"listed": listed, "first": first, "rest": rest} | ({} if owned else {"form": "bare"})
    where = ("--no-password", f"--dbname=service={server}{'' if owned else RESTORES} dbname={conninfo(database)}")

    def restore(entries: str) -> Shell:
        words = (*jobs(c), "--exit-on-error", *(() if owned else BARE), f"--use-list={entries}", *where)
        return Shell(from_dump(c, "pg_restore", *words), server)

    path = {} if c.apart else {"path_of": c.target}
    rights = place | {"report": f"{c.run_folder}/{found}.opened"}
    return [
        *([Tool("open-schemas", rights)] if owned else []),
        listing(c, server, listed),
        Tool("choose-entries", place | lists),
        restore(first),
        Tool("loosen-checks", place | {"report": report}),
        restore(rest),
        *([Tool("close-schemas", rights)] if owned else []),
        Tool("tighten-checks", place | {"report": report} | path),
    ]


def equals_backup(c: RunInputs, server: str, database: str, found: str, *, owned: bool = True) -> list[Command]:
    """Hold a restored database against its backup: rows and sequences, and every object that the dump makes.

    Args:
        server: the target on whose server it is.
        found: the file in the run's folder that takes its fingerprint.
        owned: it was restored with owners and grants.
    """
    after = f"{c.run_folder}/{found}.jsonl"
    given = {"before": c.fingerprint, "after": after} | ({} if owned else {"form": "bare"})
    look = Query("fingerprint.sql", server, database, {"objects": "yes"}, output=after)
    return [look, Tool("same-fingerprint", given)]
