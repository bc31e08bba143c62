"""Find the rows written between the preview of a loss and the swap, which only the replaced database holds.

The replaced database is compared with the live one. Of the live one, only rows from before the swap count, because
they are the backup's. Rows that the preview named are subtracted. All other differences were written in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ops.core.files import write_whole
from ops.recovery.rollback.loss import Loss, around, differences, every_change
from ops.recovery.rollback.row_changes import DELETED, INSERTED, UPDATED, Change, Counterpart, Since
from ops.verdict.databases import Databases
from ops.verdict.fingerprint import Fingerprint, equal


class Named:
    """The rows of one table that a preview named, by ascending hash of their keys; requested in the same order."""

    def __init__(self, every: Iterator[tuple[str, int, int, str]]) -> None:
        self.every = every
        self.next = next(every, None)
        self.hash: int | None = None
        self.group: list[tuple[str, int]] = []

    def keep(self, change: Change) -> Change | None:
        """Return the change since the preview; None if the preview named the same change, or if the row is older."""
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
    """Count the rows written since the preview, and write the result.

    Args:
        look: ``before`` is the live database, ``after`` the replaced one.
        shown: the preview.
        then: the fingerprint of the live database at the preview.
        now: the fingerprint of the replaced database.
        pairs: the tables of the backup and of the replaced database.
        since: the moment before ``then`` was taken.
        folder: the folder of the preview's files.
        file: receives the result as JSON.
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
