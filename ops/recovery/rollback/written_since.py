"""What was written between the preview of a loss and the swap: in the replaced database, and in neither other.

The replaced database is held against the live one, of which only those rows count that were there before the swap: they
are the backup's. What the preview named already is taken off. Whatever else differs was written in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ops.core.files import write_whole
from ops.recovery.rollback.loss import Loss, around, differences, every_change
from ops.recovery.rollback.row_changes import DELETED, INSERTED, UPDATED, Change, Counterpart, Since
from ops.verdict.databases import Databases
from ops.verdict.fingerprint import Fingerprint, equal


class Named:
    """The rows that a preview named in one table, by ascending hash of their keys; asked in the same order."""

    def __init__(self, every: Iterator[tuple[str, int, int, str]]) -> None:
        self.every = every
        self.next = next(every, None)
        self.hash: int | None = None
        self.group: list[tuple[str, int]] = []

    def keep(self, change: Change) -> Change | None:
        """The row as what it is since the preview; None where the preview named it just so, or it is older."""
        self._go_to(change.hash)
        same = [one for one in self.group if self._same(one, change)]
        if same:
            self.group.remove(same[0])
            return None
        if change.what == DELETED:
            return change
        known = change.what == INSERTED and any(what != DELETED for what, _ in self.group)
        return (change._replace(what=UPDATED) if known else change) if change.recent else None

    @staticmethod
    def _same(one: tuple[str, int], change: Change) -> bool:
        if change.what == DELETED:
            return one[0] == DELETED
        return one[0] != DELETED and one[1] == change.row

    def _go_to(self, hash_: int) -> None:
        if hash_ == self.hash:
            return
        self.hash, self.group = hash_, []
        while self.next is not None and self.next[1] <= hash_:
            if self.next[1] == hash_:
                self.group.append((self.next[0], self.next[2]))
            self.next = next(self.every, None)


def account(
    look: Databases,
    shown: Loss,
    then: Fingerprint,
    now: Fingerprint,
    pairs: list[Counterpart],
    since: Since,
    folder: Path,
    file: Path,
) -> Loss:
    """Say what was written since the preview, and write it whole.

    Args:
        look: ``before`` is the live database, ``after`` the replaced one.
        shown: the preview.
        then: the fingerprint of the live database at the preview.
        now: that of the replaced one.
        pairs: the tables of the backup and of the replaced database.
        since: the moment before ``then`` was taken.
        folder: where the preview's files are.
        file: takes it as JSON.
    """
    found = around(then, now, shown.backup)
    named = {table.table: folder / table.every_key for table in shown.tables}
    for number, pair in enumerate(pairs):
        if equal(then.tables.get(pair.name), pair.after):
            continue
        known = Named(every_change(named[pair.name]) if pair.name in named else iter(()))
        into = file.with_suffix("") / f"{number}.jsonl"
        table = differences(look, pair, into, since=since, keep=known.keep)
        if table and table.rows:
            found.tables.append(table)
    write_whole(file, found.model_dump_json(indent=1))
    return found
