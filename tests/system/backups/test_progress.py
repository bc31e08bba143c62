"""A slow restore shows how far its rows and indexes are, and the remaining time; a failure of that is no failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ops.cli import progress
from ops.infra.session import gauge
from tests.conftest import Project

# A value of the database that is made by the tool takes time, in a stored column and in an index.
SLOW = """
CREATE FUNCTION slowly(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF current_database() LIKE '%_spare_%' THEN PERFORM pg_catalog.pg_sleep(0.0015); END IF;
    RETURN n;
END $$;
CREATE TABLE slow (id int PRIMARY KEY, n int GENERATED ALWAYS AS (public.slowly(id)) STORED, filler text);
ALTER TABLE slow ALTER filler SET STORAGE PLAIN;
INSERT INTO slow (id, filler) SELECT n, repeat('x', 2000) FROM generate_series(1, 3000) n;
CREATE INDEX ON slow (public.slowly(id + 1));
ANALYZE slow;
"""


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remaining times are shown after a second, and lines are printed each second."""
    monkeypatch.setattr(progress, "LONG", 1.0)
    monkeypatch.setattr(progress, "MINUTE", 1.0)


@pytest.mark.slow
def test_a_slow_restore_shows_rows_and_indexes(project: Callable[..., Project], soon: None) -> None:
    shop = project("b")
    shop.query(SLOW)
    done = shop.inv("clone-prod-to-test", "--json")
    assert done.code == 0, done.out + done.err
    told = [event for event in done.events if event["event"] == "progress"]
    rows = [event for event in told if event["work"] == "copy in"]
    assert rows and {event["step"] for event in rows} == {"clone.restore"}, done.out
    total = sum(int(shop.query(f'SELECT count(*) FROM "{table}"')[0][0]) for table in tables(shop))
    for event in rows:
        assert event["unit"] == "rows" and event["total"] == total and 0 < event["done"] <= total
        assert event["rate"] > 0 and event["left"] == pytest.approx((total - event["done"]) / event["rate"], rel=0.1)
        assert event["step_left"] is None
    indexes = [event for event in told if event["work"] == "index blocks"]
    assert indexes and all(0 <= event["done"] <= event["total"] for event in indexes)
    assert all("progress" not in line for line in journal(shop, done.events[-1]["run"]))

    again = shop.inv("clone-prod-to-test")
    assert again.code == 0, again.out + again.err
    lines = [line for line in again.out.splitlines() if "… Restore the backup" in line and ", running for " in line]
    parts = ("copied: ", " rows/s, about ", "; step: about ")
    assert any(all(part in line for part in parts) for line in lines), again.out
    assert any("(last time " in line for line in lines)


# A value that is computed when a row is read. Each table has a statement of its own.
COMPUTED = """
CREATE TABLE computed_{0} (id int PRIMARY KEY, filler text,
                           n text GENERATED ALWAYS AS (pg_catalog.md5(pg_catalog.repeat(filler, 120))) VIRTUAL);
ALTER TABLE computed_{0} ALTER filler SET STORAGE PLAIN;
INSERT INTO computed_{0} SELECT n, repeat('x', 7000) FROM generate_series(1, 2500) n;
ANALYZE computed_{0};
"""


@pytest.mark.slow
def test_a_slow_fingerprint_shows_the_bytes_that_were_read(project: Callable[..., Project], soon: None) -> None:
    shop = project("b")
    if int(shop.query("SHOW server_version_num")[0][0]) < 180000:
        pytest.skip("needs virtual columns (PostgreSQL 18)")
    for number in range(3):
        shop.query(COMPUTED.format(number))
    done = shop.inv("backup", "--json")
    assert done.code == 0, done.out + done.err
    reads = [event for event in done.events if event["event"] == "progress" and event["work"] == "read"]
    # Without the map of free space, which autovacuum may make at any time.
    size = int(shop.query("SELECT pg_relation_size('computed_0')")[0][0])
    assert reads and {event["step"] for event in reads} == {"backup.dump"}, done.out
    told = [(event["done"], event["total"]) for event in reads]
    assert all(size <= done <= total < 4 * size for done, total in told), (size, told)


@pytest.mark.slow
def test_a_server_that_does_not_tell_its_progress_fails_nothing(
    project: Callable[..., Project], soon: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError("no such view")

    monkeypatch.setattr(gauge.Gauge, "take", fails)
    shop = project("b")
    shop.query(SLOW.replace("3000", "1000"))
    done = shop.inv("clone-prod-to-test", "--json")
    assert done.code == 0 and "no such view" not in done.out + done.err, done.out + done.err


def tables(shop: Project) -> list[str]:
    found = shop.query("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
    return [str(row[0]) for row in found]


def journal(shop: Project, run: str) -> list[str]:
    return (shop.folder / f"backups/shop/runs/{run}/journal.jsonl").read_text().splitlines()
