"""Define the measurements of a rehearsal's migrations (``measures.json``), and report and use them. Pure.

Times are in seconds, sizes in bytes. Locks and times are sampled; ``interval`` and ``widest`` are the median and the
longest interval. Rows, rewritten relations and growth come from the server's counters and catalogs. A change that could
be the work of several migrations is in ``together`` with all their names, and in none of the single measurements.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ops.core.files import write_whole
from ops.core.text import amount, counted, duration, listed
from ops.release.migration_list import MARKED, PLAIN
from ops.verdict.model import BOOKKEEPING

FILE = "measures.json"
LINES = 6
# If writers wait longer than this, a freeze is better: it gives them an error at once.
LONGEST_WAIT = 1.0


class Model(BaseModel):
    """Serve as the base of the models."""

    model_config = ConfigDict(frozen=True)


class LockMeasure(Model):
    """Hold the strongest lock on a relation that existed before the run.

    ``seconds`` is how long the lock was held. ``writes_blocked`` and ``reads_blocked`` are how long writers and readers
    would have waited, each with its longest continuous wait. ``sampled`` is false if no sample has the lock, but the
    catalog proves it.
    """

    relation: str
    mode: str
    seconds: float
    writes_blocked: float = 0
    reads_blocked: float = 0
    longest_write_block: float = 0
    longest_read_block: float = 0
    sampled: bool = True


class Rows(Model):
    """Count the rows written to a table, including rolled back rows. ``existed``: the table existed before the run."""

    table: str
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    existed: bool = True


class Change(Model):
    """Hold the change of a relation: new, dropped, renamed, rewritten (another file) or rebuilt (an index)."""

    relation: str
    kind: Literal["table", "index"]
    what: Literal["new", "dropped", "renamed", "rewritten", "rebuilt"]
    existed: bool = True


class Effects(Model):
    """Hold the changes of the database."""

    rows: tuple[Rows, ...] = ()
    changes: tuple[Change, ...] = ()
    growth: int = 0


class MigrationMeasure(Model):
    """Hold the measurements of one migration.

    ``effects`` are only changes that no other migration can have made. ``wal`` is the WAL of the whole server.
    """

    migration: str
    state: Literal["applied", "failed"]
    seconds: float
    error: str = ""
    locks: tuple[LockMeasure, ...] = ()
    wal: int = 0
    effects: Effects = Effects()


class Together(Model):
    """Hold changes that one of several migrations made, and it is unknown which one."""

    migrations: tuple[str, ...]
    effects: Effects


class Measures(Model):
    """Hold the measurements of a rehearsal. ``total`` is exact; ``why_not`` is why nothing was measured."""

    run: str
    backup: str
    seconds: float = 0
    migrations: tuple[MigrationMeasure, ...] = ()
    together: tuple[Together, ...] = ()
    total: Effects = Effects()
    wal: int = 0
    samples: int = 0
    interval: float = 0
    widest: float = 0
    why_not: str = ""

    def data(self) -> dict[str, Any]:
        """Return the measurements as JSON data."""
        return self.model_dump(mode="json")

    def lines(self) -> list[str]:
        """Return a few lines, one for each migration, in the order in which the migrations ran.

        If there are too many, select the failed, the blocking and the slowest migrations.
        """
        if self.why_not:
            return [f"not measured: {self.why_not}"]
        short, blocks = _short([m.migration for m in self.migrations]), self.blocks()
        groups = [(group, said) for group in self.together if (said := _effects(group.effects))][:LINES]
        worst = sorted(self.migrations, key=lambda m: (m.state != "failed", m.migration not in blocks, -m.seconds))
        few = len(worst) + len(groups) <= LINES
        shown = worst if few else worst[: max(LINES - 1 - len(groups), 1)]
        lines = [
            (MARKED if m.migration in blocks else PLAIN) + _line(short[m.migration], m)
            for m in self.migrations
            if m in shown
        ]
        for group, said in groups:
            first, last = short.get(group.migrations[0], ""), short.get(group.migrations[-1], "")
            lines.append(f"{PLAIN}{first} to {last} together: {', '.join(said)}")
        more = f"{PLAIN}and {len(worst) - len(shown)} more: see {FILE} in the run's folder"
        return lines if few else [*lines, more]

    def blocks(self) -> dict[str, str]:
        """Return what each migration blocked for readers or writers. Omit migrations that blocked nobody."""
        return {m.migration: ", ".join(said) for m in self.migrations if (said := _blocked(m))}

    def half_done(self) -> str:
        """Return text for the message of a failed migration: how long it ran, and what was applied before it."""
        last = self.migrations[-1] if self.migrations else None
        if self.why_not or last is None or last.state != "failed":
            return ""
        done = [m.migration for m in self.migrations[:-1]]
        before = f"; applied before it: {', '.join(done[-3:])}" if done else "; it was the first migration"
        return f" (after {span(last.seconds)}{before})"


class Measured(Model):
    """Hold the measurements of a certificate. ``updated`` and ``deleted`` count rows of tables that existed before."""

    seconds: float
    longest_write_block: float
    longest_read_block: float
    updated: int
    deleted: int
    dropped: tuple[str, ...]
    rewritten: tuple[str, ...]
    blocked: tuple[str, ...]


def write(path: Path, measures: Measures) -> None:
    """Write the measurements atomically."""
    write_whole(path, measures.model_dump_json(indent=1))


def read(path: Path) -> Measures | None:
    """Read the measurements. Return None if the file is missing or damaged."""
    try:
        return Measures.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def newest(folder: Path, backup: str, pending: Sequence[str]) -> Measures | None:
    """Return the newest complete measurements of exactly these migrations on a clone of this backup."""
    for path in sorted((folder / "runs").glob(f"*/{FILE}"), reverse=True):
        found = read(path)
        if found and not found.why_not and found.backup == backup:
            names = [m.migration for m in found.migrations if m.state == "applied"]
            if names == list(pending) and len(names) == len(found.migrations):
                return found
    return None


def joined(earlier: Measures | None, later: Measures) -> Measures:
    """Return the measurements of a resumed run: of the earlier migrations and of the new ones."""
    if earlier is None or earlier.run != later.run or earlier.why_not:
        return later
    again = {m.migration for m in later.migrations}
    done = [m for m in earlier.migrations if m.migration not in again and m.state == "applied"]
    if not done:
        return later
    rows: dict[str, Rows] = {}
    for one in (*earlier.total.rows, *later.total.rows):
        rows[one.table] = _sum(rows[one.table], one) if one.table in rows else one
    existed = {change.relation for change in earlier.total.changes if change.what == "new"}
    changes = [c.model_copy(update={"existed": c.existed and c.relation not in existed}) for c in later.total.changes]
    total = Effects(
        rows=tuple(rows.values()),
        changes=(*earlier.total.changes, *changes),
        growth=earlier.total.growth + later.total.growth,
    )
    return later.model_copy(
        update={
            "migrations": (*done, *later.migrations),
            "together": (*earlier.together, *later.together),
            "total": total,
            "seconds": round(sum(m.seconds for m in (*done, *later.migrations)), 3),
            "wal": earlier.wal + later.wal,
            "samples": earlier.samples + later.samples,
            "widest": max(earlier.widest, later.widest),
        }
    )


def _sum(one: Rows, other: Rows) -> Rows:
    return Rows(
        table=one.table,
        inserted=one.inserted + other.inserted,
        updated=one.updated + other.updated,
        deleted=one.deleted + other.deleted,
        existed=one.existed,
    )


def summary(measures: Measures) -> Measured:
    """Return the measurements for the certificate, without rows of Django's own bookkeeping tables."""
    locks = [lock for migration in measures.migrations for lock in migration.locks]
    rows = [r for r in measures.total.rows if r.existed and r.table.split(".")[-1] not in BOOKKEEPING]
    tables = [c for c in measures.total.changes if c.existed and c.kind == "table"]
    return Measured(
        seconds=measures.seconds,
        longest_write_block=max((lock.longest_write_block for lock in locks), default=0),
        longest_read_block=max((lock.longest_read_block for lock in locks), default=0),
        updated=sum(r.updated for r in rows),
        deleted=sum(r.deleted for r in rows),
        dropped=tuple(c.relation for c in tables if c.what == "dropped"),
        rewritten=tuple(c.relation for c in tables if c.what == "rewritten"),
        # A lock too short for a sample may still have to wait on production.
        blocked=tuple(sorted({lock.relation for lock in locks if lock.longest_write_block or not lock.sampled})),
    )


