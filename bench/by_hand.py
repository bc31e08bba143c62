"""A whole release against the same work by hand, as a migration guide describes it: side by side, interleaved.

Run: `python bench/by_hand.py [--rows N] [--tables N] [--rounds N] [--changed 5%]`. On a server of its own with
PostgreSQL's usual settings it makes a Django project with four large tables (5.5 million rows, 1.35 GB) and a pending
RenameField; with `--tables 2000` there are that many small tables, and few rows in the large ones. In each round

- by hand: `pg_dump > file`, `psql < file` into the test database, `manage.py migrate` there, a command that counts the
  rows, `manage.py migrate` on production;
- `inv release --confirm=shop --json`, which freezes production.

While the copy is tried, 5 % of the rows of a table change on production. Between two releases production is as it was
before. `frozen` is the time from the begin of the freeze to the end of the step that lifts it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import usage  # noqa: E402
from bench.fingerprint import SMALL, Psql  # noqa: E402
from bench.school import CHANGE, fill, write_school  # noqa: E402
from bench.servers import cannot, copy_database, programs, served  # noqa: E402
from ops.core.errors import OpsError  # noqa: E402
from ops.infra.postgres.embedded_server import Server  # noqa: E402
from tests.support.project import Project, project_env  # noqa: E402

ROWS, SMALL_ROWS = 5_500_000, 20
SLOWER, FROZEN = 2.0, 0.33
LONGEST = 12
BETWEEN = "start, plan, and between the steps"
# What a package of PostgreSQL sets; a release of so many tables locks each of them.
SETTINGS = {"shared_buffers": "128MB", "max_wal_size": "1GB", "max_locks_per_transaction": "256"}
WAYS = ("hand", "release")


class Bench:
    """A server with the filled database, and both ways to release; each begins on the same ground."""

    def __init__(self, server: Server, rows: int, tables: int, thousandths: int) -> None:
        self.server, self.tables, self.thousandths = server, tables, thousandths
        self.place = Path(tempfile.mkdtemp(prefix="school-", dir=server.home))
        production, test = server.url("shop"), server.url("shop_test")
        env = project_env(server, production, test, quick=False)
        env.pop("PYTHONDONTWRITEBYTECODE")
        self.project = Project(self.place, production, test, env)
        write_school(self.place)
        self.ask("CREATE DATABASE original")
        original = Project(self.place, server.url("original"), test, env | {"DATABASE_URL": server.url("original")})
        for words in (("migrate", "lessons", "0001"), ("migrate", "auth")):
            original.manage(*words)
        psql = Psql(server, "original", self.place)
        small = SMALL.format(tables=tables) if tables else ""
        psql.run(psql.script("fill", f"{fill(rows)}{small}VACUUM ANALYZE;\n"), "")
        [[self.bytes, self.rows, self.all_tables]] = original.query(
            "SELECT pg_database_size(current_database()), sum(reltuples)::bigint, count(*) FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        usage.run(self.project.command("--list"), self.place, env)

    def ask(self, *statements: str) -> None:
        """Execute statements as the superuser."""
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def clear(self) -> None:
        """Remove production, and every copy and backup of an earlier release."""
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'shop%'").fetchall()
            for (name,) in found:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        shutil.rmtree(self.place / "backups", ignore_errors=True)

    def reset(self) -> None:
        """Production is the original again, and no page of an earlier release has still to be written."""
        self.clear()
        copy_database(self.server, "original", "shop")
        os.sync()

    def change(self) -> Writes:
        """Begin to change rows of production, as users do meanwhile."""
        return Writes(self.project.production, self.thousandths)

    def hand(self) -> dict[str, Any]:
        """Release by hand; production's migration comes last."""
        steps: dict[str, usage.Usage] = {}
        env = self.project.env
        tried = env | {"DATABASE_URL": self.project.test}
        dump = self.place / "dump.sql"
        words = ("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d")
        with dump.open("wb") as file:
            steps["pg_dump > file"] = usage.run(("pg_dump", self.project.production), self.place, env, target=file)
        writes = self.change()
        admin = self.server.url("postgres")
        created = usage.run((*words, admin, "-c", "CREATE DATABASE shop_test"), self.place, env)
        with dump.open("rb") as file:
            restored = usage.run((*words, self.project.test), self.place, env, source=file)
        steps["psql < file"] = _sum([created, restored])
        app = self.place / "shop"
        for title, command, on in (
            ("migrate the copy", ("migrate", "--noinput"), tried),
            ("count its rows", ("check_lessons_data",), tried),
            ("migrate production", ("migrate", "--noinput"), env),
        ):
            steps[title] = usage.run(("python", "manage.py", *command), app, on)
        dump.unlink()
        writes.end()
        whole = _sum(list(steps.values()))
        return vars(whole) | {"steps": {title: used.seconds for title, used in steps.items()}}

    def release(self) -> dict[str, Any]:
        """Release with the tool."""
        events: list[dict[str, Any]] = []
        writes: list[Writes] = []

        def each(line: str) -> None:
            event = json.loads(line)
            events.append(event)
            if not writes and event.get("status") == "done" and event["step"] in effects(events, "rehearses"):
                writes.append(self.change())

        words = self.project.command("release", "--confirm=shop", "--json")
        used = usage.run(words, self.place, self.project.env, each=each)
        if not writes:
            raise OpsError("no step of the release rehearsed the migration")
        begun = moment(events, "freezes", "begun")
        if writes[0].end() > begun:
            raise OpsError("rows were still changing when the freeze began: take more rows, or change fewer")
        steps = {e["step"]: e["seconds"] for e in events if e.get("status") == "done" and "seconds" in e}
        frozen = {
            "frozen": moment(events, "unfreezes", "done") - begun,
            "migrated": moment(events, "migrates", "done") - begun,
        }
        steps[BETWEEN] = used.seconds - sum(steps.values())
        titles = {e["step"]: e["title"] for e in events if e.get("status") == "done"}
        return vars(used) | frozen | {"steps": steps, "titles": titles}


