"""Measure how far the copies, index builds and fingerprints of one command are, by the server's views.

The totals are the rows in the manifest of the restored backup, the sizes of the dumped tables and of those that a
fingerprint reads, and the size of an indexed table. The watchdog of the command asks on its own connection (``waits``).
An error never fails the command.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.core.errors import OpsError
from ops.core.pace import WINDOW, Meter, Pace
from ops.core.sql_files import SQL_FOLDER
from ops.engine.command import Command, Query, Tool
from ops.infra.session.session import Session
from ops.infra.stores import manifest
from ops.infra.stores.base_tables import FOLDER as BASE
from ops.infra.stores.base_tables import LargeTable, tables_in_base

if TYPE_CHECKING:
    import psycopg

# Seconds between two queries, at least.
EVERY = 1.0
# The unit of each kind of work.
UNITS = {"copy in": "rows", "copy out": "bytes", "read": "bytes", "index blocks": "bytes", "index rows": "rows"}
# The least bytes of a part of a table that several sessions read.
PART = 8_192_000
# Of the connection that reads the sizes of the tables: it must not wait for a lock of the command.
BRIEF = "-c statement_timeout=5s -c lock_timeout=200ms"
SIZES = """SELECT c.oid::int8, n.nspname || '.' || c.relname, c.reltuples::int8, pg_table_size(c.oid),
                  format('%I.%I', n.nspname, c.relname)
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^(pg_|information_schema$)'"""


@dataclass(frozen=True)
class Work:
    """A row of ``progress.sql``."""

    pid: int
    application: str
    work: str
    database: str
    relation: int
    done: int
    total: int
    inserted: int = 0
    reads: str = ""
    since: str = ""


@dataclass(frozen=True)
class Table:
    """A table: the planner's estimate of its rows, its bytes, and its name in SQL."""

    rows: int
    bytes: int
    name: str = ""


@dataclass
class Copies:
    """What was seen of the copies of one command, in one direction.

    A copy that is no longer seen has ended with at least the rows that were seen last.
    """

    seen: dict[tuple[int, int], int] = field(default_factory=dict)
    running: set[tuple[int, int]] = field(default_factory=set)
    before: int | None = None

    def take(self, works: Iterable[Work]) -> None:
        """Take the running copies."""
        found = {(one.pid, one.relation): one for one in works}
        self.seen |= {key: one.done for key, one in found.items()}
        self.running = set(found)

    def rows(self, works: list[Work]) -> int:
        """Return the copied rows: those that were seen, or those that the server counts, if these are more."""
        inserted = max((one.inserted for one in works), default=0)
        self.before = inserted if self.before is None else self.before
        return max(sum(self.seen.values()), inserted - self.before + sum(one.done for one in works))

    def bytes(self, tables: dict[int, Table], *, largest_first: bool) -> float:
        """Return the bytes of the tables that were read: all of a finished one, a part of a running one.

        Args:
            tables: all tables by oid.
            largest_first: a table that is larger than the running ones was read, even if it was not seen.
        """
        read, running = 0.0, [tables[relation].bytes for _, relation in self.running if relation in tables]
        for (pid, relation), rows in self.seen.items():
            table = tables.get(relation, Table(0, 0))
            whole = (pid, relation) not in self.running
            read += table.bytes * (1 if whole else min(rows / table.rows, 1) if table.rows > 0 else 0)
        if largest_first and running:
            unseen = tables.keys() - {relation for _, relation in self.seen}
            read += sum(tables[one].bytes for one in unseen if tables[one].bytes > max(running))
        return read


@dataclass
class Reads:
    """What was seen of the sessions that read tables for a fingerprint.

    The statements are those of ``table_rows.sql``: the largest table first. If several sessions read, a large table has
    parts of about a quarter of a session's share (``table_units.sql``).
    """

    seen: dict[str, set[tuple[int, str]]] = field(default_factory=dict)

    def bytes(self, works: list[Work], tables: list[Table], sessions: int) -> float:
        """Take the running statements, and return the bytes that were read.

        Args:
            works: the running statements.
            tables: all tables.
            sessions: the number of sessions that read.
        """
        for one in works:
            self.seen.setdefault(one.reads, set()).add((one.pid, one.since))
        total = sum(table.bytes for table in tables)
        share = max(total / (4 * sessions), PART) if sessions > 1 else math.inf
        parts = {one.name: max(math.ceil(one.bytes / share), len(self.seen.get(one.name, ())), 1) for one in tables}
        running = [one.reads for one in works]
        largest = max((one.bytes / parts[one.name] for one in tables if one.name in running), default=0)
        read = 0.0
        for table in tables:
            ended = len(self.seen.get(table.name, ())) - running.count(table.name)
            unseen = table.name not in self.seen and table.bytes / parts[table.name] > largest
            read += table.bytes * (1 if unseen else ended / parts[table.name])
        return read


