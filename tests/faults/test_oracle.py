"""The oracle itself: it must see what is wrong, or a green matrix says nothing."""

from __future__ import annotations

import subprocess

import psycopg
import pytest

from tests.faults.oracle import Oracle
from tests.faults.stage import Stage
from tests.support.project import wait_for

pytestmark = pytest.mark.faults


@pytest.fixture
def oracle(stage: Stage) -> Oracle:
    stage.at(("backup",))
    return Oracle(stage, stage.kept[()], stage.kept["backup",])


def test_it_says_nothing_where_nothing_is_wrong(oracle: Oracle) -> None:
    assert not oracle.production()
    oracle.over(oracle.end)
    oracle.verdict()


def test_a_session_that_is_left_is_seen(oracle: Oracle) -> None:
    with psycopg.connect(oracle.stage.server.url("shop"), application_name="generalprobe 20261126_000000_0000"):
        oracle.over(oracle.end)
    with pytest.raises(AssertionError, match="1 things are wrong\n=== sessions are left: .*generalprobe 2026"):
        oracle.verdict()


def test_a_process_that_is_left_is_seen(oracle: Oracle) -> None:
    with subprocess.Popen(["sleep", "60"], env=oracle.stage.project.env) as process:
        assert wait_for(oracle.stage.processes)
        oracle.over(oracle.end)
        process.kill()
    with pytest.raises(AssertionError, match=f"1 things are wrong\n=== still at work: .*{process.pid} sleep 60"):
        oracle.verdict()


@pytest.mark.parametrize(
    ("wrong", "seen"),
    [
        ("DELETE FROM lessons_booking WHERE id = 7", "production is not whole"),
        ("ALTER DATABASE shop SET default_transaction_read_only = on", "frozen at the end"),
        ("CREATE DATABASE shop_restored_20261126_000000_0000", "databases at the end"),
    ],
)
def test_what_is_wrong_with_production_is_seen(oracle: Oracle, wrong: str, seen: str) -> None:
    with oracle.stage.connect() as c:
        c.execute(wrong.encode())
    oracle.production()
    oracle.over(oracle.end)
    with pytest.raises(AssertionError, match=seen):
        oracle.verdict()
