"""The embedded server: when it counts as running."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.infra.postgres.embedded_server import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that was never made. For root its folder is not below ``tmp_path``, whose name comes again."""
    made = Server(tmp_path)
    shutil.rmtree(made.home, ignore_errors=True)
    yield made
    shutil.rmtree(made.home, ignore_errors=True)


def test_another_process_with_its_old_number_is_no_server(server: Server) -> None:
    """After a reboot any process may have the number that ``postmaster.pid`` names: it must be started then."""
    server.data.mkdir(parents=True)
    assert not server.running()
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n")
    server._copy_programs()
    assert not server.running()