def asks_freeze(measured: Measured | None) -> str:
    """Return why production needs a freeze by the measurements, or an empty string."""
    if measured is None:
        return ""
    said = []
    for number, word in ((measured.updated, "updated"), (measured.deleted, "deleted")):
        if number:
            said.append(f"{number:,} rows of existing tables were {word}")
    for names, word in ((measured.dropped, "dropped"), (measured.rewritten, "rewritten")):
        if names:
            said.append(f"{_listed(names)} {'was' if len(names) == 1 else 'were'} {word}")
    if measured.longest_write_block > LONGEST_WAIT:
        said.append(f"writes were blocked for {span(measured.longest_write_block)}")
    return "; ".join(said)


def span(seconds: float) -> str:
    """Return a duration as text."""
    return "less than 0.1 s" if seconds < 0.1 else duration(seconds)


def bare(name: str) -> str:
    """Return a relation's name without the schema ``public``."""
    return name.removeprefix("public.")


def _line(name: str, migration: MigrationMeasure) -> str:
    failed = "failed after " if migration.state == "failed" else ""
    said = [f"{failed}{span(migration.seconds)}", *_blocked(migration), *_effects(migration.effects)]
    if migration.wal >= 1000:
        said.append(f"{amount(migration.wal)} WAL")
    return f"{name}: " + ", ".join(said)


