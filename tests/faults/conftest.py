"""A stage for each process that tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.faults.kinds import KINDS
from tests.faults.physical import PROGRAMS, PhysicalStage
from tests.faults.stage import Stage, clear


def opened(folder: Path, made: Stage) -> Iterator[Stage]:
    clear(folder)
    try:
        made.open()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def stage(worker_id: str) -> Iterator[Stage]:
    folder = ROOT / ".embedded" / f"faults-{worker_id}"
    yield from opened(folder, Stage(folder))


@pytest.fixture(scope="session")
def far_stage(worker_id: str) -> Iterator[Stage]:
    """One whose backups go to a remote store, and whose test database is masked."""
    folder = ROOT / ".embedded" / f"faults-far-{worker_id}"
    yield from opened(folder, Stage(folder, far=True))


@pytest.fixture(scope="session")
def kind_stage(worker_id: str) -> Iterator[Callable[[str], Stage]]:
    """Gives one with another kind of release, or a production in use; that before it is closed."""
    folder, at_hand = ROOT / ".embedded" / f"faults-kind-{worker_id}", dict[str, Iterator[Stage]]()
    made: dict[str, Stage] = {}

    def of(kind: str) -> Stage:
        if kind not in made:
            close()
            at_hand[kind] = opened(folder, Stage(folder, kind=KINDS[kind]))
            made[kind] = next(at_hand[kind])
        return made[kind]

    def close() -> None:
        made.clear()
        while at_hand:
            next(at_hand.popitem()[1], None)

    yield of
    close()


@pytest.fixture(scope="session")
def physical_stage(worker_id: str) -> Iterator[Stage]:
    """One whose backups pgBackRest makes."""
    if not shutil.which("pgbackrest") or not PROGRAMS:
        pytest.skip("pgBackRest and a PostgreSQL server are not installed: apt-get install pgbackrest postgresql")
    folder = ROOT / ".embedded" / f"faults-pg-{worker_id}"
    yield from opened(folder, PhysicalStage(folder))
