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

# What a restore writes: an archive's list, its parts in the order in which they are restored, and two reports.
FILES = ("list", "first", "rest", "keys", "last", "checks", "keys.sql")

# A foreign key that fails is added by the command behind this one, which names it. What it prints has values of rows.
TRIED = '"$@" 2> /dev/null || :'


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

    What the new database has already is left out. At the end, checks that depend on more than their row are held
    against the rows, materialized views are filled, and foreign keys that rows break become NOT VALID. Event triggers
    come last.

    Args:
        server: the target on whose server it is.
        found: what the files in the run's folder begin with.
        owned: with owners, grants, tablespaces and subscriptions.
    """
    listed, first, rest, keys, last, report, script = (f"{c.run_folder}/{found}.{part}" for part in FILES)
    there = {"server": server, "database": database}
    place = there | {"before": c.fingerprint}
    lists = {"listed": listed, "first": first, "rest": rest, "keys": keys, "last": last}
    where = ("--no-password", f"--dbname=service={server}{'' if owned else RESTORES} dbname={conninfo(database)}")

    def words(entries: str, *more: str) -> tuple[str, ...]:
        return from_dump(c, "pg_restore", *more, *(() if owned else BARE), f"--use-list={entries}")

    def restore(entries: str) -> Shell:
        return Shell(words(entries, *jobs(c), "--exit-on-error", *where), server)

    form = {} if owned else {"form": "bare"}
    rights = place | {"report": f"{c.run_folder}/{found}.opened"}
    return [
        *([Tool("open-schemas", rights)] if owned else []),
        listing(c, server, listed),
        Tool("choose-entries", place | lists | form),
        restore(first),
        Tool("loosen-checks", place | {"report": report}),
        restore(rest),
        Shell(("sh", "-c", TRIED, "try", *words(keys, *jobs(c), *where)), server),
        Shell(words(keys, "--file=-"), server, output=script),
        Tool("add-keys", there | {"script": script, "report": broken(c, found)}),
        *([Tool("close-schemas", rights)] if owned else []),
        Tool("tighten-checks", place | form | {"report": report} | ({} if c.apart else {"path_of": c.target})),
        restore(last),
    ]


def broken(c: RunInputs, found: str) -> str:
    """Name the file of the foreign keys that the rows break."""
    return f"{c.run_folder}/{found}.broken"


def equals_backup(c: RunInputs, server: str, database: str, found: str, *, owned: bool = True) -> list[Command]:
    """Hold a restored database against its backup: rows and sequences, and every object that the dump makes.

    Args:
        server: the target on whose server it is.
        found: the file in the run's folder that takes its fingerprint.
        owned: it was restored with owners and grants.
    """
    after = f"{c.run_folder}/{found}.jsonl"
    given = {"before": c.fingerprint, "after": after, "broken": broken(c, found)}
    given |= {} if owned else {"form": "bare"}
    look = Query("fingerprint.sql", server, database, {"objects": "yes"}, output=after)
    return [look, Tool("same-fingerprint", given)]