def _blocked(migration: MigrationMeasure) -> list[str]:
    """List the relations that a migration blocked and for how long, the longest first."""
    said = []
    blocking = sorted((lock for lock in migration.locks if _blocks(lock)), key=lambda lock: -lock.writes_blocked)
    for lock in blocking[:2]:
        both = lock.mode == "AccessExclusiveLock" and lock.reads_blocked >= lock.writes_blocked * 0.9
        what = "reads and writes of" if both else "writes to"
        said.append(f"{what} {bare(lock.relation)} blocked for {span(lock.writes_blocked)}")
        if not both and lock.reads_blocked:
            said.append(f"reads for {span(lock.reads_blocked)}")
    if len(blocking) > 2:
        said.append(f"{counted(len(blocking) - 2, 'more relation')} blocked for less time")
    return said


def _blocks(lock: LockMeasure) -> bool:
    return bool(lock.writes_blocked) or lock.mode == "AccessExclusiveLock"


def _effects(effects: Effects) -> list[str]:
    said = []
    for word in ("updated", "deleted", "inserted"):
        written = {r.table: getattr(r, word) for r in effects.rows if r.table.split(".")[-1] not in BOOKKEEPING}
        written = {table: number for table, number in written.items() if number}
        if written:
            number = sum(written.values())
            said.append(f"{counted(number, 'row')} {word} in {_listed(list(written))}")
    for what in ("rewritten", "dropped"):
        names = [c.relation for c in effects.changes if c.what == what and c.kind == "table"]
        if names:
            said.append(f"{_listed(names)} {what}")
    indexes = Counter(c.what for c in effects.changes if c.kind == "index" and c.what in ("rewritten", "rebuilt"))
    if number := sum(indexes.values()):
        said.append(f"{counted(number, 'index', 'es')} rebuilt")
    return said


def _listed(names: Sequence[str]) -> str:
    return listed([bare(name) for name in names], 2)


def _short(names: Sequence[str]) -> dict[str, str]:
    """Shorten each migration's name to app and number if that is unique."""
    cut = {name: match[1] if (match := re.match(r"(.+\.\d+)_", name)) else name for name in names}
    known = Counter(cut.values())
    return {name: short if known[short] == 1 else name for name, short in cut.items()}
