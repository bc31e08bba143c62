"""Which rows of a production in use its migrations wrote themselves, by a snapshot held since right before them.

Of a row that the snapshot shows, the server tells who was the first to write it since (``xmax``); of a row that is
there now, who was the last (``xmin``). So what the migrations deleted or changed is counted row by row, whatever users
write. A table that was written anew has nothing in an older snapshot, and nothing is known of it. What is done within a
savepoint has another transaction's number: each migration notifies of those before it commits
(``ops.application.inside.migrate``, which says what that costs and why it costs no less).
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
    """The snapshot, and what it tells.

    Args:
        connection: holds the snapshot.
        listener: hears of the migrations' savepoints.
    """

    def __init__(self, connection: psycopg.Connection[Any], listener: psycopg.Connection[Any]) -> None:
        self.connection, self.then = connection, Databases({"before": connection})
        self.listener = listener
        listener.execute("LISTEN generalprobe")
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self.moment = self.then.moment("before")

    @property
    def alive(self) -> bool:
        """Return True if the server still holds it, and what was told of savepoints has come."""
        try:
            for one in (self.connection, self.listener):
                one.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def transactions(self, look: Databases, recorded: Sequence[str]) -> str:
        """SQL: the transactions of the migrations, which recorded them, or changed the schema since."""
        query = (
            "SELECT x.xmin::text FROM pg_attribute x JOIN pg_class c ON c.oid = x.attrelid "
            f"WHERE {self.moment.recent} AND c.relpersistence <> 't' AND c.relkind <> 't' "
            f"UNION SELECT x.xmin::text FROM pg_constraint x WHERE {self.moment.recent}"
        )
        found = {str(number) for (number,) in look.sides["after"].execute(query.encode())}
        told = self.listener.notifies(timeout=0.2)
        found |= {number for note in told for number in note.payload.split(",") if number.isdigit()}
        return f"ANY (ARRAY[{', '.join(map(repr, sorted(found | set(recorded))))}]::xid[])"

    def count(self, move: Moved, held: Held, look: Databases, mine: str) -> tuple[int, int, bool] | None:
        """Count the rows of a table that the migrations deleted, and those that they left with other values.

        Rows that users wrote in between, before or after, are not among them; but one that the migrations updated, and
        a user deleted after that, counts as deleted by them.

        Args:
            move: where the table went.
            held: what it held before.
            look: asks production; its ``after`` side.
            mine: see ``transactions``.

        Returns:
            both, and whether the migrations updated any row that is there; None where the snapshot does not show the
            table's rows, or they have no key of their own.
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
    """The columns beside the key of the widest comparison that is about this table alone."""
    found: tuple[Pair, ...] = ()
    for proof in proofs:
        if len(proof.after) == 1 and proof.after[0].table == table and not proof.after[0].filled:
            # What a row leads to may be users' to change.
            others = tuple(pair for pair in proof.after[0].pairs if pair not in keys and not pair.link)
            found = max(found, others, key=len)
    return found


_KEPT: weakref.WeakKeyDictionary[Session, Witness] = weakref.WeakKeyDictionary()


def hold(session: Session, target: str) -> None:
    """Begin to hold a snapshot of production, until it is given up or the process ends."""
    give_up(session)
    both = session.connect(target), session.connect(target)
    for connection in both:
        weakref.finalize(session, connection.close)
    _KEPT[session] = Witness(*both)


def held(session: Session) -> Witness | None:
    """The snapshot that this process holds; none after a stop, or where its session ended."""
    found = _KEPT.get(session)
    return found if found and found.alive else None


def give_up(session: Session) -> None:
    """Let the snapshot go."""
    if found := _KEPT.pop(session, None):
        found.connection.close()
        found.listener.close()
