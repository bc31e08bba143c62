"""How much longer a fingerprint takes than weaker or slower ways: side by side, interleaved, medians of ratios.

Run: `python bench/fingerprint.py [--rows N] [--tables N] [--rounds N]`. It makes a database on a server of its own.
Every way runs in one psql under the settings of a fingerprint; `serial` means a server that gives no workers.

- pgcopydb's compare: `count(1)` and the md5 of `sum(hashtext(ROW(…)::text)::bigint)`, of every table, all columns.
- one query each: our own hash, a statement for each small table; also with 10 ms between client and server.
"""

# ruff: noqa: E501  (SQL is easier to read unbroken)
from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.far import far
from bench.servers import asked, cannot, programs, served
from ops.core.errors import OpsError
from ops.core.sql_files import SQL_FOLDER
from ops.infra.postgres.client import parts_of
from ops.infra.postgres.embedded_server import Server
from ops.verdict import fingerprint

SERIAL, WORKERS = "-c max_parallel_workers=0", "-c max_parallel_workers=8"

LARGE = """
CREATE TABLE accounts AS SELECT n AS aid, n % 100 AS bid, n % 997 AS abalance, repeat(' ', 84)::char(84) AS filler
  FROM generate_series(1, {rows}) n;
CREATE TABLE history AS SELECT n % 10 AS tid, n % 100 AS bid, n AS aid, n % 5000 - 2500 AS delta,
  timestamp '2026-01-01' + n * interval '1 s' AS mtime FROM generate_series(1, {rows} / 10) n;
CREATE TABLE articles AS SELECT n AS id, n % 500 AS author_id, n % 40 AS category_id, 'Title number ' || n AS title,
  'title-number-' || n AS slug, repeat(md5(n::text), 6) AS body, (ARRAY['draft', 'live'])[1 + n % 2]::varchar(10) AS status,
  timestamptz '2026-01-01' + n * interval '1 min' AS created, timestamptz '2026-02-01' + n * interval '1 min' AS updated,
  ((n % 900) / 7.0)::numeric(12, 4) AS price, n % 5 = 0 AS featured FROM generate_series(1, {rows} / 2) n;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE orders AS SELECT n AS id, md5(n::text)::uuid AS token, 'customer ' || n AS name,
  'c' || n % 1000 || '@example.org' AS email, ((n % 100000) / 100.0)::numeric(10, 2) AS price, n % 2 = 0 AS paid,
  timestamptz '2026-01-01' + n * interval '1 min' AS placed, date '2026-01-01' + n % 365 AS due, (n / 7.0)::float8 AS weight,
  (ARRAY['sad', 'happy'])[1 + n % 2]::mood AS mood, CASE WHEN n % 3 = 0 THEN repeat('lorem ipsum ', n % 20) END AS note,
  jsonb_build_object('n', n, 'tags', ARRAY[n % 7, n % 11]) AS extra, ARRAY[n, n + 1] AS items
  FROM generate_series(1, {rows} / 2) n;
CREATE TABLE events AS SELECT n AS id, n % 50000 AS session_id, 'page/' || n % 300 AS path, n % 600 AS status,
  md5(n::text) AS hash, decode(md5(n::text), 'hex') AS raw, inet '10.0.0.0' + n % 65536 AS ip,
  timestamptz '2026-01-01' + n * interval '1 s' AS at, NULL::text AS nothing FROM generate_series(1, {rows}) n;
"""
SMALL = """
SELECT format('CREATE TABLE app_%1$s (id bigserial PRIMARY KEY, name varchar(50), made timestamptz, price numeric(10,2), on_sale bool)', n),
       format('INSERT INTO app_%1$s (name, made, price, on_sale) SELECT ''name '' || g, ''2026-01-01''::timestamptz, g, true FROM generate_series(1, 20) g', n)
FROM generate_series(1, {tables}) n \\gexec
"""
COLUMNS = "(SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)"
TABLES = "FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
COMPARE = "select count(1) as cnt, md5(format('%%s-%%s', sum(hashtext(ROW(%2$s)::text)::bigint), count(1)))::uuid as chksum from only public.%1$I"
COUNT = "SELECT count(*) FROM ONLY public.%1$I"
EACH = "SELECT count(*), sum(hash_array_extended(ARRAY[record_send(ROW(%2$s))], 0)) FROM ONLY public.%1$I"
Ratio = dict[str, float]


