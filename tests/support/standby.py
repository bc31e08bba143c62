"""A server and its streaming replica, made by ``pg_basebackup -R``."""

from __future__ import annotations

import contextlib
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ops.infra.postgres.embedded_server import Server
from tests.support.servers import SERVER, own_server, remove, servers

DELAY = {"max_standby_streaming_delay": "500ms"}


@dataclass
class Replicated:
    """A server and its streaming replica, with the same password."""

    primary: Server
    standby: Server

    def ask(self, text: str, database: str = "postgres") -> Any:
        """The first value that the standby answers."""
        with psycopg.connect(self.standby.url(database), autocommit=True) as connection:
            row = connection.execute(text.encode()).fetchone()
        return row[0] if row else None

    @property
    def paused(self) -> bool:
        """Whether the replay is paused, or asked to pause."""
        return bool(self.ask("SELECT pg_is_wal_replay_paused()"))

    def resume(self) -> None:
        """Go on with the replay."""
        self.ask("SELECT pg_wal_replay_resume()")

    def caught_up(self) -> None:
        """Wait until the standby has what the primary has written by now."""
        with psycopg.connect(self.primary.url("postgres"), autocommit=True) as connection:
            (place,) = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone() or ("",)
        deadline = time.monotonic() + 30
        while not self.ask(f"SELECT pg_last_wal_replay_lsn() >= '{place}'"):
            assert time.monotonic() < deadline, "the standby does not catch up"
            time.sleep(0.02)


@contextlib.contextmanager
def replicated(name: str, settings: Mapping[str, str] = SERVER, programs: Path | None = None) -> Iterator[Replicated]:
    """Start both; skip where ``pg_basebackup`` is missing.

    Args:
        name: what their folders' names begin with.
        settings: their settings.
        programs: the folder of another PostgreSQL's programs.
    """
    with own_server(name, settings, programs) as primary:
        if not (primary.bin / "pg_basebackup").exists():
            pytest.skip(f"pg_basebackup is needed here: {primary.bin} has none")
        folder = servers() / f"{name}-standby-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        standby = Server(folder, {**settings, **DELAY})
        standby.bin = primary.bin
        try:
            _copy(primary, standby)
            standby.start()
            yield Replicated(primary, standby)
        finally:
            standby.stop()
            remove(standby, folder)


def _copy(primary: Server, standby: Server) -> None:
    with standby._lock():
        standby.data.mkdir()
        standby._own(standby.data, 0o700)
        words = ("-D", str(standby.data), "-R", "-X", "stream", "-c", "fast", "--no-sync")
        standby._call("pg_basebackup", *words, "-d", primary.url("postgres"))
        shutil.copy(primary.home / "password", standby.home / "password")


@pytest.fixture(scope="session")
def replicas() -> Iterator[Replicated]:
    """A server of this worker's own with its streaming replica, which gives a query half a second before it replays."""
    with replicated("replicas") as found:
        yield found
