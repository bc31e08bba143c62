"""Production's streaming replica: check it before a backup, and end a pause of its replay that a dump has left."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ops.core.errors import Refused, Unreachable
from ops.core.text import listed
from ops.engine.command import Query
from ops.engine.inputs import RunInputs
from ops.infra.postgres.client import ADDRESS
from ops.infra.session.derived_targets import standby_of
from ops.infra.session.server import ask, in_english
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.inventory.locate import where

# Seconds for which a standby is given the chance to replay what production has just written.
PATIENCE, PAUSE = 5.0, 0.2
INSTEAD = "dump: {from: production}   dumps production itself"
GRANT = "GRANT EXECUTE ON FUNCTION pg_wal_replay_pause(), pg_wal_replay_resume() TO {}   in the database postgres"
# The note of a dump that has paused the replay (dump.sh), in the folder of an unfinished backup.
NOTE = ".replay"


@dataclass(frozen=True)
class Standby:
    """The state of a standby.

    Args:
        name: the name of the derived target.
        lag: the seconds by which it is behind production.
        pauses: the role may pause the replay.
        user: the role.
        paused: somebody has paused the replay.
        connections: the number of free connections.
    """

    name: str
    lag: float
    pauses: bool
    user: str
    paused: bool
    connections: int

    @property
    def said(self) -> str:
        """The lag and the pause in words."""
        paused = ", replay paused" if self.paused else ""
        return f"at most {self.lag:,.1f} s behind production{paused}"


def examine(session: Session, target: str, max_lag: float, excluded: Collection[str]) -> Standby:
    """Return the state of a target's standby.

    Args:
        session: the connections.
        target: the production target.
        max_lag: the largest lag in seconds.
        excluded: the tables whose rows are not backed up.

    Raises:
        Refused: the server does not answer, is not production's standby, is too far behind, or does not have all rows.
        Unreachable: production does not answer.
    """
    name, entry = standby_of(target), session.inventory.target(target)
    at = f"{where(session.inventory, entry, 'standby')}: {entry.standby}"
    here = standby_state(session, target)
    began, there = time.monotonic(), _of_standby(session, target, at)
    _compare(at, here, there, session.database(name), session.database(target))
    while not (caught := _place(there) >= _place(here)) and time.monotonic() < began + PATIENCE and not there["paused"]:
        time.sleep(PAUSE)
        there = _of_standby(session, target, at)
    if _place(there) > _place(now := standby_state(session, target)):
        raise Refused(f"{at} leads to a standby of another primary: it is ahead of production", INSTEAD)
    behind = max(now["at"] - there["replayed"], 0) if there["replayed"] else None
    lag = time.monotonic() - began if caught else behind
    if lag is None or lag > max_lag:
        raise Refused(_late(at, lag, max_lag, there), _on(target, there))
    _has_all_rows(session, target, at, excluded)
    connections = int(in_english(session, name, ask(session, Query("identity.sql", name)))["connections"])
    return Standby(name, lag, there["pauses"], there["user"], there["paused"], connections)


def _of_standby(session: Session, target: str, at: str) -> dict[str, Any]:
    """Return the state of the standby, asked in the database in which the rights to pause are granted.

    Raises:
        Refused: the standby does not answer.
    """
    name = standby_of(target)
    try:
        return standby_state(session, name, "postgres")
    except Unreachable as error:
        said = error.message.removeprefix(f"{name}: ").removeprefix("the database postgres ")
        way = error.hint.replace(ADDRESS, "the standby's address (`standby` in the inventory)")
        hint = f"{way}   or   {INSTEAD}" if way else INSTEAD
        raise Refused(f"{at}: the standby can't be used: {said}", hint, code=error.code) from None


def _compare(at: str, here: dict[str, Any], there: dict[str, Any], named: str, database: str) -> None:
    """Refuse a server that is not production's standby.

    Raises:
        Refused: it is not in recovery, or it has another system identifier or database.
    """
    way = "the address of production's streaming replica"
    if not there["recovers"]:
        raise Refused(f"{at} leads to a server that is not a standby: it is not in recovery", f"{way}; or   {INSTEAD}")
    if there["system"] != here["system"]:
        said = f"system identifier {there['system']}, and production has {here['system']}"
        raise Refused(f"{at} leads to a standby of another server: {said}", f"{way}; or   {INSTEAD}")
    if named != database or there["database"] != here["database"]:
        said = f"database {named}" + ("" if named != database else " with another oid")
        raise Refused(f"{at} leads to another database: {said}, and production is {database}", f"{way}; or   {INSTEAD}")


def _place(state: dict[str, Any]) -> int:
    """Return a position in the WAL as a number."""
    high, low = str(state["lsn"]).split("/")
    return (int(high, 16) << 32) + int(low, 16)


def _late(at: str, lag: float | None, max_lag: float, there: dict[str, Any]) -> str:
    much = f"{lag:,.0f} s" if lag is not None else "an unknown time"
    why = "; its replay is paused" if there["paused"] else ""
    return f"{at}: the standby is {much} behind production, more than max_lag: {max_lag:g}{why}; nothing was changed"


def _on(target: str, there: dict[str, Any]) -> str:
    if there["paused"] and not there["guarded"]:
        return f"SELECT pg_wal_replay_resume()   on the standby, if no person needs the pause; or   {INSTEAD}"
    return f"repeat the command when the standby has caught up (inv doctor --target={target}); or   {INSTEAD}"


def _has_all_rows(session: Session, target: str, at: str, excluded: Collection[str]) -> None:
    """Refuse a standby of a database with unlogged tables: a standby does not have their rows.

    Raises:
        Refused: there are such tables, and they are not excluded.
    """
    unlogged = ask(session, Query("unlogged.sql", standby_of(target)))["unlogged"]
    if found := [name for name in unlogged if name not in excluded]:
        said = f"the standby does not have the rows of unlogged tables: {listed(found)}; nothing was changed"
        named = ", ".join(name.removeprefix("public.") for name in found[:3])
        raise Refused(f"{at}: {said}", f"dump: {{exclude: [{named}]}}   if their rows need no backup; or   {INSTEAD}")


def standby_state(session: Session, name: str, on: str = "") -> dict[str, Any]:
    """Return the result of ``standby_state.sql`` for production or its standby.

    Args:
        name: the target.
        on: another database that is asked, for the rights in it.

    Raises:
        Unreachable: the server does not answer.
    """
    return ask(session, Query("standby_state.sql", name, on, {"database": session.database(name)}))


def resume_replay(session: Session, c: RunInputs) -> None:
    """Resume the replay that an interrupted run has paused, if the server has not done that itself."""
    session.run(Query("replay_resume.sql", c.dumped, "postgres", {"folder": c.partial}))


def left_paused(session: Session, target: str) -> dict[str, str]:
    """Return for each unfinished backup that has paused the standby's replay a sentence about the pause.

    Raises:
        OpsError: the standby does not answer.
    """
    notes = sorted((target_folder(session, target) / "backups").glob(f"*.partial/{NOTE}"))
    if not notes or session.inventory.target(target).standby is None:
        return {}
    state = standby_state(session, standby_of(target), "postgres")
    if not (state["recovers"] and state["paused"]):
        return {}
    runs = [note.parent.name.removesuffix(".partial") for note in notes]
    if state["guarded"]:
        return {run: f"replay paused for backup {run}; the server resumes it when the dump has ended" for run in runs}
    return {run: f"replay PAUSED by backup {run}, which was interrupted" for run in runs}
