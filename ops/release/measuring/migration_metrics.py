"""What a rehearsal's migrations cost: models of ``measures.json``, the sentences, and what is decided from them. Pure.

Times are seconds, sizes bytes. Locks and times are sampled (``interval`` and ``widest`` say how closely); rows,
rewritten relations and growth are read from the server's own counters and catalogs. What lies between two looks and
could be the work of several migrations stands in ``together`` with all their names, and in no single one of them.
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
# A migration that keeps writers waiting longer than this asks for a freeze: they get a clear answer then, and no hang.
LONGEST_WAIT = 1.0


class Model(BaseModel):
    """Base of the models."""

    model_config = ConfigDict(frozen=True)


class LockMeasure(Model):
    """The strongest lock on a relation that was there before the run.

    ``seconds`` is how long it was held; ``writes_blocked`` and ``reads_blocked`` how long writers and readers would
    have waited, each with its longest stretch. ``sampled`` is false where no sample met it: the catalog proves it.
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
    """Rows written into a table, those that were rolled back included. ``existed``: it was there before the run."""

    table: str
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    existed: bool = True


class Change(Model):
    """What became of a relation: new, dropped, renamed, rewritten (another file), rebuilt (an index made anew)."""

    relation: str
    kind: Literal["table", "index"]
    what: Literal["new", "dropped", "renamed", "rewritten", "rebuilt"]
    existed: bool = True


class Effects(Model):
    """What was done to the database."""

    rows: tuple[Rows, ...] = ()
    changes: tuple[Change, ...] = ()
    growth: int = 0


class MigrationMeasure(Model):
    """One migration. ``effects`` holds what can only be its own; ``wal`` is what the whole server wrote meanwhile."""

    migration: str
    state: Literal["applied", "failed"]
    seconds: float
    error: str = ""
    locks: tuple[LockMeasure, ...] = ()
    wal: int = 0
    effects: Effects = Effects()


class Together(Model):
    """What several migrations did between two looks; to which of them it belongs can't be told."""

    migrations: tuple[str, ...]
    effects: Effects


class Measures(Model):
    """A rehearsal's measures. ``total`` is exact for the whole run; ``why_not`` says why nothing was measured."""

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
        """Return all of it as JSON has it."""
        return self.model_dump(mode="json")

    def lines(self) -> list[str]:
        """The measures as sentences, a migration a line in the order in which they ran; a few lines at most.

        Those that failed, blocked somebody or took longest are named first of all.
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
        """Return what each migration blocked for readers or writers; those that blocked nobody are not there."""
        return {m.migration: ", ".join(said) for m in self.migrations if (said := _blocked(m))}

    def half_done(self) -> str:
        """What to add to the message of a migration that failed: how long it ran, and which ones the clone has now."""
        last = self.migrations[-1] if self.migrations else None
        if self.why_not or last is None or last.state != "failed":
            return ""
        done = [m.migration for m in self.migrations[:-1]]
        before = f"; applied before it: {', '.join(done[-3:])}" if done else "; it was the first"
        return f" (after {span(last.seconds)}{before})"


class Measured(Model):
    """What a certificate keeps of it. ``updated`` and ``deleted`` count rows of tables that were there before."""

    seconds: float
    longest_write_block: float
    longest_read_block: float
    updated: int
    deleted: int
    dropped: tuple[str, ...]
    rewritten: tuple[str, ...]
    blocked: tuple[str, ...]


def write(path: Path, measures: Measures) -> None:
    """Keep the measures; the file appears whole."""
    write_whole(path, measures.model_dump_json(indent=1))


def read(path: Path) -> Measures | None:
    """Read them; None where there are none, or they can't be read."""
    try:
        return Measures.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def newest(folder: Path, backup: str, pending: Sequence[str]) -> Measures | None:
    """The last whole measures of these very migrations on a clone of this backup, in a target's folder."""
    for path in sorted((folder / "runs").glob(f"*/{FILE}"), reverse=True):
        found = read(path)
        if found and not found.why_not and found.backup == backup:
            names = [m.migration for m in found.migrations if m.state == "applied"]
            if names == list(pending) and len(names) == len(found.migrations):
                return found
    return None


def joined(earlier: Measures | None, later: Measures) -> Measures:
    """The measures of a run that went on: those of the migrations that were done before, and the new ones."""
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
    """What the certificate keeps. Django's own bookkeeping tables do not count as rows that somebody wrote."""
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
        # A lock too short for a sample was there all the same, and on production it may have to wait.
        blocked=tuple(sorted({lock.relation for lock in locks if lock.longest_write_block or not lock.sampled})),
    )


def asks_freeze(measured: Measured | None) -> str:
    """Why a rehearsal asks for a freeze on production, in words; empty where it does not, or was not measured."""
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
    """A duration as a person says it."""
    return "less than 0.1 s" if seconds < 0.1 else duration(seconds)


def bare(name: str) -> str:
    """A relation's name without the schema that everybody means."""
    return name.removeprefix("public.")


def _line(name: str, migration: MigrationMeasure) -> str:
    failed = "failed after " if migration.state == "failed" else ""
    said = [f"{failed}{span(migration.seconds)}", *_blocked(migration), *_effects(migration.effects)]
    if migration.wal >= 1000:
        said.append(f"{amount(migration.wal)} WAL")
    return f"{name}: " + ", ".join(said)


def _blocked(migration: MigrationMeasure) -> list[str]:
    """Say which relations a migration blocked, and for how long, those that were blocked longest first."""
    said = []
    blocking = sorted((lock for lock in migration.locks if _blocks(lock)), key=lambda lock: -lock.writes_blocked)
    for lock in blocking[:2]:
        both = lock.mode == "AccessExclusiveLock" and lock.reads_blocked >= lock.writes_blocked * 0.9
        what = "reads and writes of" if both else "writes to"
        said.append(f"{what} {bare(lock.relation)} blocked for {span(lock.writes_blocked)}")
        if not both and lock.reads_blocked:
            said.append(f"reads of it for {span(lock.reads_blocked)}")
    if len(blocking) > 2:
        said.append(f"{counted(len(blocking) - 2, 'more relation')} blocked for less")
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
    """Each migration by its app and number, where that names only one."""
    cut = {name: match[1] if (match := re.match(r"(.+\.\d+)_", name)) else name for name in names}
    known = Counter(cut.values())
    return {name: short if known[short] == 1 else name for name, short in cut.items()}