class Writes:
    """Changes to a part of the rows of a table, in a thread."""

    def __init__(self, url: str, thousandths: int) -> None:
        self.url, self.thousandths, self.ended = url, thousandths, 0.0
        self.thread = threading.Thread(target=self._write, daemon=True)
        self.thread.start()

    def end(self) -> float:
        """Wait for the end; return its moment."""
        self.thread.join()
        if not self.ended:
            raise OpsError("the rows of production could not be changed")
        return self.ended

    def _write(self) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(CHANGE, {"thousandths": self.thousandths})
        self.ended = time.time()


def effects(events: list[dict[str, Any]], effect: str) -> list[str]:
    """Return the steps of a run that have an effect."""
    return [step for e in events if e["event"] == "run" for step in e["step_effects"].get(effect, [])]


def moment(events: list[dict[str, Any]], effect: str, status: str) -> float:
    """Return when the steps with an effect began, or were done; the last of several."""
    steps = effects(events, effect)
    found = [e["at"] for e in events if e.get("step") in steps and e.get("status") == status]
    if not found:
        raise OpsError(f"the release has no step that {effect}")
    return datetime.fromisoformat(found[-1]).timestamp()


def _sum(all_of: list[usage.Usage]) -> usage.Usage:
    return usage.Usage(sum(u.seconds for u in all_of), sum(u.cpu for u in all_of), max(u.peak for u in all_of))


