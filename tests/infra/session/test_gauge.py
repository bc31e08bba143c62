"""What the progress views of the server say of a command: several tables, finished tables, indexes, unknown totals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from ops.core.pace import Pace
from ops.engine.command import Command, Query, Shell
from ops.infra.session import gauge
from ops.infra.session.gauge import Gauge, Table, Work
from ops.infra.session.session import Session
from ops.infra.stores.base_tables import LargeTable
from ops.inventory.load import load

INVENTORY = "all: {children: {production: {hosts: {shop: {database: env:X}}}}}"
RESTORE = Shell(("pg_restore", "--jobs=2", "dump"), "shop")
DUMP = Query("dump.sql", "shop", parameters={"jobs": "2"})


def copy(pid: int, relation: int, done: int, inserted: int = 0, work: str = "copy in") -> Work:
    return Work(pid, "run", work, "shop", relation, done, 0, inserted)


class Bench:
    def __init__(self, folder: Path, command: Command, total: int = 0) -> None:
        (folder / "inventory.yaml").write_text(INVENTORY)
        self.told: list[tuple[str, Pace]] = []
        session = Session(load(folder / "inventory.yaml"), {"X": "postgresql://u@h/shop"})
        self.gauge = Gauge(session, "shop", command, "backups/none", lambda *told: self.told.append(told))
        self.gauge._rows = total or None

    def take(self, at: float, *works: Work) -> Pace | None:
        self.told.clear()
        self.gauge.take(list(works), at)
        return self.told[-1][1] if self.told else None


def test_rows_of_finished_and_running_copies_count(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RESTORE, 10_000)
    assert bench.take(0, copy(1, 7, 0), copy(2, 8, 0)) is None
    assert bench.take(10, copy(1, 7, 600), copy(2, 8, 400)) == Pace(1000, 10_000, 100, "rows")
    # The first table is finished, and its session copies the next one.
    assert bench.take(20, copy(1, 9, 100), copy(2, 8, 1300)) == Pace(2000, 10_000, 100, "rows")


def test_tables_that_no_sample_saw_are_counted_by_the_server(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RESTORE, 10_000)
    bench.take(0, copy(1, 7, 0, 50))
    assert bench.take(10, copy(1, 9, 500, 4550)) == Pace(5000, 10_000, 500, "rows")


def test_a_copy_of_an_unknown_total_has_a_rate(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RESTORE)
    bench.take(0, copy(1, 7, 0))
    assert bench.take(10, copy(1, 7, 600)) == Pace(600, 0, 60, "rows")


def test_an_index_is_shown_after_the_rows(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RESTORE)
    index = Work(3, "run", "index blocks", "shop", 7, 0, 8_000_000)
    assert bench.take(0, copy(1, 7, 0), index) is None
    assert bench.take(10, index) is None
    half = Work(3, "run", "index blocks", "shop", 7, 4_000_000, 8_000_000)
    assert bench.take(20, half) == Pace(4_000_000, 8_000_000, 200_000)
    assert bench.told[-1][0] == "index blocks"
    # Of two builds, the slower one is shown.
    slow, fast = (Work(pid, "run", "index blocks", "shop", pid, 0, 8_000_000) for pid in (4, 5))
    bench.take(30, slow, fast)
    assert bench.take(40, replace(fast, done=4_000_000), replace(slow, done=1_000_000)) == Pace(1e6, 8e6, 1e5)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_dump_counts_the_bytes_of_its_tables(tmp_path: Path, jobs: str) -> None:
    bench = Bench(tmp_path, Query("dump.sql", "shop", parameters={"jobs": jobs}))
    bench.gauge._tables = {6: Table(9, 7000), 7: Table(100, 6000), 8: Table(50, 1000), 9: Table(-1, 3000)}
    unseen = 7000 if jobs == "2" else 0  # Of several jobs, the first begins with the largest table.
    bench.take(0, copy(1, 7, 0, work="copy out"))
    assert bench.take(10, copy(1, 7, 50, work="copy out")) == Pace(3000 + unseen, 17_000, 300)
    done = bench.take(20, copy(1, 8, 25, work="copy out"))
    assert done and done.done == 6000 + 500 + (7000 + 3000 if jobs == "2" else 0)


def test_a_table_whose_rows_the_planner_does_not_know_counts_when_it_is_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Query("dump.sql", "shop", parameters={"jobs": "1"}))
    bench.gauge._tables = {7: Table(100, 6000), 9: Table(-1, 3000)}
    bench.take(0, copy(1, 7, 100, work="copy out"))
    unread = bench.take(10, copy(1, 9, 25, work="copy out"))
    assert unread is None and bench.gauge._copied["copy out"].bytes(bench.gauge._tables, largest_first=False) == 6000
    read = bench.take(20, copy(1, 7, 0, work="copy out"))
    assert bench.gauge._copied["copy out"].seen[(1, 9)] == 25 and (read is None or read.done >= 3000)


def reading(pid: int, table: str, since: str = "1") -> Work:
    return Work(pid, "run", "read", "shop", 0, 0, 0, 0, table, since)


def test_a_fingerprint_counts_the_parts_that_were_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Query("fingerprint.sql", "shop", parameters={"sessions": "2"}))
    # Eight shares of 100 MB: the first table has six parts, the others have one.
    sizes = {"public.large": 600e6, "public.next": 90e6, "public.third": 60e6, "public.small": 50e6}
    bench.gauge._tables = {n: Table(1, int(size), name) for n, (name, size) in enumerate(sizes.items())}
    assert bench.take(0, reading(1, "public.large"), reading(2, "public.large")) is None
    second = bench.take(10, reading(1, "public.large", "2"), reading(2, "public.large"))
    assert second == Pace(100e6, 800e6, 10e6)
    third = bench.take(20, reading(1, "public.large", "2"), reading(2, "public.large", "2"))
    assert third == Pace(200e6, 800e6, 10e6)
    # Tables between two samples, larger than the one that is read now, were read.
    assert bench.take(75, reading(1, "public.third"), reading(2, "")) == Pace(800e6 - 110e6 - 200e6, 800e6, 490e6 / 75)


def test_the_work_that_takes_longest_is_shown(tmp_path: Path) -> None:
    bench = Bench(tmp_path, DUMP)
    bench.gauge._tables = {7: Table(100, 6000, "public.a"), 8: Table(100, 6000, "public.b")}
    bench.take(0, copy(1, 7, 0, work="copy out"), reading(2, "public.a"))
    bench.take(10, copy(1, 7, 90, work="copy out"), reading(2, "public.a"))
    assert [kind for kind, _ in bench.told] == ["copy out"]
    bench.take(20, copy(1, 8, 90, work="copy out"), reading(2, "public.b"))
    assert [kind for kind, _ in bench.told] == ["read"]


def test_an_error_of_the_query_is_no_error_of_the_command(tmp_path: Path) -> None:
    bench = Bench(tmp_path, DUMP)
    bench.gauge.look(cast("Any", None), lambda *_: True)
    bench.gauge._next = 0
    bench.gauge.tell = cast("Any", None)
    bench.gauge.look(cast("Any", None), lambda *_: True)
    assert gauge.EVERY > 0


def test_rows_of_another_backup_are_restored_by_another_command(tmp_path: Path) -> None:
    folder = tmp_path / "backups/b"
    (folder / "base").mkdir(parents=True)
    large = LargeTable("public.large", "7", "public", "large")
    (folder / "base/tables.jsonl").write_text(json.dumps(vars(large)))
    facts = dict.fromkeys(("target", "database", "client", "system", "schema_digest", "commit", "run"), "x")
    rows = {"public.large": 900, "public.small": 100}
    written = {**facts, "backup": "b", "taken_at": "2026-11-30T00:00:00Z", "server": 18, "migrations": [], "files": {}}
    (folder / "manifest.json").write_text(json.dumps(written | {"rows": rows}))
    found = {}
    for name, words in {
        "rest": ("pg_restore", "backups/b/dump"),
        "base": ("sh", "-c", "…", "try", "backups/b/base", "pg_restore", "backups/b/base/dump"),
        "some": ("pg_restore", "--table=small", "backups/b/dump"),
        "no restore": ("pg_dump", "backups/b/dump"),
    }.items():
        bench = Bench(tmp_path, Shell(words, "shop"))
        bench.gauge.backup = "backups/b"
        found[name] = bench.gauge._restored()
    assert found == {"rest": 100, "base": 900, "some": 0, "no restore": 0}
