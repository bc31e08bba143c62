"""``pytest -m upgrades``: every case of the corpus ends as is right. Deselected by default: it installs from PyPI."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.upgrades import case as cases
from tests.upgrades.__main__ import told
from tests.upgrades.harness import Harness
from tests.upgrades.venvs import CannotInstall

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.upgrades
@pytest.mark.parametrize("name", cases.names())
def test_release_ends_as_is_right(name: str) -> None:
    try:
        result = Harness(cases.read(name), ROOT).release()
    except CannotInstall as error:
        pytest.skip(f"{name} can't be installed here: {error}")
    assert result.as_expected, told(result, short=False)
