"""Count the rows that the migrations wrote while users wrote too, by a snapshot from right before the migrations.

Of a row in the snapshot, ``xmax`` is the first transaction that wrote the row since. Of a current row, ``xmin`` is the
last transaction that wrote the row. So rows that the migrations deleted or changed are counted exactly, whatever users
write. A rewritten table is empty in an older snapshot, so nothing is counted for it. A savepoint has its own
transaction id: each migration sends these ids by NOTIFY before it commits (``ops.application.inside.migrate``, which
describes the cost).
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import psycopg

from ops.infra.session.session import Session
from ops.release.certificate import Moved
from ops.release.production.production_check import Held
from ops.verdict.accounting.row_diff import merged
from ops.verdict.databases import Databases
from ops.verdict.model import difference
from ops.verdict.row_hash import Pair, Proof, Source


class Witness:
    """Hold a snapshot of production and query it.

    Args:
        connection: the session that holds the snapshot.
        listener: the session that receives the transaction ids of savepoints.
    """

    def __init__(self, connection: psycopg.Connection[Any], listener: psycopg.Connection[Any]) -> None:
        self.connection, self.then = connection, Databases({"before": connection})
        self.listener = listener
        listener.execute("LISTEN generalprobe")
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self.moment = self.then.moment("before")

    @property
    def alive(self) -> bool:
        """Return True if both sessions still exist, so the notifications of savepoints have arrived."""
        try:
            for one in (self.connection, self.listener):
                one.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def transactions(self, look: Databases, recorded: Sequence[str]) -> str:
        """Return SQL for the transactions of the migrations, which recorded them, changed the schema or notified."""
        query = (
            "SELECT x.xmin::text FROM pg_attribute x JOIN pg_class c ON c.oid = x.attrelid "
            f"WHERE {self.moment.recent} AND c.relpersistence <> 't' AND c.relkind <> 't' "
            f"UNION SELECT x.xmin::text FROM pg_constraint x WHERE {self.moment.recent}"
        )
        found = {str(number) for (number,) in look.sides["after"].execute(query.encode())}
        notes = self.listener.notifies(timeout=0.2)
        found |= {number for note in notes for number in note.payload.split(",") if number.isdigit()}
        return f"ANY (ARRAY[{', '.join(map(repr, sorted(found | set(recorded))))}]::xid[])"

    def count(self, move: Moved, held: Held, look: Databases, mine: str) -> tuple[int, int, bool] | None:
        """Count the rows of a table that the migrations deleted, and the rows that they changed.

        Rows that users wrote are not counted. A row that the migrations updated and a user then deleted counts as
        deleted by the migrations.

        Args:
            move: where the table went.
            held: what the table held before.
            look: queries production as its ``after`` side.
            mine: the result of ``transactions``.

        Returns:
            Both numbers, and True if the migrations updated a row that still exists. None if the snapshot does not show
            the table's rows, or if the rows have no key.
        """
        if held.key is None or any(pair.link for pair in held.key.after[0].pairs):
            return None
        if not self.then.tally("before", held.key.after[0].table)[0]:
            return None
        table, keys = held.key.after[0].table, held.key.after[0].pairs
        pairs = (*keys, *_others(move.proofs, table, keys))
        first, last = (Source(table, pairs, where=f"x.{one} = {mine}") for one in ("xmax", "xmin"))
        changed = updated = 0
        both = self.then.aligned("before", [first], len(keys)), look.aligned("after", [last], len(keys))
        for _, was, now in merged(*both):
            updated += now is not None
            changed += was is not None and now is not None and was != now
        here, there = Source(table, keys, where=first.where), Source(table, keys)
        gone = difference(self.then.hashes("before", [here]), look.hashes("after", [there]))[0]
        return gone, changed, bool(updated)


def _others(proofs: Sequence[Proof], table: str, keys: Sequence[Pair]) -> tuple[Pair, ...]:
    """Return the columns, without the key, of the comparison of only this table that has the most columns."""
    found: tuple[Pair, ...] = ()
    for proof in proofs:
        if len(proof.after) == 1 and proof.after[0].table == table and not proof.after[0].filled:
            # Users may change the row that a link references.
            others = tuple(pair for pair in proof.after[0].pairs if pair not in keys and not pair.link)
            found = max(found, others, key=len)
    return found


_KEPT: weakref.WeakKeyDictionary[Session, Witness] = weakref.WeakKeyDictionary()


def hold(session: Session, target: str) -> None:
    """Take a snapshot of production and hold it until ``give_up`` or the end of the process."""
    give_up(session)
    both = session.connect(target), session.connect(target)
    for connection in both:
        weakref.finalize(session, connection.close)
    _KEPT[session] = Witness(*both)


def held(session: Session) -> Witness | None:
    """Return the snapshot that this process holds, or None if its session ended."""
    found = _KEPT.get(session)
    return found if found and found.alive else None


def give_up(session: Session) -> None:
    """Release the snapshot."""
    if found := _KEPT.pop(session, None):
        found.connection.close()
        found.listener.close()
