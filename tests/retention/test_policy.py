"""Which backups stay: properties that hold for every history and policy, and Barman's own rules as an oracle."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ops.infra.stores.manifest import Manifest
from ops.inventory.fields import Keep
from ops.retention.policy import decide
from tests.support.examples import examples

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def made(at: datetime, name: str = "", delta_of: str = "") -> Manifest:
    empty: dict[str, object] = {"rows": {}, "files": {}, "migrations": ()}
    return Manifest.model_validate(
        {
            "backup": name or f"{at:%Y%m%d_%H%M%S}_abcd",
            "target": "shop",
            "database": "shop",
            "taken_at": at,
            "server": 180000,
            "client": "18",
            "system": "1",
            "schema_digest": "",
            "commit": "",
            "run": "",
            "delta_of": delta_of,
            **empty,
        }
    )


def stay(manifests: list[Manifest], keep: Keep, needed: dict[str, list[str]] | None = None) -> list[str]:
    return [one.manifest.backup for one in decide(manifests, keep, needed or {}, 7, NOW) if one.stays]


NOTHING = Keep(daily=0, weekly=0, monthly=0, yearly=0, last=0, least=1)
ages = st.lists(st.integers(0, 60 * 24 * 800), min_size=1, max_size=40, unique=True)
counts = st.integers(0, 8)
keeps = st.builds(
    Keep, daily=counts, weekly=counts, monthly=counts, yearly=counts, last=counts, least=st.integers(1, 5)
)


def history(minutes: list[int]) -> list[Manifest]:
    return [made(NOW - timedelta(minutes=one)) for one in minutes]


@settings(max_examples=examples(200), deadline=None)
@given(ages, keeps)
def test_pruning_twice_removes_nothing_more(minutes: list[int], keep: Keep) -> None:
    all_of = history(minutes)
    first = stay(all_of, keep)
    left = [one for one in all_of if one.backup in first]
    assert stay(left, keep) == first


@settings(max_examples=examples(200), deadline=None)
@given(ages, keeps, st.data())
def test_what_is_needed_the_newest_and_the_least_stay(minutes: list[int], keep: Keep, data: st.DataObject) -> None:
    all_of = history(minutes)
    wanted = data.draw(st.lists(st.sampled_from([one.backup for one in all_of]), max_size=3))
    kept = stay(all_of, keep, {name: ["pinned"] for name in wanted})
    assert set(wanted) <= set(kept)
    assert max(one.backup for one in all_of) in kept
    assert len(kept) >= min(keep.least, len(all_of))


@settings(max_examples=examples(200), deadline=None)
@given(ages, keeps)
def test_never_more_stay_than_the_policy_can_ask_for(minutes: list[int], keep: Keep) -> None:
    most = keep.daily + keep.weekly + keep.monthly + keep.yearly + max(keep.last, keep.least) + 1
    assert len(stay(history(minutes), keep)) <= most


@settings(max_examples=examples(200), deadline=None)
@given(ages, keeps)
def test_a_wider_policy_keeps_no_less(minutes: list[int], keep: Keep) -> None:
    # What stays only so that `least` are left is not asked for by a rule.
    keep = keep.model_copy(update={"least": 1})
    wider = keep.model_copy(update={"daily": keep.daily + 1, "monthly": keep.monthly + 2, "last": keep.last + 1})
    assert set(stay(history(minutes), keep)) <= set(stay(history(minutes), wider))


@settings(max_examples=examples(100), deadline=None)
@given(ages, st.integers(1, 8))
def test_the_newest_of_each_of_the_last_days_that_have_one(minutes: list[int], days: int) -> None:
    all_of = history(minutes)
    kept = stay(all_of, NOTHING.model_copy(update={"daily": days}))
    with_one = sorted({one.taken_at.date() for one in all_of}, reverse=True)[:days]
    newest = [max(one.backup for one in all_of if one.taken_at.date() == day) for day in with_one]
    assert sorted(kept) == sorted(newest)


def test_an_outage_of_months_removes_nothing() -> None:
    all_of = [made(NOW - timedelta(days=200 + day)) for day in range(7)]
    assert len(stay(all_of, Keep(daily=7, weekly=0, monthly=0, least=1))) == 7


def test_a_backup_of_the_future_stays_and_takes_nobodys_place_for_good() -> None:
    future, today = made(NOW + timedelta(days=900)), made(NOW - timedelta(hours=1))
    assert stay([future, today], Keep(daily=2, weekly=0, monthly=0, least=1)) == [today.backup, future.backup]
    yesterday = made(NOW - timedelta(days=1))
    kept = stay([future, today, yesterday], Keep(daily=2, weekly=0, monthly=0, least=1))
    assert kept == [yesterday.backup, today.backup, future.backup]


def test_a_damaged_backup_takes_no_good_ones_place_and_is_a_persons_to_remove() -> None:
    all_of = [made(NOW - timedelta(days=day)) for day in range(3)]
    found = decide(all_of, Keep(daily=1, weekly=0, monthly=0, least=1), {}, 7, NOW, {all_of[0].backup: "its file x"})
    reasons = {one.manifest.backup: "; ".join(one.reasons) for one in found}
    assert "DAMAGED, its file x" in reasons[all_of[0].backup]
    assert "the newest" in reasons[all_of[1].backup] and reasons[all_of[2].backup] == ""


def test_a_delta_goes_with_its_base_and_never_without() -> None:
    old, new = made(NOW - timedelta(days=50)), made(NOW)
    delta = made(NOW - timedelta(days=49), "20261008_000000_abcd_delta", old.backup)
    assert stay([old, delta, new], NOTHING) == [new.backup]
    assert delta.backup in stay([old, delta, new], NOTHING, {old.backup: ["pinned"]})
    assert old.backup in stay([old, delta, new], NOTHING, {delta.backup: ["pinned"]})


def test_a_safety_backup_stays_for_the_days_of_its_database_and_takes_no_slot() -> None:
    young = made(NOW - timedelta(days=6), "20261121_120000_abcd_safety")
    old = made(NOW - timedelta(days=8), "20261119_120000_abcd_safety")
    plain = made(NOW - timedelta(days=9))
    assert stay([plain, old, young], NOTHING) == [plain.backup, young.backup]


def test_weeks_are_those_of_iso() -> None:
    # 2024-12-30 is a Monday of the first week of 2025.
    days = [datetime(2024, 12, 29, tzinfo=UTC), datetime(2024, 12, 30, tzinfo=UTC), datetime(2025, 1, 5, tzinfo=UTC)]
    all_of = [made(day) for day in days]
    reasons = {one.manifest.backup: one.reasons for one in decide(all_of, Keep(weekly=2), {}, 7, NOW)}
    assert "weekly for 2024-W52" in reasons[all_of[0].backup] and "weekly for 2025-W01" in reasons[all_of[2].backup]


# Barman's own code, asked in a process of its own, as it needs libraries that are not ours: Debian's package serves.
BARMAN = """
import json, sys
from types import SimpleNamespace
from datetime import datetime
import barman.output
from barman.infofile import BackupInfo
from barman.retention_policies import RetentionPolicyFactory

