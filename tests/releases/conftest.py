"""The databases of the releases, and a count of what the judge got wrong, by kind, at the end of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.releases.harness import Releases
from tests.support.client import Client


@pytest.fixture(scope="module")
def releases(client: Client, shared: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Releases:
    return Releases(client, shared, tmp_path_factory.mktemp("releases"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how often the judge was wrong, and in which cases that are debatable."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    judged = [dict(report.user_properties) for report in reports if report.when == "call"]
    kinds = Counter(found["judged"] for found in judged if "judged" in found)
    if not kinds:
        return
    terminalreporter.section("releases")
    terminalreporter.write_line(", ".join(f"{kind}: {n}" for kind, n in sorted(kinds.items())))
    for found in judged:
        if "debatable" in found:
            terminalreporter.write_line(f"debatable: {found['debatable']}")
