"""From samples and looks to measures: whose lock it was, and whose rows. Pure.

A sample is taken every few milliseconds and holds the locks of that moment. A look is taken when a migration has ended,
and at both ends of the run: the catalog, and the server's counters of rows. Django's own record (``django_migrations``)
says which migrations a look holds: the record is the last thing that a migration writes.

The counters lag: a session hands its counts over at the end of a transaction, but at most once a second. It hands over
all of them at once, the count of its records among them, so that counter says up to which migration a look is whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from ops.release.measuring.migration_metrics import Change, Effects, LockMeasure, MigrationMeasure, Rows, Together

# From weak to strong. Writers need ROW EXCLUSIVE, readers ACCESS SHARE; what conflicts with that makes them wait.
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
    """One moment (``at``, monotonic seconds): the server's WAL position and the locks, relation and mode."""

    at: float
    wal: int
    locks: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Relation:
    """A row of ``relations.sql``."""

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
        """Table or index; a materialized view counts as a table."""
        return "index" if self.kind in ("i", "I") else "table"


@dataclass(frozen=True)
class Look:
    """The database at a moment.

    Args:
        at: monotonic seconds.
        relations: by oid.
        size: the database's size.
        counted: up to which migration (from 1; 0 for none) the counters of rows hold all.
        whole: up to which migration the catalog holds all.
        reach: the last migration of which it may hold something.
    """

    at: float
    relations: Mapping[int, Relation]
    size: int
    counted: int
    whole: int
    reach: int


@dataclass(frozen=True)
class Span:
    """One migration of the run: from when to when, and how it ended."""

    name: str
    begun: float
    ended: float
    state: Literal["applied", "failed"] = "applied"
    error: str = ""


def measured(
    spans: Sequence[Span], samples: Sequence[Sample], looks: Sequence[Look]
) -> tuple[tuple[MigrationMeasure, ...], tuple[Together, ...], Effects]:
    """Work out each migration's measures, what several did together, and the whole run's effects.

    Args:
        spans: the migrations in their order.
        samples: in their order, those before and after the migrations included.
        looks: the first one from before the run, the last one from after its end.
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
    """What two looks differ in: rows (``r``), the catalog (``c``), size (``s``)."""
    return Effects(
        rows=tuple(_rows(one, two, first)) if "r" in parts else (),
        changes=tuple(_changes(one, two, first)) if "c" in parts else (),
        growth=two.size - one.size if "s" in parts else 0,
    )


@dataclass
class _Part:
    """What was found between two looks, and between which."""

    effects: Effects
    one: Look
    two: Look


Parts = dict[int, list[_Part]]


def _shares(looks: Sequence[Look], number: int) -> tuple[Parts, dict[tuple[int, int], list[_Part]]]:
    """Which migration, or which several, each difference between two looks belongs to."""
    own: Parts = {}
    shared: dict[tuple[int, int], list[_Part]] = {}
    if not number:
        return own, shared
    for one, two in pairwise(looks):
        for parts, done in (("r", one.counted), ("cs", one.whole)):
            effects = effects_between(one, two, looks[0].relations, parts)
            if effects == Effects():
                continue
            # What comes after the last migration (signals, permissions) is counted with it.
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
            # Under the name that it had before the run, so that a table is one and the same throughout.
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
    """The indexes of one look that another does not have, by name and table."""
    return {
        (relation.name, relation.of_table)
        for oid, relation in here.relations.items()
        if relation.what == "index" and oid not in there.relations
    }


@dataclass
class _Held:
    """How long a relation's locks of at least some strength were seen, and the longest stretch of it."""

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
    """The strongest lock on each relation. A sample stands for the time until the next one, or the migration's end."""
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
    """The strongest lock on each table. An index that nobody may touch keeps every query of its table waiting."""
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
    """Add the locks too short for any sample: a table with other columns, file or name was locked against everybody."""
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
    """Share out what the server wrote: to each migration from the end of the one before to the first sample after it.

    The first migration has all since the first sample: its first line may be read late, when it has already written.
    """
    if not samples:
        return [0] * len(spans)
    ends = [next((s.wal for s in samples if s.at >= span.ended), samples[-1].wal) for span in spans]
    return [max(end - begun, 0) for begun, end in pairwise([samples[0].wal, *ends])]
