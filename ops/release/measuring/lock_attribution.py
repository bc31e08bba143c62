"""Attribute locks and rows to migrations, by samples and looks. Pure.

A sample is taken every few milliseconds and has the current locks. A look is taken after each migration, and at the
start and the end of the run: it has the catalog and the server's counters of rows. Django's table
``django_migrations`` shows which migrations a look includes, because a migration writes its record last.

The counters lag: a session reports its counts at the end of a transaction, but at most once a second. It reports all
counts at once, including those of ``django_migrations``. So that counter shows which migrations a look includes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from ops.release.measuring.migration_metrics import Change, Effects, LockMeasure, MigrationMeasure, Rows, Together

# From weak to strong. Writers need ROW EXCLUSIVE, readers ACCESS SHARE; conflicting locks make them wait.
MODES = (
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
STRENGTH = {mode: number for number, mode in enumerate(MODES)}
BLOCKS_WRITES, BLOCKS_READS = STRENGTH["ShareLock"], STRENGTH["AccessExclusiveLock"]


@dataclass(frozen=True)
class Sample:
    """Hold the server's WAL position and its locks (relation and mode) at a moment (``at``, monotonic seconds)."""

    at: float
    wal: int
    locks: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Relation:
    """Hold a row of ``relations.sql``."""

    oid: int
    name: str
    kind: str
    file: int
    columns: int
    of_table: int
    inserted: int
    updated: int
    deleted: int

    @property
    def what(self) -> Literal["table", "index"]:
        """Return table or index. A materialized view counts as a table."""
        return "index" if self.kind in ("i", "I") else "table"


@dataclass(frozen=True)
class Look:
    """Hold the state of the database at a moment.

    Args:
        at: monotonic seconds.
        relations: the relations by oid.
        size: the database's size in bytes.
        counted: the number of migrations whose rows the counters include completely.
        whole: the number of migrations that the catalog includes completely.
        reach: the number of the last migration that may be included in part.
    """

    at: float
    relations: Mapping[int, Relation]
    size: int
    counted: int
    whole: int
    reach: int


@dataclass(frozen=True)
class Span:
    """Hold the start, the end and the result of one migration."""

    name: str
    begun: float
    ended: float
    state: Literal["applied", "failed"] = "applied"
    error: str = ""


def measured(
    spans: Sequence[Span], samples: Sequence[Sample], looks: Sequence[Look]
) -> tuple[tuple[MigrationMeasure, ...], tuple[Together, ...], Effects]:
    """Compute the measurements of each migration, of groups of migrations, and of the run.

    Args:
        spans: the migrations in order.
        samples: the samples in order, including those before and after the migrations.
        looks: the looks, from before the run to after its end.
    """
    first = looks[0].relations
    own, shared = _shares(looks, len(spans))
    made = []
    for number, (span, wal) in enumerate(zip(spans, _wal(samples, spans), strict=True), 1):
        effects = _added(own.get(number, []))
        during = [sample for sample in samples if span.begun <= sample.at < span.ended]
        locks = _proved(own.get(number, []), _locks(span, during, first), first)
        made.append(
            MigrationMeasure(
                migration=span.name,
                state=span.state,
                seconds=round(span.ended - span.begun, 3),
                error=span.error,
                locks=tuple(sorted(locks, key=lambda lock: (-lock.writes_blocked, -lock.seconds, lock.relation))),
                wal=wal,
                effects=effects,
            )
        )
    together = [
        Together(migrations=tuple(span.name for span in spans[low - 1 : high]), effects=_added(parts))
        for (low, high), parts in sorted(shared.items())
    ]
    return tuple(made), tuple(together), effects_between(looks[0], looks[-1], first)


def effects_between(one: Look, two: Look, first: Mapping[int, Relation], parts: str = "rcs") -> Effects:
    """Return the differences of two looks: rows (``r``), the catalog (``c``), size (``s``)."""
    return Effects(
        rows=tuple(_rows(one, two, first)) if "r" in parts else (),
        changes=tuple(_changes(one, two, first)) if "c" in parts else (),
        growth=two.size - one.size if "s" in parts else 0,
    )


@dataclass
class _Part:
    """Hold the differences of two looks, and the looks."""

    effects: Effects
    one: Look
    two: Look


Parts = dict[int, list[_Part]]


def _shares(looks: Sequence[Look], number: int) -> tuple[Parts, dict[tuple[int, int], list[_Part]]]:
    """Attribute the differences of consecutive looks to single migrations or to groups of migrations."""
    own: Parts = {}
    shared: dict[tuple[int, int], list[_Part]] = {}
    if not number:
        return own, shared
    for one, two in pairwise(looks):
        for parts, done in (("r", one.counted), ("cs", one.whole)):
            effects = effects_between(one, two, looks[0].relations, parts)
            if effects == Effects():
                continue
            # Changes after the last migration (signals, permissions) count as part of it.
            high = min(max(two.reach, 1), number)
            low = min(done + 1, high)
            part = _Part(effects, one, two)
            if low == high:
                own.setdefault(low, []).append(part)
            else:
                shared.setdefault((low, high), []).append(part)
    return own, shared


def _added(parts: Sequence[_Part]) -> Effects:
    rows: dict[str, Rows] = {}
    for one in (row for part in parts for row in part.effects.rows):
        was = rows.get(one.table, Rows(table=one.table))
        rows[one.table] = Rows(
            table=one.table,
            inserted=was.inserted + one.inserted,
            updated=was.updated + one.updated,
            deleted=was.deleted + one.deleted,
            existed=one.existed,
        )
    changes = tuple(change for part in parts for change in part.effects.changes)
    return Effects(rows=tuple(rows.values()), changes=changes, growth=sum(part.effects.growth for part in parts))


