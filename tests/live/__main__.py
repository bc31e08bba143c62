"""``python -m tests.live [--count 100]``: releases under load, frozen and not; prints how each ended, and the sums."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections import Counter
from itertools import cycle, islice
from pathlib import Path
from random import Random

from psycopg import sql

from ops.infra.postgres.embedded_server import Server
from tests.live.cases import CASES
from tests.live.harness import release
from tests.projects import write_project
from tests.support.project import Project, admin, drop_databases, project_env
from tests.support.servers import own_server, servers


def old_release(server: Server, folder: Path) -> str:
    """Make a database at the old release, filled."""
    with admin(server) as connection:
        connection.execute("CREATE DATABASE old_release")
    url = server.url("old_release")
    made = Project(folder, url, url, project_env(server, url, url))
    write_project(folder, "b", {})
    for words in (["migrate", "lessons", "0001"], ["migrate", "contenttypes"], ["migrate", "auth"], ["fill"]):
        made.manage(*words)
    return "old_release"


def main() -> int:
    """Release what the command line asks for. Gives the number of releases that did not end as is right."""
    parser = argparse.ArgumentParser(prog="python -m tests.live", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="so many releases")
    parser.add_argument("--start", type=int, default=0, help="begin with this one")
    parser.add_argument("--pause", type=float, default=0.01, help="about so many seconds between two statements")
    parser.add_argument("--seed", type=int, default=0, help="draws how fast is written, and how much is lost or filled")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    given = parser.parse_args()
    pairs = [(name, freeze) for name, case in CASES.items() for freeze in case.frozen if given.only in name]
    ended: Counter[str] = Counter()
    servers().mkdir(parents=True, exist_ok=True)
    with own_server("live") as server, tempfile.TemporaryDirectory(dir=servers()) as folder:
        template = old_release(server, Path(folder) / "old")
        for number, (name, freeze) in islice(enumerate(cycle(pairs)), given.start, given.start + given.count):
            place, stem = Path(folder) / str(number), f"live{number}"

            def make(variant: str, place: Path = place, stem: str = stem, **target: object) -> Project:
                write_project(place, variant, target)
                words = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
                with admin(server) as connection:
                    connection.execute(words.format(sql.Identifier(f"{stem}_shop"), sql.Identifier(template)))
                return Project.at(place, server, stem)

            draw = Random(f"{given.seed} {number}")
            pause, case = given.pause * 10 ** draw.uniform(-0.5, 1.5), CASES[name].drawn(draw)
            result = release(make, case, freeze, pause)
            wrong = result.wrong(case)
            kind = "loss" if case.lost else "sound"
            ended[f"{freeze}, {kind}, {'wrong' if wrong else 'right'}"] += 1
            pace = result.statements / result.seconds
            said = f"exit {result.code}, {pace:.0f} writes/s {wrong}"
            print(f"{number + 1:>3} {freeze:6} {name} ({case.sql}): {said}", flush=True)
            drop_databases(server, stem)
            shutil.rmtree(place, ignore_errors=True)
    print("; ".join(f"{what}: {count}" for what, count in sorted(ended.items())))
    return min(sum(count for what, count in ended.items() if what.endswith("wrong")), 100)


if __name__ == "__main__":
    raise SystemExit(main())
