"""Which backup is meant: by id, latest, before a run, or at a moment; what is refused, with what to type instead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.backups.selection import MOMENT, choose, moment
from ops.core.errors import UsageError
from ops.engine.journal import State
from ops.infra.stores.manifest import seal
from tests.infra.stores.test_manifest import dumped, facts

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
RELEASE, ROLLED = "20261124_120000_aaaa", "20261124_140000_bbbb"


def made(folder: Path, name: str, hours: float, **more: object) -> None:
    taken = {"taken_at": NOON + timedelta(hours=hours)}
    seal(dumped(folder, name), folder / "backups" / name, {**facts(name), **taken, **more})


def run(name: str, procedure: str, *done: str) -> State:
    state = State({"run": name, "procedure": procedure, "target": "shop", "inputs": {"backup": name}})
    for step in done:
        state.mark(step, "done")
    return state


RUNS = [run(RELEASE, "release", "last-backup.seal"), run(ROLLED, "rollback"), run("20261124_150000_cccc", "backup")]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    made(folder, RELEASE, 0)
    made(folder, f"{RELEASE}_last", 1)
    made(folder, f"{ROLLED}_safety", 2)
    made(folder, f"{ROLLED}_delta", 2.5, delta_of=RELEASE)
    return folder


@pytest.mark.parametrize(
    ("wanted", "expected", "words"),
    [
        ("latest", f"{RELEASE}_last", f"{ROLLED}_delta is newer, but it contains only the rows written since"),
        (RELEASE, RELEASE, "3 rows in 1 tables"),
        (f"{ROLLED}_safety", f"{ROLLED}_safety", ""),
        (f"before:{RELEASE}", f"{RELEASE}_last", "taken while production was frozen"),
        (f"before:{ROLLED}", f"{ROLLED}_safety", "production before rollback"),
        ("2026-11-24 12:59", RELEASE, "at or before 2026-11-24 12:59:00 UTC (no zone given: UTC)"),
        ("2026-11-24 13:00Z", f"{RELEASE}_last", "at or before 2026-11-24 13:00:00 UTC"),
        ("2026-11-24 13:59 +01:00", RELEASE, "2026-11-24 12:59:00 UTC"),
        ("2026-11-24T14:15", f"{RELEASE}_last", "_safety is newer, but it contains the data that a rollback or sal"),
        ("2026-11-25", f"{RELEASE}_last", ""),
    ],
)
def test_it_finds_the_one_that_is_meant(store: Path, wanted: str, expected: str, words: str) -> None:
    found = choose(store, wanted, RUNS, 17)
    assert found.manifest.backup == expected
    assert found.said.startswith(f"{expected}, taken 2026-11-24 1") and words in found.said


@pytest.mark.parametrize(
    ("wanted", "words", "hint"),
    [
        ("2026-11-24", "no backup was taken at or before 2026-11-24 00:00:00 UTC", f"--backup={RELEASE}"),
        ("2026-02-30", "is no moment", "2026-11-24 03:00 UTC"),
        ("0001-01-01 00:00+14:00", "is no moment", "2026-11-24 03:00 UTC"),
        (RELEASE[:-1] + "b", f"no backup '{RELEASE[:-1]}b'; the nearest are: {RELEASE}", f"--backup={RELEASE}"),
        ("", "name a backup with --backup", f"--backup={RELEASE}_last"),
        ("../../etc", "there is no backup '../../etc'", "inv backups"),
        (f"{ROLLED}_delta", "no complete database", f"inv salvage --backup={ROLLED}_delta"),
        ("before:20261124_120000_aaab", f"the nearest are: {RELEASE}", f"--backup=before:{RELEASE}"),
        ("before:20261124_150000_cccc", "backup 20261124_150000_cccc has not changed production's data", "--backup="),
        ("before:", "there is no run ''", "inv runs"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_type(store: Path, wanted: str, words: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose(store, wanted, RUNS, 17)
    assert words in caught.value.message and "\n" not in caught.value.message
    assert hint in caught.value.hint
    assert "_safety" not in caught.value.hint and caught.value.exit_code == 2


def test_a_backup_that_was_never_finished_is_named(store: Path) -> None:
    dumped(store, "20261124_160000_dddd_last")
    for wanted in ("20261124_160000_dddd_last", "20261124_160000_dddd_last.partial"):
        with pytest.raises(UsageError, match="was never finished") as caught:
            choose(store, wanted, RUNS, 17)
        assert "inv resume --run=20261124_160000_dddd " in caught.value.hint


def test_a_backup_of_a_newer_server_is_refused(store: Path) -> None:
    made(store, "20261124_170000_eeee", 5, server=180001)
    with pytest.raises(UsageError, match="of PostgreSQL 18; production's server is 17") as caught:
        choose(store, "latest", RUNS, 17)
    assert f"--backup={RELEASE}_last" in caught.value.hint
    assert choose(store, "latest", RUNS, 18).manifest.backup == "20261124_170000_eeee"


def test_before_a_release_that_was_not_frozen_says_what_is_missing(store: Path) -> None:
    found = choose(store, f"before:{RELEASE}", [run(RELEASE, "release")], 17)
    assert found.manifest.backup == RELEASE
    assert "production was not frozen" in found.said


def test_the_newest_is_told_by_when_it_was_taken_and_not_by_its_name(store: Path) -> None:
    made(store, "20261124_123000_ffff", 0.5)
    assert choose(store, "latest", RUNS, 17).manifest.backup == f"{RELEASE}_last"


@given(st.text(max_size=40))
def test_no_text_is_a_traceback(text: str) -> None:
    with pytest.raises(UsageError):
        choose(Path("/nowhere/shop"), text, [], 17)


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 2)))  # noqa: DTZ001
def test_a_moment_reads_back(then: datetime) -> None:
    then = then.replace(microsecond=0)
    for text in (f"{then:%Y-%m-%d %H:%M:%S}", f"{then:%Y-%m-%dT%H:%M:%SZ}", f"{then:%Y-%m-%d %H:%M:%S}+00:00"):
        if len(text.split("-")[0]) == 4:
            assert MOMENT.fullmatch(text) and moment(text) == then


def test_what_stands_before_a_run_is_told_by_its_effects_and_not_by_its_name(store: Path) -> None:
    header = {"run": ROLLED, "procedure": "put-back", "target": "shop", "inputs": {}}
    known = State({**header, "effects": ["replaces", "saves"]})
    assert choose(store, f"before:{ROLLED}", [known], 17).manifest.backup == f"{ROLLED}_safety"
    with pytest.raises(UsageError, match="has not changed production's data"):
        choose(store, f"before:{ROLLED}", [State(header)], 17)
