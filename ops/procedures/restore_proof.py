"""Define the commands of a restore and of its proof, which every procedure that restores a backup uses."""

from __future__ import annotations

from dataclasses import dataclass

from ops.engine.command import Command, Query, Shell, Tool, conninfo
from ops.engine.inputs import RunInputs
from ops.infra.postgres.session_settings import RESTORES
from ops.infra.stores.base_tables import FOLDER as BASE
from ops.procedures.backup import from_dump, jobs
from ops.procedures.checks import take_fingerprint

# For a test server, which may lack roles and tablespaces, and which must not fetch rows from another server.
BARE = ("--no-owner", "--no-privileges", "--no-tablespaces", "--no-subscriptions")

# Jobs of pg_restore can deadlock at a partitioned table. The server cancels one of them, and the restore is repeated.
AGAIN = 2

# The files of a restore: the archive's list, its parts in the order of the restore, and two reports.
FILES = ("list", "first", "rest", "keys", "last", "checks", "keys.sql")

# The next command does nothing if the folder does not exist: most backups have no rows from another one.
IF_THERE = '[ ! -d "$1" ] || { shift; exec "$@"; }'

# The next command adds a foreign key that fails, and names it. The output is dropped because it quotes row values.
TRIED = '"$@" 2> /dev/null || :'


def created_beside(c: RunInputs, name: str, marker: str) -> Query:
    """Return the query that creates an empty database like production, on production's server.

    Args:
        name: the new database's name.
        marker: the new database's comment.
    """
    given = {"name": name, "like": c.database, "marker": marker, "run": c.run, "from": c.fingerprint}
    return Query(
        "create_database.sql",
        c.target,
        "postgres",
        given | ({"template": c.beside.template} if c.beside.template else {}),
    )


def listing(c: RunInputs, server: str, listed: str) -> Shell:
    """Return the command that writes the archive's list to a file."""
    return Shell(from_dump(c, "pg_restore", "--list"), server, output=listed)


def base_entries(c: RunInputs, server: str, found: str) -> list[Command]:
    """Return the commands that list the tables whose rows a backup takes from another one (``base``).

    Args:
        found: the prefix of the file names in the run's folder.
    """
    listed = f"{c.run_folder}/{found}.base-list"
    return [
        Shell(_in_base(c, "pg_restore", "--list"), server, output=listed),
        Tool("choose-base", {"folder": c.backup_folder, "listed": listed, "entries": rows_list(c, found)}),
    ]


def rows_list(c: RunInputs, found: str) -> str:
    """Return the path of the list of the rows that a backup takes from another one; it is empty if there are none."""
    return f"{c.run_folder}/{found}.base"


def base_rows(c: RunInputs, server: str, found: str, *words: str) -> Shell:
    """Return the command that restores rows of these tables; it does nothing if all rows are in the backup's dump.

    Args:
        words: pg_restore's options.
    """
    return Shell(_in_base(c, "pg_restore", f"--use-list={rows_list(c, found)}", *words), server)


def _in_base(c: RunInputs, *words: str) -> tuple[str, ...]:
    folder = f"{c.backup_folder}/{BASE}"
    return ("sh", "-c", IF_THERE, "try", folder, *from_dump(c, *words, folder=folder))


@dataclass(frozen=True)
class _Into:
    """Make the calls of pg_restore into one database."""

    c: RunInputs
    server: str
    database: str
    owned: bool

    @property
    def form(self) -> tuple[str, ...]:
        return () if self.owned else BARE

    @property
    def where(self) -> tuple[str, ...]:
        pinned = "" if self.owned else RESTORES
        return ("--no-password", f"--dbname=service={self.server}{pinned} dbname={conninfo(self.database)}")

    @property
    def strictly(self) -> tuple[str, ...]:
        return (*jobs(self.c), "--exit-on-error", *self.where)

    def words(self, entries: str, *more: str) -> tuple[str, ...]:
        return from_dump(self.c, "pg_restore", *more, *self.form, f"--use-list={entries}")

    def restore(self, entries: str) -> Shell:
        return Shell(self.words(entries, *self.strictly), self.server)


def restoring(c: RunInputs, server: str, database: str, found: str, *, owned: bool = True) -> list[Command]:
    """Restore the backup into a database, stopping at the first error.

    Entries that the new database already has are left out. Check constraints that depend on more than their row are
    validated at the end, and materialized views that need search_path are filled at the end. Foreign keys that rows
    break are restored NOT VALID. Rows that the backup takes from another one follow the tables. Event triggers are
    restored last, so that they do not fire during the restore.

    Args:
        server: the target whose server holds the database.
        found: the prefix of the file names in the run's folder.
        owned: restore owners, grants, tablespaces and subscriptions.
    """
    listed, first, rest, keys, last, report, script = (f"{c.run_folder}/{found}.{part}" for part in FILES)
    there, base = {"server": server, "database": database}, {"base": rows_list(c, found)}
    place = there | {"before": c.fingerprint}
    lists = {"listed": listed, "first": first, "rest": rest, "keys": keys, "last": last} | base
    into = _Into(c, server, database, owned)
    form, done = {} if owned else {"form": "bare"}, {"report": report, "done": finished(c, found)}
    rights = place | {"report": f"{c.run_folder}/{found}.opened"}
    return [
        *([Tool("open-schemas", rights)] if owned else []),
        listing(c, server, listed),
        *base_entries(c, server, found),
        Tool("choose-entries", place | lists | form),
        into.restore(first),
        Tool("loosen-checks", place | done),
        base_rows(c, server, found, *into.form, *into.strictly),
        into.restore(rest),
        Shell(("sh", "-c", TRIED, "try", *into.words(keys, *jobs(c), *into.where)), server),
        Shell(into.words(keys, "--file=-"), server, output=script),
        Tool("add-keys", there | {"script": script, "report": broken(c, found)}),
        *([Tool("close-schemas", rights)] if owned else []),
        Tool("tighten-checks", place | form | done | ({} if c.apart else {"path_of": c.target})),
        into.restore(last),
    ]


def broken(c: RunInputs, found: str) -> str:
    """Return the path of the list of foreign keys that the rows break."""
    return f"{c.run_folder}/{found}.broken"


def finished(c: RunInputs, found: str) -> str:
    """Return the path of the report of ``tighten-checks``, which an interrupted restore does not have."""
    return f"{c.run_folder}/{found}.finished"


def equals_backup(c: RunInputs, server: str, database: str, found: str, *, owned: bool = True) -> list[Command]:
    """Compare a restored database with its backup: rows, sequences, and every object of the dump.

    Args:
        server: the target whose server holds the database.
        found: the name of the file in the run's folder that receives the fingerprint.
        owned: the database was restored with owners and grants.
    """
    after = f"{c.run_folder}/{found}.jsonl"
    given = {"before": c.fingerprint, "after": after, "broken": broken(c, found)}
    given |= {} if owned else {"form": "bare"}
    look = take_fingerprint(c, server, database, output=after, objects=True)
    # Before the end of a restore, checks and views can be there and not be as they were.
    return [Shell(("test", "-e", finished(c, found)), server), look, Tool("same-fingerprint", given)]
