"""A stage for each process that tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.faults.stage import Stage, clear


def opened(folder: Path, far: bool = False) -> Iterator[Stage]:
    clear(folder)
    made = Stage(folder, far)
    try:
        made.open()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def stage(worker_id: str) -> Iterator[Stage]:
    yield from opened(ROOT / ".embedded" / f"faults-{worker_id}")


@pytest.fixture(scope="session")
def far_stage(worker_id: str) -> Iterator[Stage]:
    """One whose backups go to a remote store, and whose test database is masked."""
    yield from opened(ROOT / ".embedded" / f"faults-far-{worker_id}", far=True)