def measure(bench: Bench, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Return what each way took in each round; they take turns in being the first."""
    taken: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way in WAYS if number % 2 == 0 else WAYS[::-1]:
            bench.reset()
            run: Callable[[], dict[str, Any]] = getattr(bench, way)
            before = usage.server_cpu(bench.server.data)
            taken[way].append(run() | {"server": usage.server_cpu(bench.server.data) - before})
    return taken


def summary(taken: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return the medians of a measurement, the medians of its ratios, and each way's steps, the longest first."""
    hand, release = taken["hand"], taken["release"]

    def median(of: list[dict[str, Any]], key: str) -> float:
        return statistics.median(round_[key] for round_ in of)

    keys = ("seconds", "cpu", "server", "peak")
    steps = {
        way: {step: statistics.median(r["steps"].get(step, 0.0) for r in rounds) for step in rounds[0]["steps"]}
        for way, rounds in taken.items()
    }
    return {
        **{way: {key: median(rounds, key) for key in keys} for way, rounds in taken.items()},
        "frozen": median(release, "frozen"),
        "migrated": median(release, "migrated"),
        "ratio": statistics.median(r["seconds"] / h["seconds"] for h, r in zip(hand, release, strict=True)),
        "frozen_ratio": statistics.median(r["frozen"] / h["seconds"] for h, r in zip(hand, release, strict=True)),
        "steps": steps,
        "titles": release[0]["titles"],
        "targets": {"ratio": SLOWER, "frozen_ratio": FROZEN},
    }


def show(found: dict[str, Any]) -> None:
    """Print the table."""
    hand, release = found["hand"], found["release"]

    def line(title: str, one: float | str, two: float, ratio: float | str = "", target: float = 0) -> None:
        against = f"  target {target:.2f}  {'ok' if float(ratio) <= target else 'MISSED'}" if target else ""
        cells = "".join(f"{cell:>9}" if isinstance(cell, str) else f"{cell:9.1f}" for cell in (one, two))
        print(f"{title:44}{cells}{ratio if isinstance(ratio, str) else f'{ratio:8.2f}'}{against}")

    print(f"{'':44}{'by hand':>9}{'release':>9}{'ratio':>8}")
    line("seconds", hand["seconds"], release["seconds"], found["ratio"], SLOWER)
    line("seconds that production was frozen", "", found["frozen"], found["frozen_ratio"], FROZEN)
    line("  of them until the migration had ended", "", found["migrated"])
    for title, key, unit in (
        ("processor seconds of the programs", "cpu", 1),
        ("processor seconds of the server", "server", 1),
        ("most memory of the programs at once, MB", "peak", 1e6),
    ):
        line(title, hand[key] / unit, release[key] / unit, release[key] / max(hand[key], 1e-9))
    for way, title in (("hand", "by hand"), ("release", "inv release, the longest")):
        longest = sorted(found["steps"][way].items(), key=lambda step: -step[1])
        print(f"{title}:")
        for step, seconds in longest[:LONGEST]:
            print(f"  {step:42}{seconds:9.1f}")


def percent(word: str) -> int:
    """Read ``5%`` as thousandths."""
    value = round(float(word.removesuffix("%")) * 10)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"{word}: a part of the rows is needed, such as 5%")
    return value


def asked() -> argparse.Namespace:
    """Read the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=0, help=f"rows in all ({ROWS:,}; with --tables 20 for each)")
    options.add_argument("--tables", type=int, default=0, help="how many small tables there are beside the large ones")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--changed", type=percent, default="5%", help="how many rows of a table change meanwhile")
    options.add_argument("--majors", default="15,16,17,18", help="PostgreSQL versions, the first that is installed")
    given = options.parse_args()
    given.rows = given.rows or given.tables * SMALL_ROWS or ROWS
    return given


def main() -> int:
    """Measure and print; 1 only where that could not be done."""
    given = asked()
    try:
        with served(programs([int(major) for major in given.majors.split(",")]), SETTINGS) as server:
            bench = Bench(server, given.rows, given.tables, given.changed)
            [[version]] = bench.project.query("SHOW server_version", "postgres")
            size = f"{bench.rows:,} rows in {bench.all_tables:,} tables, {bench.bytes / 1e9:.2f} GB"
            print(f"{size}, PostgreSQL {version}, {os.cpu_count()} cores, {given.rounds} rounds", flush=True)
            show(summary(measure(bench, given.rounds)))
    except (OpsError, psycopg.Error, OSError) as error:
        return cannot(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
