"""Measure everything that docs/explanation/performance.md shows, and write the page.

Run: `python bench/performance.py [CASE …] [--only PART,…] [--rounds N]`. For each case it makes the project of
bench/by_hand.py on a server of its own, and measures there: whole releases beside the same work by hand, fingerprints
beside pgcopydb's comparison (or one query for each of many tables), backups beside pg_dump, and swaps under load. It
stores what it found in bench/results/CASE.json; `make reference` renders the page from these files without measuring.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import backup, by_hand, fingerprint, swap  # noqa: E402
from bench.servers import cannot, programs, served  # noqa: E402
from ops import __version__  # noqa: E402
from ops.core.errors import OpsError  # noqa: E402
from ops.core.files import write_whole  # noqa: E402
from ops.infra.postgres.embedded_server import Server  # noqa: E402

RESULTS = ROOT / "bench/results"
SWAPS, LISTENS = 25, 5.0


@dataclass(frozen=True)
class Case:
    """A size or a shape of database."""

    title: str
    rows: int
    tables: int = 0


CASES = {
    "small": Case("0.1 GB", 400_000),
    "medium": Case("1.35 GB", 5_500_000),
    "large": Case("5 GB", 20_400_000),
    "many-tables": Case("2,000 tables", 40_000, 2_000),
}


def releases(bench: by_hand.Bench, rounds: int) -> dict[str, Any]:
    """Measure whole releases beside the same work by hand."""
    found = by_hand.summary(by_hand.measure(bench, rounds))
    by_hand.show(found)
    return found


def fingerprints(bench: by_hand.Bench, rounds: int) -> dict[str, Any]:
    """Measure fingerprints beside the weaker or slower ways."""
    psql = fingerprint.Psql(bench.server, "original", bench.place)
    return fingerprint.small(psql, rounds, bench.tables) if bench.tables else fingerprint.large(psql, rounds)


def backups(bench: by_hand.Bench, rounds: int) -> dict[str, Any]:
    """Measure backups to a folder beside pg_dump."""
    taken = fingerprint.interleaved(rounds, backup.near(backup.Backups(bench.server, "original", "")))
    return backup.compare(taken)


def swaps(bench: by_hand.Bench, rounds: int) -> dict[str, Any]:
    """Measure for how long clients are without an answer during a swap, and during a whole rollback."""
    with tempfile.TemporaryDirectory() as place:
        env = swap.prepare(bench.server, 1, Path(place), "original")
        bare = swap.bare(bench.server, env, SWAPS)
        return {"kinds": swap.KINDS, "swaps": SWAPS, "bare": bare, "rollback": swap.whole(bench.server, Path(place))}


PARTS: dict[str, Callable[[by_hand.Bench, int], dict[str, Any]]] = {
    "release": releases,
    "fingerprint": fingerprints,
    "backup": backups,
    "swap": swaps,
}


def busy() -> float:
    """Return how many cores other programs use now, on average of a few seconds; 0 where the system has no /proc."""

    def spent() -> tuple[float, float]:
        fields = [int(word) for word in _read("/proc/stat").partition("\n")[0].split()[1:9]]
        return (sum(fields), sum(fields[3:5])) if fields else (0.0, 0.0)

    before = spent()
    time.sleep(LISTENS)
    total, idle = (after - earlier for after, earlier in zip(spent(), before, strict=True))
    return (total - idle) / total * (os.cpu_count() or 1) if total else 0.0


def machine(server: Server) -> dict[str, Any]:
    """Return what a reader has to know of the machine."""
    with psycopg.connect(server.url("postgres")) as connection:
        version = connection.info.parameter_status("server_version") or ""
    cpu = re.search(r"^model name\s*: (.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s+(\d+) kB$", _read("/proc/meminfo"), re.MULTILINE)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": " ".join((cpu[1] if cpu else platform.machine()).split()),
        "cores": os.cpu_count(),
        "memory": round(int(memory[1]) / 1e6) if memory else None,
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "postgresql": version.split()[0],
        "tool": __version__,
    }


def _read(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""


def measure(name: str, parts: list[str], rounds: int, majors: list[int]) -> None:
    """Measure the parts of a case, and store each as soon as it is measured; the others remain."""
    case, path = CASES[name], RESULTS / f"{name}.json"
    print(f"\n{case.title}: {', '.join(parts)}", flush=True)
    others = busy()
    with served(programs(majors), by_hand.SETTINGS) as server:
        on = machine(server) | {"busy": others}
        bench = by_hand.Bench(server, case.rows, case.tables, 50)
        for part in parts:
            begun = time.monotonic()
            found = PARTS[part](bench, rounds)
            bench.clear()
            stored = json.loads(path.read_text()) if path.exists() else {}
            stored |= {"title": case.title, "rows": bench.rows, "tables": bench.all_tables, "bytes": bench.bytes}
            stored[part] = {"on": on, "rounds": rounds, "found": found}
            write_whole(path, json.dumps(rounded(stored), indent=1) + "\n")
            path.chmod(0o644)
            print(f"  ({case.title}, {part}: {time.monotonic() - begun:.0f} s)", flush=True)


def rounded(value: Any) -> Any:
    """Return a value with four digits after the point of each number in it."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


def main() -> int:
    """Measure, store and render; 1 only where that could not be done."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("cases", nargs="*", metavar="CASE", help=f"{', '.join(CASES)}; all of them by default")
    options.add_argument("--only", default=",".join(PARTS), help="the parts to measure (all); the others remain")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--majors", default="15,16,17,18", help="PostgreSQL versions, the first that is installed")
    given = options.parse_args()
    parts = given.only.split(",")
    for word, known in [(case, CASES) for case in given.cases] + [(part, PARTS) for part in parts]:
        if word not in known:
            options.error(f"{word}: one of {', '.join(known)} is needed")
    try:
        for name in given.cases or CASES:
            measure(name, parts, given.rounds, [int(major) for major in given.majors.split(",")])
    except (OpsError, psycopg.Error, OSError) as error:
        return cannot(error)
    return subprocess.run([sys.executable, str(ROOT / "docs/site/reference.py")]).returncode


if __name__ == "__main__":
    sys.exit(main())
