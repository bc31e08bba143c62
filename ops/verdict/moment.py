"""Moments of a database: which transactions had ended, and how many rows were written to each table. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict


class Moment(BaseModel):
    """A moment of one database, as ``moment.sql`` tells it.

    ``snapshot`` is what ``txid_current_snapshot()`` printed, ``database`` the database's number on its server, ``at``
    the server's clock in seconds; ``updated`` and ``deleted`` count the rows of each table so far.
    """

    model_config = ConfigDict(frozen=True)

    snapshot: str
    database: int
    at: float
    updated: dict[str, int] = {}
    deleted: dict[str, int] = {}

    @property
    def recent(self) -> str:
        """SQL over ``x``: the row was written since, or by a transaction that was at work then."""
        oldest = int(self.snapshot.split(":")[0])
        return f"age(x.xmin) <= age('{oldest % 2**32}'::xid)"


class Pace(BaseModel):
    """How many rows of each table were updated and deleted in so many seconds, by all who use a database. A table in
    which none ever was is not named."""

    seconds: float = 0
    updated: dict[str, int] = {}
    deleted: dict[str, int] = {}

    def changed(self, table: str, seconds: float) -> int:
        """The rows of a table that may be other ones after so many seconds."""
        return self._most(self.updated, table, seconds)

    def gone(self, table: str, seconds: float) -> int:
        """The rows of a table that may be gone after so many seconds."""
        return self._most(self.deleted, table, seconds)

    def _most(self, counts: Mapping[str, int], table: str, seconds: float) -> int:
        """Three times as many as at this pace. Where little was written, or for a short time only, chance counts: three
        rows more are taken for seen. None may be, where the server has never counted any."""
        if not self.seconds or table not in counts:
            return 0
        return round(3 * (counts[table] + 3) * seconds / self.seconds)


def pace(then: Moment | None, now: Moment) -> Pace:
    """Reckon the pace between two moments of one database; of a table whose counter began anew, what it counted since.
    None is known between two databases."""
    if then is None or then.database != now.database or now.at <= then.at:
        return Pace()
    updated, deleted = _since(then.updated, now.updated), _since(then.deleted, now.deleted)
    return Pace(seconds=now.at - then.at, updated=updated, deleted=deleted)


def _since(then: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    before = {table: then.get(table, 0) for table in now}
    return {table: count - before[table] if count >= before[table] else count for table, count in now.items()}
