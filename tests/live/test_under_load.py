"""Every case once, frozen and not, under load: ``python -m tests.live --count 100`` does many of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Project
from tests.live.cases import CASES
from tests.live.harness import release


@pytest.mark.slow
@pytest.mark.parametrize(("name", "freeze"), [(name, freeze) for name, case in CASES.items() for freeze in case.frozen])
def test_a_release_under_load_ends_as_is_right(project: Callable[..., Project], name: str, freeze: str) -> None:
    result = release(project, CASES[name], freeze)
    assert result.statements > 100
    assert result.wrong(CASES[name]) == ""
