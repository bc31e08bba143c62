"""List the rows that differ between two databases, table by table: inserted, updated, deleted. Memory use is constant.

``before`` is the backup, ``after`` the database that was written to since."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

from ops.release.certificate import Moved
from ops.verdict.accounting.row_diff import merged
from ops.verdict.comparison import MANY, differing
from ops.verdict.databases import Databases, Rows, Written
from ops.verdict.fingerprint import Fingerprint, Table, equal
from ops.verdict.row_hash import Pair, Source
from ops.verdict.type_casts import Both, readings

INSERTED, UPDATED, DELETED = "inserted", "updated", "deleted"
KINDS = (INSERTED, UPDATED, DELETED)


class Change(NamedTuple):
    """One different row.

    The fields are the kind, the hashes of key and values, the key as text, the newest timestamp in the row, and
    whether the row was written since a given moment."""

    what: str
    hash: int
    row: int
    key: str
    newest: str
    recent: bool


@dataclass(frozen=True)
class Since:
    """A moment of the server, in transaction ids.

    Args:
        oldest: the oldest running transaction; all earlier ones had ended.
        next: the next transaction id.
    """

    oldest: int
    next: int

    @classmethod
    def read(cls, text: str) -> Since:
        """Parse the output of ``txid_current_snapshot()``."""
        oldest, following, _ = text.strip().split(":")
        return cls(int(oldest), int(following))

    @property
    def recent(self) -> str:
        """Return SQL for the greatest age of a row that may have been written since."""
        return _age(self.oldest)

    @property
    def old(self) -> str:
        """Return SQL over ``x`` that is true for rows written before."""
        return f"age(x.xmin) > {_age(self.next)}"


def _age(transaction: int) -> str:
    return f"age('{transaction % 2**32}'::xid)"


@dataclass(frozen=True)
class Counterpart:
    """A table of the backup and the table that holds its rows now; None on the side without a table.

    ``pairs`` are the columns of both sides. ``keyed``: rows are matched by the primary key."""

    before: Table | None
    after: Table | None
    pairs: tuple[Both, ...] = ()
    keyed: bool = False

    @property
    def name(self) -> str:
        """Return the table's present name, or else its former one."""
        table = self.after or self.before
        return table.name if table else ""

    @property
    def equal(self) -> bool:
        """Return True if both fingerprints are equal, so that no row has to be read."""
        return equal(self.before, self.after)

    def only(self, side: str) -> list[str]:
        """Return the columns that only ``before`` or only ``after`` has."""
        return [name for name in self._unread(side) if name not in self.rewritten]

    @property
    def rewritten(self) -> list[str]:
        """Return columns of both sides that cannot be compared, because the release rewrote their values."""
        after = self._unread("after")
        return [name for name in self._unread("before") if name in after]

    def _unread(self, side: str) -> list[str]:
        table, place = (self.before, 0) if side == "before" else (self.after, 1)
        shared = {pair[place].name for pair in self.pairs}
        return [name for name in table.names if name not in shared] if table and self.before and self.after else []


def counterparts(old: Fingerprint, new: Fingerprint, moves: Sequence[Moved] = ()) -> list[Counterpart]:
    """Return every table of either side with the table on the other side that holds its rows.

    Args:
        moves: where a release moved each table, from its certificate.
    """
    went = {move.table: move for move in moves if len(move.to) == 1 and move.table in old.tables}
    target = {name: move.to[0] for name, move in went.items() if move.to[0] in new.tables}
    # Two old tables in one new table: each row would be reported twice.
    once = {name: to for name, to in target.items() if list(target.values()).count(to) == 1}
    found, taken = [], set()
    for name, table in sorted(old.tables.items()):
        there = new.tables.get(once.get(name, name))
        if there is None or (name not in once and there.name in once.values()):
            found.append(Counterpart(table, None))
            continue
        taken.add(there.name)
        found.append(_matched(table, there, went.get(name) if name in once else None))
    found += [Counterpart(None, table) for name, table in sorted(new.tables.items()) if name not in taken]
    return found


