"""Define the actions that advance the sequences of a restored or kept database beyond the live ones."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from psycopg import Connection, sql

from ops.core.errors import OpsError, Refused, StepFailed
from ops.core.files import write_whole
from ops.engine.registry import tool
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.recovery.rollback import kept_databases, loss, sequences

MOST = 10


@tool
def advance_sequences(session: Session, *, target: str, database: str, shown: str, ahead: str, report: str) -> str:
    """Advance the sequences of a restored database beyond those of the live one, and list them."""
    found = _behind(session, target, database, shown, sequences.AHEAD if ahead == "yes" else 0)
    # Record before setting: an interrupted attempt is repeated, but an unrecorded value would look like users' writes.
    file = session.inventory.path(report)
    write_whole(file, json.dumps(sequences.noted(file) | {one.name: one.to for one in found}))
    with session.connect(target, database) as restored:
        sequences.advance(restored, found)
    return _told(found)


def _told(found: list[sequences.Behind]) -> str:
    if not found:
        return "no live sequence is ahead"
    told = [one.sentence for one in found[:MOST]] + ([f"and {len(found) - MOST} more"] if len(found) > MOST else [])
    return "advanced beyond the live ones, so that no number is issued twice:\n  " + "\n  ".join(told)


@tool
def check_sequences(session: Session, *, target: str, database: str, shown: str) -> str:
    """Check that no sequence of a restored database would issue a number again."""
    if found := _behind(session, target, database, shown, 0):
        said = "; ".join(one.sentence for one in found[:MOST])
        raise StepFailed(f"{target}: sequences would issue numbers again: {said}")
    return "no sequence issues a number again"


@tool
def advance_kept(session: Session, *, target: str, name: str) -> str:
    """Advance the sequences of a kept database that is about to be live again, and close the database.

    Does nothing if there is no database of that name, because it was swapped in or never made."""
    with _opened(session, target, name) as there:
        if there is None:
            return ""
        found = _kept_behind(session, target, name, there)
        sequences.advance(there, found)
    return _told(found)


@tool
def check_kept_sequences(session: Session, *, target: str, name: str) -> str:
    """Check that no sequence of a kept database would issue a number again."""
    with _opened(session, target, name) as there:
        # Users still write to the live database: the skipped numbers suffice until the swap.
        if there is not None and (found := _kept_behind(session, target, name, there, ahead=0)):
            said = "; ".join(one.sentence for one in found[:MOST])
            raise StepFailed(f"{target}: {name} would issue numbers again: {said}")
    return "no sequence issues a number again"


@contextlib.contextmanager
def _opened(session: Session, target: str, name: str) -> Iterator[Connection[Any] | None]:
    """Open a session in a kept database, which is closed before and after; yield None if there is no such database.

    Raises:
        Refused: the name is not that of a kept database.
    """
    if not kept_databases.NAME.search(name):
        raise Refused(f"{target}: {name} is no kept database", f"inv status --target={target}")
    with session.connect(target, "postgres") as server:
        if server.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            yield None
            return
        allowed = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
        server.execute(allowed.format(sql.Identifier(name), sql.SQL("true")))
        try:
            with session.connect(target, name) as there:
                there.execute("SET default_transaction_read_only = off")
                yield there
        finally:
            server.execute(allowed.format(sql.Identifier(name), sql.SQL("false")))


def _kept_behind(
    session: Session, target: str, name: str, there: Connection[Any], ahead: int = sequences.AHEAD
) -> list[sequences.Behind]:
    match = kept_databases.NAME.search(name)
    renamed = _renamed(target_folder(session, target) / "runs" / match[2]) if match else {}
    with session.connect(target) as live:
        frozen = live.execute("SHOW default_transaction_read_only").fetchone() == ("on",)
        return sequences.behind(sequences.read(live), sequences.read(there), renamed, ahead=0 if frozen else ahead)


def _renamed(folder: Path) -> dict[str, str]:
    """Return the tables that have another name on the other side of that run's rollback, in both directions."""
    for name in ("recount.json", "loss.json"):
        with contextlib.suppress(OpsError):
            found = loss.read(folder / name).renamed
            return {**{new: old for old, new in found.items()}, **found}
    return {}


def _behind(session: Session, target: str, database: str, shown: str, ahead: int) -> list[sequences.Behind]:
    try:
        renamed = loss.read(session.inventory.path(shown)).renamed
    except OpsError:
        renamed = {}
    with session.connect(target) as one, session.connect(target, database) as two:
        return sequences.behind(sequences.read(one), sequences.read(two), renamed, ahead=ahead)
