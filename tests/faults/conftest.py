"""A stage for each process that tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.faults.stage import Stage, clear


@pytest.fixture(scope="session")
def stage(worker_id: str) -> Iterator[Stage]:
    folder = ROOT / ".embedded" / f"faults-{worker_id}"
    clear(folder)
    made = Stage(folder)
    try:
        made.open()
        yield made
    finally:
        made.close()
