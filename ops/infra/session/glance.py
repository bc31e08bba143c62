"""Query several databases in parallel for a freeze, with a short timeout for interactive use."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from ops.core.errors import Code, OpsError
from ops.core.sql_files import SQL_FOLDER
from ops.infra.postgres.client import unreached
from ops.infra.postgres.embedded_server import Server
from ops.infra.session.session import Session

SECONDS = 1.5


@dataclass(frozen=True)
class Glance:
    """The state of a database: whether it is frozen, or why that is unknown."""

    frozen: bool | None = None
    why: str = ""


def glance(session: Session, targets: Iterable[str], seconds: float = SECONDS) -> dict[str, Glance]:
    """Query the databases of several targets, and wait at most ``seconds``.

    Skip databases behind SSH or on Railway, since connecting takes longer. Do not start an embedded server.
    """
    found: dict[str, Glance] = {}
    asking = {}
    for name in targets:
        try:
            url = _url(session, name)
        except OpsError as error:
            found[name] = Glance(why=error.message)
            continue
        if isinstance(url, Glance):
            found[name] = url
            continue
        late = Glance(why=f"the database does not answer within {seconds:g} s")
        asking[name] = late, threading.Thread(target=_ask, args=(session, name, url, found), daemon=True)
        asking[name][1].start()
    end = time.monotonic() + seconds
    for name, (late, thread) in asking.items():
        thread.join(max(0.0, end - time.monotonic()))
        found.setdefault(name, late)
    return found


def _url(session: Session, name: str) -> str | Glance:
    """Return the address of a target's database, or why it is not queried."""
    entry = session.inventory.target(name)
    if session.host(name) or entry.database.kind == "railway":
        place = "behind SSH" if session.host(name) else "on Railway"
        return Glance(why=f"the database is {place}; query it by   inv status --target={name}")
    if entry.database.kind != "embedded":
        return session.url(name)
    server = Server(session.inventory.folder)
    if not server.running():
        return Glance(why="the embedded server is not running; the next task starts it")
    return server.url(entry.database.value)


def _ask(session: Session, name: str, url: str, found: dict[str, Glance]) -> None:
    import psycopg

    frozen = (SQL_FOLDER / "frozen.sql").read_text(encoding="utf-8").partition("\\gset")[0]
    try:
        with psycopg.connect(url, autocommit=True, application_name="generalprobe", connect_timeout=5) as connection:
            row = connection.execute(frozen.encode()).fetchone()
            found[name] = Glance(frozen=bool(row) and row[0] == "on")  # type: ignore[index]
    except psycopg.Error as error:
        lines = [line for line in session.redact(str(error)).splitlines() if line.strip() and line[0] != "\t"]
        how, _, code = unreached("\n".join(lines[-1:]))
        embedded = session.inventory.target(name).database.kind == "embedded"
        missing = "the database does not exist yet; the next task creates it"
        found[name] = Glance(why=missing if embedded and code == Code.NO_DATABASE else f"the database {how}")