class Psql:
    """psql on one database, with the statements of each way in a file."""

    def __init__(self, server: Server, database: str, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        parts = parts_of(server.url(database))
        names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
        self.env |= {names[key]: value for key, value in parts.items()}
        self.port = int(parts["port"])

    def run(self, file: Path, options: str = WORKERS, port: int = 0, sessions: int = 1) -> str:
        """Run a file; what it printed."""
        env = self.env | {"PGOPTIONS": options, "OPS_SQL": str(SQL_FOLDER)} | ({"PGPORT": str(port)} if port else {})
        several = ["-v", f"sessions={sessions}", "-v", "connection=application_name=bench"] if sessions > 1 else []
        words = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", *several, "-f", str(file)]
        done = subprocess.run(words, env=env, capture_output=True, text=True)
        if done.returncode:
            raise OpsError(f"{file.name}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def cpu(self, file: Path) -> float:
        """Seconds of processor that the server's session takes for a file, without workers. What else this machine does
        does not count then, unlike in a wall clock. 0 where the system has no /proc."""
        pid = "SELECT pg_backend_pid() AS pid \\gset\n\\setenv PID :pid\n"
        text = f"{pid}\\o /dev/null\n\\i {file}\n\\o\n\\echo cpu\n\\! cat /proc/$PID/stat 2>/dev/null\n"
        said = self.run(self.script("cpu", text), SERIAL).rpartition(")")[2].split()
        return (int(said[11]) + int(said[12])) / os.sysconf("SC_CLK_TCK") if said else 0.0

    def script(self, name: str, text: str) -> Path:
        """A file of statements."""
        path = self.folder / f"{name}.sql"
        path.write_text(text)
        return path

    def each(self, name: str, statement: str, batch: int = 1) -> Path:
        """A file with a statement for every table, or one for every so many, under a fingerprint's settings."""
        made = f"SELECT format($f${statement}$f$, relname, {COLUMNS}) || CASE WHEN row_number() OVER () % {batch} = 0 THEN ';' ELSE ' UNION ALL' END {TABLES}"
        text = self.run(self.script("make", made)).strip().removesuffix(" UNION ALL")
        begin = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n\\i {SQL_FOLDER / 'settings.sql'}\n"
        return self.script(name, f"{begin}{text};\nCOMMIT;\n")


def interleaved(rounds: int, ways: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Seconds of every way, round by round; a first round warms the caches and does not count."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            taken[name].append(time.perf_counter() - started)
    return {name: values[1:] for name, values in taken.items()}


def tell(what: str, ours: list[float], theirs: list[float], target: float | None) -> Ratio:
    """One line: both medians, the median of the ratios, and the target; return them."""
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    said = "" if target is None else f"  target {target:.2f}  {'ok' if ratio <= target else 'MISSED'}"
    print(
        f"{what:<70} {statistics.median(ours):7.3f} s / {statistics.median(theirs):7.3f} s = {ratio:5.2f}{said}",
        flush=True,
    )
    return {"ours": statistics.median(ours), "theirs": statistics.median(theirs), "ratio": ratio}


def large(psql: Psql, rounds: int) -> dict[str, Ratio]:
    """A few large tables; return our time against pgcopydb's, by the number of sessions."""
    found = {}
    ours, compare, count = SQL_FOLDER / "fingerprint.sql", psql.each("compare", COMPARE), psql.each("count", COUNT)
    tell_cpu("large tables, serial: ours / pgcopydb's compare", psql, rounds, ours, compare, 0.75)
    for title, options, sessions, target in (("serial", SERIAL, 1, 0.75), ("two sessions", WORKERS, 2, 0.45)):
        taken = interleaved(rounds, {
            "ours": partial(psql.run, ours, options, sessions=sessions),
            "compare": partial(psql.run, compare, options),
            "compare serial": partial(psql.run, compare, SERIAL),
            "count": partial(psql.run, count, options),
        })  # fmt: skip
        what = f"large tables, {title}: ours / pgcopydb's compare"
        found[title] = tell(what, taken["ours"], taken["compare serial"], target)
        tell(f"large tables, {title}: ours / compare with the same workers", taken["ours"], taken["compare"], None)
        tell(f"large tables, {title}: ours / count(*)", taken["ours"], taken["count"], None)
    return found


def tell_cpu(what: str, psql: Psql, rounds: int, ours: Path, theirs: Path, target: float) -> None:
    """The same from the server's processor time."""
    pairs = [(psql.cpu(ours), psql.cpu(theirs)) for _ in range(rounds)]
    if all(all(pair) for pair in pairs):
        one, two = ([pair[side] for pair in pairs] for side in (0, 1))
        tell(f"{what}, processor time", one, two, target)


def small(psql: Psql, rounds: int, tables: int) -> dict[str, Ratio]:
    """Very many small tables; return our time against one query for each."""
    ours, each = SQL_FOLDER / "fingerprint.sql", psql.each("each", EACH)
    count, batched = psql.each("count", COUNT), psql.each("batched", COUNT, 50)
    taken = interleaved(rounds, {
        "ours": lambda: psql.run(ours, sessions=2), "each": lambda: psql.run(each), "count": lambda: psql.run(count),
        "batched": lambda: psql.run(batched), "one": lambda: psql.run(ours),
    })  # fmt: skip
    tell_cpu(f"{tables:,} small tables: ours / one query each", psql, rounds, ours, each, 0.6)
    tell_cpu(f"{tables:,} small tables: ours / counting them", psql, rounds, ours, count, 2)
    found = {
        "two sessions": tell(f"{tables:,} small tables, two sessions: ours / one query each", taken["ours"], taken["each"], 0.6),
        "serial": tell(f"{tables:,} small tables, one session: ours / one query each", taken["one"], taken["each"], None),
    }
    tell(f"{tables:,} small tables: ours / counting them", taken["ours"], taken["count"], 2)
    tell(f"{tables:,} small tables: ours / counting them by fifty", taken["ours"], taken["batched"], None)
    with far(psql.port, 0.010) as port:
        away = interleaved(1, {"ours": lambda: psql.run(ours, port=port, sessions=2), "each": lambda: psql.run(each, port=port)})
    what = f"{tables:,} small tables, 10 ms away: ours / one query each"
    return found | {"10 ms away": tell(what, away["ours"], away["each"], 0.03)}


def memory(psql: Psql) -> None:
    """What our own process and psql take while a fingerprint is made and read."""
    path = psql.folder / "found.jsonl"
    path.write_text(psql.run(SQL_FOLDER / "fingerprint.sql"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = fingerprint.read(path)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"memory: {found.rows:,} rows in {len(found.tables):,} tables: our process {after / 1024:.0f} MB"
          f" (reading it adds {(after - before) / 1024:.0f}), psql at most {child / 1024:.0f} MB  target 300")  # fmt: skip


@contextmanager
def database(server: Server, name: str, text: str, folder: Path) -> Iterator[Psql]:
    """A database filled by a script."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    psql = Psql(server, name, folder)
    psql.run(psql.script("fill", text + "VACUUM ANALYZE;\n"))
    yield psql


def main() -> int:
    """Measure and print; 1 only where that could not be done."""
    given = asked(__doc__)
    try:
        with served(programs([int(major) for major in given.majors.split(",")])) as server:
            folder = server.home
            with database(server, "large", LARGE.format(rows=given.rows), folder) as psql:
                large(psql, given.rounds)
                memory(psql)
            with database(server, "small", SMALL.format(tables=given.tables), folder) as psql:
                small(psql, given.rounds, given.tables)
                memory(psql)
    except (OpsError, psycopg.Error, OSError) as error:
        return cannot(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
