"""List what replicates production's database and stays with the database that a rollback sets aside."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from ops.core.errors import Unreachable
from ops.core.sql_names import identifier, literal
from ops.infra.session.session import Session

# A job of pg_cron is bound to the name: it runs in the database that has the name.
_CRON = "SELECT jobid, schedule::text FROM cron.job WHERE database = %s AND active ORDER BY jobid"
_QUERY = """
SELECT 'slot', slot_name::text, coalesce(plugin::text, ''), active FROM pg_catalog.pg_replication_slots
WHERE database = current_database()
UNION ALL SELECT 'slot aside', slot_name::text, database::text, active FROM pg_catalog.pg_replication_slots
WHERE starts_with(database::text, current_database() || '_replaced_')
UNION ALL SELECT 'publication', pubname::text, '', false FROM pg_catalog.pg_publication
UNION ALL SELECT 'subscription', subname::text, '', subenabled FROM pg_catalog.pg_subscription
WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Follower:
    """A slot, publication, subscription or job: its fate in a rollback, and what to type.

    ``aside`` marks a slot that an earlier rollback left behind."""

    kind: str
    name: str
    said: str
    then: str
    aside: bool = False

    @property
    def sentence(self) -> str:
        """Return fate and command in one line."""
        return f"{self.kind} {self.name}: {self.said}: {self.then}"


def followers(session: Session, target: str) -> list[Follower]:
    """Find what is bound to a database by its identity and not by its name, and jobs that are bound to the name.

    Raises:
        OpsError: the server does not answer.
    """
    with session.connect(target) as connection:
        rows = connection.execute(_QUERY.encode()).fetchall()
    found = [_follower(*map(str, row[:3]), active=bool(row[3])) for row in rows]
    # Only a superuser may query the database in which pg_cron stores its jobs; usually it is one of these.
    places = dict.fromkeys((session.database(target), "postgres"))
    return found + [one for place in places for one in _jobs(session, target, place)]


def _jobs(session: Session, target: str, place: str) -> list[Follower]:
    """Return the jobs of pg_cron for the database of this name that the role may see.

    Args:
        place: a database in which pg_cron may store its jobs.
    """
    try:
        with session.connect(target, place) as connection:
            rows = connection.execute(_CRON.encode(), [session.database(target)]).fetchall()
    except (Unreachable, psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable):
        return []
    said = "it runs in the database with this name, so after a rollback in the restored database, with its old rows"
    then = "SELECT cron.alter_job({0}, active := false)   in " + place + " before, and true when all is verified"
    return [Follower("job of pg_cron", f"{number} ({when})", said, then.format(number)) for number, when in rows]


def _follower(kind: str, name: str, plugin: str, *, active: bool) -> Follower:
    text, quoted = literal(name), identifier(name)
    drop = f"SELECT pg_drop_replication_slot({text})"
    if kind == "slot aside":
        said = f"it belongs to {plugin}, which a rollback has set aside, and retains WAL until the disk is full"
        return Follower("slot", name, said, drop, aside=True)
    if kind == "slot":
        said = "it stays with the replaced database, and retains WAL until the disk is full"
        made = f"SELECT pg_create_logical_replication_slot({text}, '{plugin}')   in the live database"
        then = f"{drop}   after its reader has stopped; create a new slot with {made}"
        return Follower(kind, name, said + (" (in use)" if active else ""), then)
    if kind == "publication":
        said = "it is restored; a subscriber needs a slot of the live database, and has to copy its tables again"
        off = "ALTER SUBSCRIPTION s DISABLE; ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s"
        then = f"{off}; TRUNCATE its tables; CREATE SUBSCRIPTION s … PUBLICATION {quoted}   at each subscriber"
        return Follower(kind, name, said, then)
    said = "it stays with the replaced database"
    then = f"ALTER SUBSCRIPTION {quoted} DISABLE before, and CREATE SUBSCRIPTION in the live database afterwards"
    return Follower(kind, name, said, then)
