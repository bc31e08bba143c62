"""The page on performance shows what was measured, also where only a part of it was; its chart asks no other host."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
ON = {
    "date": "2026-01-02",
    "processor": "Some CPU",
    "cores": 2,
    "memory": 24,
    "system": "Linux 6.1",
    "postgresql": "15.18",
    "tool": "0.2.0",
    "busy": 0.1,
}
RATIO = {"ours": 1.5, "theirs": 3.0, "ratio": 0.5}


def release(seconds: float) -> dict[str, Any]:
    """A release that takes twice as long as by hand."""
    used = {"cpu": 1.0, "server": 2.0, "peak": 5e7}
    return {
        "hand": {"seconds": seconds, **used},
        "release": {"seconds": 2 * seconds, **used},
        "ratio": 2.0,
        "frozen": seconds / 4,
        "frozen_ratio": 0.25,
        "migrated": seconds / 8,
        "steps": {"hand": {}, "release": {f"a.step{n}": float(n) for n in range(20)}},
        "titles": {"a.step19": "The longest"},
        "targets": {"ratio": 2.0, "frozen_ratio": 0.33},
    }


def case(title: str, gigabytes: float, tables: int = 10, busy: float = 0.1) -> dict[str, Any]:
    """A case of which everything was measured."""
    gaps = {key: [0.02, 0.03, 0.04] for one in ("connecting anew", "in transactions") for key in (one, f"quiet, {one}")}
    swap = {"kinds": ["connecting anew", "in transactions"], "bare": gaps, "rollback": {"seconds": 9.0, **{
        "connecting anew": 0.05, "in transactions": 0.06}}}  # fmt: skip
    found = {
        "release": release(20 * gigabytes),
        "fingerprint": {"serial": RATIO, "two sessions": RATIO},
        "backup": {"dump": RATIO, "dump, then fingerprint": RATIO, "encrypted": RATIO},
        "swap": swap,
    }
    parts = {part: {"on": ON | {"busy": busy}, "rounds": 3, "found": one} for part, one in found.items()}
    return {"title": title, "rows": 1_000_000, "tables": tables, "bytes": gigabytes * 1e9, **parts}


@pytest.fixture
def measurements(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The module that renders them, with no result yet."""
    monkeypatch.syspath_prepend(str(ROOT / "docs/site"))
    import measurements as found

    monkeypatch.setattr(found, "RESULTS", tmp_path)
    return found


def store(folder: Path, **all_of: dict[str, Any]) -> None:
    for name, one in all_of.items():
        (folder / f"{name.replace('_', '-')}.json").write_text(json.dumps(one))


def words(chart: str) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(chart).iter(f"{SVG}text")]


def test_nothing_measured_is_stated(measurements: ModuleType) -> None:
    assert {part().strip() for part in measurements.MEASURED if part is not measurements.performance_growth} == {
        "(not measured)"
    }
    assert "production frozen" in words(measurements.chart())


def test_one_size_has_no_growth(measurements: ModuleType, tmp_path: Path) -> None:
    store(tmp_path, small=case("0.1 GB", 0.1))
    assert measurements.performance_growth() == "(not measured: this needs two sizes)"
    assert "| release / by hand (target: at most 2) | **2.00** |" in measurements.performance_release()
    assert "0.1 GB" in words(measurements.chart())


def test_each_further_gigabyte_has_its_cost(measurements: ModuleType, tmp_path: Path) -> None:
    store(tmp_path, small=case("1 GB", 1), large=case("5 GB", 5), many_tables=case("2,000 tables", 0.1, 2_010))
    assert measurements.performance_growth().splitlines()[2:] == ["| from 1 GB to 5 GB | 20.0 | 40.0 | 5.0 |"]
    assert [one["title"] for one in measurements.sizes()] == ["1 GB", "5 GB"]
    assert {"1 GB", "5 GB", "2,000 tables", "200", "100", "25"} <= set(words(measurements.chart()))


def test_the_longest_steps_are_those_of_the_largest(measurements: ModuleType, tmp_path: Path) -> None:
    store(tmp_path, small=case("1 GB", 1), large=case("5 GB", 5))
    lines = measurements.performance_steps().splitlines()
    assert lines[0] == "| step of the release (5 GB) | s |"
    assert lines[2:4] == ["| The longest | 19.0 |", "| a.step18 | 18.0 |"]
    assert len(lines) == 2 + measurements.LONGEST


def test_a_part_that_was_not_measured_is_left_out(measurements: ModuleType, tmp_path: Path) -> None:
    part = {key: value for key, value in case("5 GB", 5).items() if key != "backup"}
    store(tmp_path, small=case("1 GB", 1), large=part)
    assert measurements.performance_backup().splitlines()[0] == "|  | 1 GB |"
    assert "| 1.50 s / 3.00 s = **0.50** | 1.50 s" in measurements.performance_fingerprint()
    assert "| fingerprint, 10 ms away | – | – |" in measurements.performance_fingerprint()


def test_a_busy_machine_is_named(measurements: ModuleType, tmp_path: Path) -> None:
    store(tmp_path, small=case("1 GB", 1), large=case("5 GB", 5, busy=1.7))
    text = measurements.performance_machine()
    assert "| measured on | 2026-01-02 | 2026-01-02 |" in text
    assert "Other programs used the machine during: 5 GB." in text


def test_the_chart_asks_no_other_host(measurements: ModuleType) -> None:
    text = measurements.CHART.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"://|@import|@font-face|<script|<image|href|url\(", text)


@pytest.mark.slow
def test_a_release_is_measured_beside_the_same_work_by_hand(tmp_path: Path) -> None:
    """Takes a minute: no other test runs a bench."""
    done = subprocess.run(
        [sys.executable, "bench/by_hand.py", "--rows=30000", "--rounds=1"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^seconds that production was frozen +\d+\.\d +\d", done.stdout, re.MULTILINE)