def _rows(one: Look, two: Look, first: Mapping[int, Relation]) -> Iterator[Rows]:
    for oid, now in two.relations.items():
        was = one.relations.get(oid)
        if now.what == "index":
            continue
        made = [
            max(getattr(now, word) - (getattr(was, word) if was else 0), 0)
            for word in ("inserted", "updated", "deleted")
        ]
        if any(made):
            # Use the name from before the run, so that a renamed table stays one table.
            name = first[oid].name if oid in first else now.name
            yield Rows(table=name, inserted=made[0], updated=made[1], deleted=made[2], existed=oid in first)


def _changes(one: Look, two: Look, first: Mapping[int, Relation]) -> Iterator[Change]:
    rebuilt = _indexes_without(two, one) & _indexes_without(one, two)
    for oid in sorted(one.relations.keys() | two.relations.keys()):
        was, now = one.relations.get(oid), two.relations.get(oid)
        there = was or now
        assert there is not None
        what: Literal["new", "dropped", "renamed", "rewritten", "rebuilt"]
        if was and now:
            if was.file != now.file:
                yield Change(relation=was.name, kind=was.what, what="rewritten", existed=oid in first)
            if was.name == now.name:
                continue
            what = "renamed"
        elif (there.name, there.of_table) in rebuilt:
            if was is None:
                continue
            what = "rebuilt"
        else:
            what = "dropped" if was else "new"
        yield Change(relation=there.name, kind=there.what, what=what, existed=oid in first)


def _indexes_without(here: Look, there: Look) -> set[tuple[str, int]]:
    """Return the indexes of one look that another look does not have, by name and table."""
    return {
        (relation.name, relation.of_table)
        for oid, relation in here.relations.items()
        if relation.what == "index" and oid not in there.relations
    }


@dataclass
class _Held:
    """Sum up how long locks of at least some strength were held on a relation, and the longest continuous time."""

    total: float = 0
    longest: float = 0
    _run: float = 0
    _until: float = field(default=-1.0)

    def add(self, begun: float, ended: float) -> None:
        self._run = (self._run if begun <= self._until else 0) + ended - begun
        self._until = ended
        self.total += ended - begun
        self.longest = max(self.longest, self._run)


def _locks(span: Span, samples: Sequence[Sample], first: Mapping[int, Relation]) -> list[LockMeasure]:
    """Return the strongest lock on each relation. A sample counts until the next sample or the migration's end."""
    held: dict[tuple[int, int], _Held] = {}
    for number, sample in enumerate(samples):
        following = samples[number + 1].at if number + 1 < len(samples) else span.ended
        for oid, strength in _strongest(sample, first).items():
            for level in range(strength + 1):
                held.setdefault((oid, level), _Held()).add(sample.at, following)
    made = []
    for oid in {oid for oid, _ in held}:
        top = max(level for one, level in held if one == oid)
        writes, reads = (held.get((oid, level), _Held()) for level in (BLOCKS_WRITES, BLOCKS_READS))
        made.append(
            LockMeasure(
                relation=first[oid].name,
                mode=MODES[top],
                seconds=round(held[oid, top].total, 3),
                writes_blocked=round(writes.total, 3),
                reads_blocked=round(reads.total, 3),
                longest_write_block=round(writes.longest, 3),
                longest_read_block=round(reads.longest, 3),
            )
        )
    return made


def _strongest(sample: Sample, first: Mapping[int, Relation]) -> dict[int, int]:
    """Return the strongest lock on each table. An exclusive lock on an index blocks every query of its table."""
    found: dict[int, int] = {}
    for oid, mode in sample.locks:
        relation = first.get(oid)
        if relation is None or mode not in STRENGTH:
            continue
        if relation.what == "index":
            if mode != MODES[-1] or relation.of_table not in first:
                continue
            oid = relation.of_table
        found[oid] = max(found.get(oid, 0), STRENGTH[mode])
    return found


def _proved(parts: Sequence[_Part], seen: list[LockMeasure], first: Mapping[int, Relation]) -> list[LockMeasure]:
    """Add locks too short for a sample: a table with a new file, name or columns was locked exclusively."""
    names = {
        first[oid].name
        for part in parts
        for oid, was in part.one.relations.items()
        if oid in first and was.what == "table" and _differs(was, part.two.relations.get(oid))
    }
    weaker = {lock.relation: lock for lock in seen if lock.mode != MODES[-1]}
    names -= {lock.relation for lock in seen} - weaker.keys()
    proved = {"mode": MODES[-1], "seconds": 0.0, "sampled": False}
    kept = [lock for lock in seen if lock.relation not in names]
    return kept + [
        weaker.get(name, LockMeasure(relation=name, mode="", seconds=0)).model_copy(update=proved)
        for name in sorted(names)
    ]


def _differs(was: Relation, now: Relation | None) -> bool:
    return now is None or (was.name, was.file, was.columns) != (now.name, now.file, now.columns)


def _wal(samples: Sequence[Sample], spans: Sequence[Span]) -> list[int]:
    """Return the WAL of each migration: from the end of the previous migration to the first sample after its end.

    The first migration counts from the first sample, because its first line may be read after it has already written.
    """
    if not samples:
        return [0] * len(spans)
    ends = [next((s.wal for s in samples if s.at >= span.ended), samples[-1].wal) for span in spans]
    return [max(end - begun, 0) for begun, end in pairwise([samples[0].wal, *ends])]
