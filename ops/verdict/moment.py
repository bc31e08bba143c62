"""Describe moments of a database: ended transactions, and the rows written to each table. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict


class Moment(BaseModel):
    """Hold a moment of a database, the result of ``moment.sql``.

    ``snapshot`` is the output of ``txid_current_snapshot()``, ``database`` the database's oid, ``at`` the server's
    clock in seconds. ``updated`` and ``deleted`` count the rows of each table so far.
    """

    model_config = ConfigDict(frozen=True)

    snapshot: str
    database: int
    at: float
    updated: dict[str, int] = {}
    deleted: dict[str, int] = {}

    @property
    def recent(self) -> str:
        """Return SQL over ``x`` that is true for rows written since, or by a transaction that was running then."""
        oldest = int(self.snapshot.split(":")[0])
        return f"age(x.xmin) <= age('{oldest % 2**32}'::xid)"


class Replica(BaseModel):
    """Hold the position of a streaming replica in production's WAL, and its lag in seconds; None if unknown."""

    model_config = ConfigDict(frozen=True)

    lsn: str
    lag: float | None

    @property
    def said(self) -> str:
        """The position and the lag in words."""
        lag = "an unknown time" if self.lag is None else f"{self.lag:,.1f} s"
        return f"dumped from the standby at {self.lsn}, {lag} behind production"


class Pace(BaseModel):
    """Count the rows of each table that users updated and deleted in a number of seconds.

    Tables without any such row are omitted.
    """

    seconds: float = 0
    updated: dict[str, int] = {}
    deleted: dict[str, int] = {}

    def changed(self, table: str, seconds: float) -> int:
        """Return how many rows of a table users may have changed after a number of seconds."""
        return self._most(self.updated, table, seconds)

    def gone(self, table: str, seconds: float) -> int:
        """Return how many rows of a table users may have deleted after a number of seconds."""
        return self._most(self.deleted, table, seconds)

    def _most(self, counts: Mapping[str, int], table: str, seconds: float) -> int:
        """Return three times the expected number. Add three rows to small counts, which depend on chance.

        Return 0 if the server never counted such a row.
        """
        if not self.seconds or table not in counts:
            return 0
        return round(3 * (counts[table] + 3) * seconds / self.seconds)


def pace(then: Moment | None, now: Moment) -> Pace:
    """Compute the pace between two moments of one database.

    It is empty for two databases, and if nothing is counted at the second moment of what was counted at the first one:
    a server that crashes, or is told to, counts anew. If one counter was reset, its value since the reset is used.
    """
    if then is None or then.database != now.database or now.at <= then.at or _counts_anew(then, now):
        return Pace()
    updated, deleted = _since(then.updated, now.updated), _since(then.deleted, now.deleted)
    return Pace(seconds=now.at - then.at, updated=updated, deleted=deleted)


def _counts_anew(then: Moment, now: Moment) -> bool:
    counted = (then.updated, now.updated), (then.deleted, now.deleted)
    return any(before and before.keys().isdisjoint(after) for before, after in counted)


def _since(then: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    before = {table: then.get(table, 0) for table in now}
    return {table: count - before[table] if count >= before[table] else count for table, count in now.items()}