class Catalog:
    get_backup_list = lambda self: self.found
    get_keep_target = lambda self, _: None

for line in sys.stdin:
    asked = json.loads(line)
    found = {
        name: SimpleNamespace(backup_id=name, end_time=datetime.fromisoformat(at), status=BackupInfo.DONE,
                              is_incremental=False, has_children=False)
        for name, at in asked["backups"].items()
    }
    catalog = Catalog()
    catalog.found = found
    policy = f"REDUNDANCY {asked['redundancy']}"
    made = RetentionPolicyFactory.create("retention_policy", policy, server_name="main", catalog=catalog)
    made.server.minimum_redundancy = asked["least"]
    report = made.report()
    print(json.dumps(sorted(name for name, status in report.items() if status == BackupInfo.VALID)), flush=True)
"""


@pytest.fixture(scope="module")
def barman() -> Iterator[subprocess.Popen[str]]:
    """Answers which backups Barman's policy does not find obsolete, a line for a line."""
    tried = "import barman.output, barman.retention_policies"
    for python in (sys.executable, "/usr/bin/python3"):
        if Path(python).exists() and subprocess.run([python, "-c", tried], capture_output=True).returncode == 0:
            break
    else:
        pytest.skip("barman is not installed: apt-get install python3-barman")
    pipe = subprocess.PIPE
    words, quiet = [python, "-c", BARMAN], subprocess.DEVNULL
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=quiet, text=True) as asked:
        yield asked
        asked.kill()


@settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(minutes=ages, redundancy=st.integers(0, 8), least=st.integers(1, 4))
def test_last_n_and_least_are_barmans_redundancy(
    barman: subprocess.Popen[str], minutes: list[int], redundancy: int, least: int
) -> None:
    """Barman's own code says which backups its policy finds obsolete."""
    all_of = history(minutes)
    assert barman.stdin and barman.stdout
    backups = {one.backup: one.taken_at.isoformat() for one in all_of}
    barman.stdin.write(json.dumps({"backups": backups, "redundancy": redundancy, "least": least}) + "\n")
    barman.stdin.flush()
    valid = json.loads(barman.stdout.readline())
    assert stay(all_of, NOTHING.model_copy(update={"last": redundancy, "least": least})) == valid