class Gauge:
    """Measures the work of one command on one server.

    Args:
        session: the connections.
        target: the target whose server it is.
        command: the command.
        backup: the folder of the backup that the run restores, relative to the inventory's folder.
        tell: called with each measurement: the work, and its pace.
    """

    def __init__(
        self, session: Session, target: str, command: Command, backup: str, tell: Callable[[str, Pace], None]
    ) -> None:
        self.session, self.target, self.command, self.backup, self.tell = session, target, command, backup, tell
        self._copied, self._reads = {"copy in": Copies(), "copy out": Copies()}, Reads()
        self._meters: dict[str, Meter] = {}
        self._tables: dict[int, Table] | None = None
        self._parameters = command.parameters if isinstance(command, Query) else {}
        self._rows: int | None = None
        self._next = 0.0

    def look(self, connection: psycopg.Connection[Any], ours: Callable[[str, int], bool]) -> None:
        """Query the progress, at most once a second, and report it.

        Args:
            connection: any database of the server.
            ours: returns True for the application name and the process number of a session of the command.
        """
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        with contextlib.suppress(Exception):
            found = connection.execute((SQL_FOLDER / "progress.sql").read_bytes()).fetchall()
            self.take([work for row in found if ours((work := Work(*row)).application, work.pid)], time.monotonic())

    def take(self, works: list[Work], at: float) -> None:
        """Report the work that takes longest.

        Args:
            works: the present works of the command.
            at: monotonic seconds.
        """
        kinds: dict[str, list[Work]] = {}
        for one in works:
            # Each index is a work of its own.
            key = f"{one.work} {one.pid} {one.relation}" if one.work.startswith("index") else one.work
            kinds.setdefault(key, []).append(one)
        for kind, copies in self._copied.items():
            copies.take(kinds.get(kind, []))
        paces = [(found[0].work, self._pace(key, found, at)) for key, found in kinds.items()]
        known = [(kind, pace) for kind, pace in paces if pace.rate > 0]
        if known:
            self.tell(*max(known, key=lambda one: one[1].left or 0))

    def _pace(self, key: str, works: list[Work], at: float) -> Pace:
        kind = works[0].work
        # A part of a table can take minutes, and counts when it is read.
        meter = self._meters.setdefault(key, Meter(UNITS[kind], math.inf if kind == "read" else WINDOW))
        if kind == "copy in":
            return meter.take(at, self._copied[kind].rows(works), self._restored())
        if kind in ("copy out", "read"):
            tables = self._to_read(works[0].database, dumped=kind == "copy out")
            total = sum(table.bytes for table in tables.values())
            if kind == "read":
                sessions = int(self._parameters.get("sessions", "1"))
                return meter.take(at, self._reads.bytes(works, list(tables.values()), sessions), total)
            # Only a pg_dump with several jobs begins with the largest tables.
            given = self._parameters
            several = given.get("jobs", "1") != "1" and not {"recipients", "rate", "over"} & given.keys()
            return meter.take(at, self._copied[kind].bytes(tables, largest_first=several), total)
        return meter.take(at, works[0].done, works[0].total)

    def _restored(self) -> int:
        """Return the rows of the backup that the command restores; 0 if it restores none, or if they are unknown."""
        if isinstance(self.command, (Query, Tool)) or "pg_restore" not in self.command.words:
            return 0
        if self._rows is None:
            self._rows = 0
            some = any(str(word).startswith("--table") for word in self.command.words)
            with contextlib.suppress(OpsError):
                folder = self.session.inventory.path(self.backup)
                rows, linked = manifest.read_manifest(folder).rows, {one.name for one in _from_base(folder)}
                base = f"{self.backup}/{BASE}" in self.command.words
                self._rows = 0 if some else sum(count for name, count in rows.items() if (name in linked) == base)
        return self._rows

    def _to_read(self, database: str, *, dumped: bool) -> dict[int, Table]:
        """Return the tables to read by oid, without those whose rows are excluded.

        Args:
            dumped: omit the tables whose rows a dump takes from another backup.
        """
        if self._tables is None:
            self._tables = {}
            given = self._parameters.get("exclude", "").split()
            patterns = [one if "." in one else f"public.{one}" for one in given]
            options: dict[str, Any] = {"application_name": "generalprobe progress", "options": BRIEF}
            with self.session.connect(self.target, database, connect_timeout=5, **options) as connection:
                for oid, name, rows, size, quoted in connection.execute(SIZES).fetchall():
                    if not any(fnmatchcase(name, pattern) for pattern in patterns):
                        self._tables[oid] = Table(rows, size, quoted)
        if not (dumped and "base" in self._parameters):
            return self._tables
        folder = self.session.inventory.path(self._parameters["folder"])
        linked = {one.oid for one in _from_base(folder)}
        return {oid: table for oid, table in self._tables.items() if str(oid) not in linked}


def _from_base(folder: Path) -> list[LargeTable]:
    """Return the tables whose rows a backup takes from another one; none while the list is being written."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return tables_in_base(folder)
    return []
