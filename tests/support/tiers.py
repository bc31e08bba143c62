"""Which of a test's parameters run with ``make test``, and which only with ``.ci/run`` (the mark ``slow``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def quick(values: Iterable[Any], *at_once: Any) -> list[Any]:
    """The parameters, all of them slow but those that are named by their value, or by their first one."""
    found = list(values)
    known = [value[0] if isinstance(value, tuple) else value for value in found]
    assert all(one in known for one in at_once), "a parameter that is to be quick is not there"
    pairs = zip(found, known, strict=True)
    return [_param(value, () if first in at_once else pytest.mark.slow) for value, first in pairs]


def _param(value: Any, marks: Any) -> Any:
    return pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=marks)
