"""PostgreSQL servers that live as long as the tests do: in memory where there is room, and not made for power cuts."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from ops.infra.postgres.embedded_server import Server

ROOT = Path(__file__).parents[2]
MEMORY, ROOM = Path("/dev/shm"), 3 << 30
QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "jit": "off"}
# A password need not withstand anybody, either; PostgreSQL 16 was the first that can be told so.
SERVER = QUICK | {"scram_iterations": "1"}


def servers() -> Path:
    """The folder that takes the tests' servers: in memory, creating and dropping a database takes half the time."""
    with contextlib.suppress(OSError):
        if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
            return MEMORY / f"generalprobe-{os.getuid()}"
    return ROOT / ".embedded"


@contextlib.contextmanager
def own_server(name: str, settings: Mapping[str, str] = SERVER, programs: Path | None = None) -> Iterator[Server]:
    """A server that no other process uses, and that leaves nothing behind.

    Args:
        name: what its folder's name begins with.
        settings: its settings.
        programs: the folder of another PostgreSQL's programs.
    """
    folder = servers() / f"{name}-{uuid.uuid4().hex[:8]}"
    folder.mkdir(parents=True)
    made = Server(folder, settings)
    made.bin = programs or made.bin
    try:
        made.start()
        yield made
    finally:
        made.stop()
        remove(made, folder)


def remove(server: Server, folder: Path) -> None:
    """Remove a stopped server, all of it."""
    shutil.rmtree(server.home, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    if server.bin.parents[2].name == "programs":  # a copy, for a user who can't reach ours
        shutil.rmtree(server.bin.parents[2], ignore_errors=True)
