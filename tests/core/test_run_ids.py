"""Ids of runs sort by time, whatever this machine's clock says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ops.core.run_ids import ids_in, new_run


def test_an_id_is_this_moment() -> None:
    before, made, after = f"{datetime.now(UTC):%Y%m%d_%H%M%S}", new_run(), f"{datetime.now(UTC):%Y%m%d_%H%M%S}"
    assert before <= made[:15] <= after and len(made) == 20
    assert new_run(["20010101_000000_abcd", "not an id"])[:15] >= before


def test_an_id_sorts_after_those_that_are_there_also_within_a_second_or_with_the_clock_set_back() -> None:
    known = ["20990101_235959_ffff_last", "20990101_235958_ffff"]
    for _ in range(5):
        known.append(new_run(known))
    assert known[2][:15] == "20990102_000000"
    assert known[2:] == sorted(known[2:])


def test_a_folder_that_only_looks_like_an_id_is_no_moment() -> None:
    assert new_run(["20991399_999999_ffff"])[:4] != "2099"


def test_the_ids_of_all_targets_are_known(tmp_path: Path) -> None:
    for name in ("a/runs/1", "b/backups/2", "b/certificates/3"):
        (tmp_path / name).mkdir(parents=True)
    assert sorted(ids_in([tmp_path / "a", tmp_path / "b", tmp_path / "none"])) == ["1", "2"]
