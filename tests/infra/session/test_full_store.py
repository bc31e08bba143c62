"""A program that wrote to a full store: the text names that disk, also where the program itself said nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.core.errors import Unreachable
from ops.engine.command import Completed, Query
from ops.engine.hooks import Failed
from ops.engine.inputs import RunInputs
from ops.infra.session.run_hooks import explain
from ops.infra.session.session import Session
from ops.inventory.load import load

INVENTORY = "all: {children: {production: {hosts: {shop: {database: env:X}}}}}"
NOTHING = (
    "error: pg_dump ended with  and said nothing\npsql: ERROR:  pg_dump failed; its own words stand above\n"
    "CONTEXT:  PL/pgSQL function inline_code_block line 1 at RAISE"
)
PRINTED = "could not print result table: No space left on device"
DUMPED = 'pg_dump: error: could not write to file "/srv/backups/shop/dump/2689.dat.gz": No space left on device'
SERVER = 'psql: ERROR:  53100: could not extend file "base/5/16389": No space left on device'


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Session]:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    session = Session(load(tmp_path / "inventory.yaml"), {"X": "postgresql://u@h/shop", "PATH": os.environ["PATH"]})
    folder = tmp_path / "backups"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("needs a mount of its own (root)")
    (folder / "shop/runs/r1").mkdir(parents=True)
    yield session
    subprocess.run(["umount", str(folder)], check=True)


def said(session: Session, stderr: str) -> tuple[str, str, bool]:
    inputs = RunInputs(run="r1", target="shop", database="shop", store="backups", backup="r1")
    found = explain(session, Failed(Query("dump.sql", "shop"), Completed(1, "", stderr), inputs))
    return found.message, found.hint, isinstance(found, Unreachable)


@pytest.mark.parametrize("stderr", [NOTHING, PRINTED, DUMPED], ids=["nothing", "printed", "dumped"])
def test_the_stores_disk_is_named(full: Session, stderr: str) -> None:
    message, hint, again = said(full, stderr)
    assert "dump.sql: the store's disk is full: " in message and "free in " in message, message
    assert hint == "free disk space for the store (df -h)" and again


def test_the_servers_own_disk_is_another_one(full: Session) -> None:
    message, hint, _ = said(full, SERVER)
    assert "the server's disk is full" in message and "free disk space on the server" in hint


def test_what_the_server_refuses_is_told_as_it_is(full: Session) -> None:
    message, _, again = said(full, f"pg_dump: error: query failed: ERROR:  permission denied for table t\n{NOTHING}")
    assert "permission denied for table t" in message and "disk" not in message and not again
