"""The way back's times: told only where every part of it was really done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ops.core.errors import UsageError
from ops.release.measuring.recovery_time import MOMENTS, Recovery, measured, note

DONE = {"restore-begun": 100.0, "restored": 140.5, "proof-begun": 200.0, "proved": 201.5}


def noted(folder: Path, moments: dict[str, float], *gaps: str) -> Path:
    file = folder / "way-back.json"
    file.write_text(json.dumps(moments))
    for name, gap in zip(("swapped-in.txt", "swapped-back.txt"), gaps, strict=False):
        (folder / name).write_text(gap)
    return file


def test_restore_and_proof_add_up_and_the_longer_gap_counts(tmp_path: Path) -> None:
    file = noted(tmp_path, DONE, "clients were away for 0.012 s\n", "clients were away for 0.031 s\n")
    found = measured(file)
    assert found == Recovery(restored=40.5, proved=1.5, swapped=0.031)
    assert found.sentence == "recovery proved: restored and verified in 42.0 s, swapped in 0.031 s"


def test_minutes_are_told_as_minutes() -> None:
    said = Recovery(restored=600, proved=61, swapped=0.5).sentence
    assert said == "recovery proved: restored and verified in 11 min 1 s, swapped in 0.5 s"


def test_a_swap_that_had_nothing_to_do_is_not_a_fast_one(tmp_path: Path) -> None:
    found = measured(noted(tmp_path, DONE, "", "clients were away for 0.031 s\n"))
    assert found and found.swapped == 0.031
    assert measured(noted(tmp_path, DONE, "", "")) is None


@pytest.mark.parametrize("missing", MOMENTS)
def test_what_is_missing_is_not_made_up(tmp_path: Path, missing: str) -> None:
    file = noted(tmp_path, {k: v for k, v in DONE.items() if k != missing}, "clients were away for 0.01 s")
    assert measured(file) is None


def test_a_proof_of_an_earlier_attempt_does_not_count(tmp_path: Path) -> None:
    assert measured(noted(tmp_path, DONE | {"proof-begun": 300.0}, "clients were away for 0.01 s")) is None
    assert measured(tmp_path / "nothing.json") is None


def test_moments_are_noted_over_earlier_ones(tmp_path: Path) -> None:
    file = noted(tmp_path, DONE)
    assert note(file, "restore-begun") == "restore-begun"
    assert note(file, "restored") == "restored in 0.0 s"
    assert json.loads(file.read_text())["restored"] > 200


def test_what_an_interrupted_attempt_noted_later_is_forgotten(tmp_path: Path) -> None:
    file = noted(tmp_path, DONE, "clients were away for 0.01 s")
    note(file, "restore-begun")
    assert measured(file) is None
    assert json.loads(file.read_text()).keys() == {"restore-begun"}


def test_a_moment_that_is_none_is_refused(tmp_path: Path) -> None:
    file = noted(tmp_path, DONE)
    with pytest.raises(UsageError, match="is not one of"):
        note(file, "lunch")