def _matched(old: Table, new: Table, move: Moved | None) -> Counterpart:
    pairs = _proved(old, new, move) if move else ()
    if not pairs:
        columns = {column.name: column for column in new.columns}
        pairs = tuple(next(readings(c, columns[c.name])) for c in old.columns if c.name in columns)
    plain = {one.name: two.name for one, two in pairs if not (one.link or one.sql or two.link or two.sql)}
    keyed = bool(old.key) and sorted(plain.get(name, "") for name in old.key) == sorted(new.key)
    return Counterpart(old, new, pairs, keyed)


def _proved(old: Table, new: Table, move: Moved) -> tuple[Both, ...]:
    """Return the columns of the widest comparison that held in the rehearsal."""
    best: tuple[Both, ...] = ()
    for proof in move.proofs:
        if len(proof.before) == len(proof.after) == 1 and not proof.before[0].filled:
            one, two = proof.before[0], proof.after[0]
            if (one.table, two.table) == (old.name, new.name) and len(one.pairs) > len(best):
                best = tuple(zip(one.pairs, two.pairs, strict=True))
    return best


def as_text(pair: Counterpart) -> Counterpart:
    """Return the same columns read as text, for values that are invalid in the other side's type."""
    plain = tuple((Pair(one.name, "text"), Pair(two.name, "text")) for one, two in pair.pairs)
    return Counterpart(pair.before, pair.after, plain, pair.keyed)


def changes(look: Databases, pair: Counterpart, since: Since | None = None) -> Iterator[Change]:
    """Yield every different row, by ascending hash of its key.

    Without a primary key on both sides, rows are a multiset, and no row counts as updated.

    Args:
        since: read only rows of ``before`` that existed at this moment; ``recent`` marks rows of ``after`` written
            later.
    """
    one, two = rows_of(pair, "before", since), rows_of(pair, "after", since)
    many = pair.before and pair.after and pair.before.rows + pair.after.rows > MANY
    parts = _parts(look, pair) if many else None
    before, after = _read(look, "before", one, parts), _read(look, "after", two, parts)
    with closing(before), closing(after):
        for hash_, was, now in merged(before, after):
            if now is None and was is not None:
                yield Change(DELETED, hash_, was.row, was.key, "", was.recent)
            elif now is not None and (was is None or was.row != now.row):
                what = INSERTED if was is None else UPDATED
                yield Change(what, hash_, now.row, now.key, now.newest or "", now.recent)


def _read(
    look: Databases, side: str, rows: Rows | None, parts: list[int] | None
) -> Generator[tuple[int, Written], None, None]:
    if rows is not None:
        yield from look.written(side, rows, parts)


def _parts(look: Databases, pair: Counterpart) -> list[int] | None:
    one, two = rows_of(pair, "before"), rows_of(pair, "after")
    if one is None or two is None:
        return None
    return differing(look, [Source(one.table, one.values)], [Source(two.table, two.values)], (one.key, two.key))


def rows_of(pair: Counterpart, side: str, since: Since | None = None) -> Rows | None:
    """Return what to read of one side; None if the side has no such table."""
    table, place = (pair.before, 0) if side == "before" else (pair.after, 1)
    if table is None:
        return None
    if pair.before and pair.after:
        values = tuple(both[place] for both in pair.pairs)
    else:
        values = tuple(Pair(column.name, column.read_as) for column in table.columns)
    key = values
    if pair.keyed and pair.before:
        by_name = {both[0].name: both[place] for both in pair.pairs}
        key = tuple(by_name[name] for name in pair.before.key)
    return Rows(
        table.name,
        key,
        values,
        table.key,
        tuple(c.name for c in table.columns if c.type.startswith("timestamp") and "[" not in c.type),
        since.old if since and side == "before" else "",
        since.recent if since and side == "after" else "",
    )
