"""Measure the migrations of a rehearsal while they run, over a separate connection.

An error of the measurement never fails the step and never delays it for long: the result is "not measured", with the
reason. Nobody else uses a clone, so every other client session of its database belongs to the application.
"""

from __future__ import annotations

import contextlib
import re
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from ops.core.errors import OpsError
from ops.core.sql_files import SQL_FOLDER
from ops.infra.session.session import Session
from ops.release.measuring import migration_metrics
from ops.release.measuring.lock_attribution import Look, Relation, Sample, Span, measured
from ops.release.measuring.migration_metrics import Measures

# Seconds between two samples. If a sample takes longer, the pause is as long as the sample.
INTERVAL = 0.01
# Seconds that the start and the end may delay the step, and that the application's sessions may take to end.
PATIENCE, GONE = 15.0, 5.0
OPTIONS = "-c statement_timeout=5s -c lock_timeout=200ms -c jit=off"


@dataclass
class Lines:
    """Parse the output of ``migrate`` into the start and end of each migration."""

    begun: float = 0
    open: str = ""
    spans: list[Span] = field(default_factory=list)

    def take(self, text: str, at: float) -> None:
        """Parse a complete line, read at monotonic seconds. A migration may print text into the line."""
        text = re.sub(r"\x1b\[[0-9;]*m", "", text)
        if text.startswith("Running migrations:"):
            self.begun, self.open = at, ""
        if match := re.match(r" *Applying (\S+?)\.\.\.(.*)", text):
            self.open, text = match[1], match[2]
        if self.open and re.search(r"(?:^| )(?:OK|FAKED)(?: \([\d.]+s\))?$", text):
            self.spans.append(Span(self.open, self.begun, at))
            self.begun, self.open = at, ""

    def all(self, at: float, error: str) -> list[Span]:
        """Return the migrations, with a failed migration at the end."""
        failed = [Span(self.open, self.begun, at, "failed", error)] if self.open and error else []
        return self.spans + failed


class Watching:
    """Take samples from ``start`` to ``stop``.

    Args:
        session: opens the connections.
        test: the test target, whose database is the clone.
        run: the run's ID.
        backup: the backup that the clone was restored from.
        report: the file for the measurements, relative to the inventory's folder.
    """

    def __init__(self, session: Session, *, test: str, run: str, backup: str, report: str) -> None:
        self.session, self.test, self.run, self.backup = session, test, run, backup
        self.report = session.inventory.path(report)
        self.lines = Lines()
        self.samples: list[Sample] = []
        self.looks: list[Look] = []
        self.recorded: list[str] = []
        self.why_not = ""
        self._ready, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Connect, take the first look and start sampling. Return when this is done or has failed."""
        self.lines.begun = time.monotonic()
        self._thread.start()
        if not self._ready.wait(PATIENCE):
            self.why_not = self.why_not or "the clone's server did not answer in time"
        self.lines.begun = time.monotonic()

    def line(self, text: str) -> None:
        """Parse a line of ``migrate``'s output."""
        self.lines.take(text, time.monotonic())

    def stop(self, error: str = "") -> Measures:
        """Stop sampling, take the last look, and write the report.

        Args:
            error: why the migrations failed, or empty.
        """
        ended = time.monotonic()
        self._stop.set()
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self.why_not = self.why_not or "the clone's server did not answer in time"
        try:
            made = self._measures(self.lines.all(ended, error))
        except Exception as fault:
            made = self._nothing(f"{type(fault).__name__}: {fault}")
        made = migration_metrics.joined(migration_metrics.read(self.report), made)
        with contextlib.suppress(OSError):
            migration_metrics.write(self.report, made)
        return made

    def _measures(self, spans: Sequence[Span]) -> Measures:
        if not self.why_not and len(self.looks) < 2:
            self.why_not = "the clone could not be queried"
        if not self.why_not and not spans:
            self.why_not = "the output of `migrate` names no migration"
        if self.why_not:
            return self._nothing(self.why_not)
        gaps = [two.at - one.at for one, two in zip(self.samples, self.samples[1:], strict=False)]
        made, together, total = measured(spans, self.samples, self._attributed(spans))
        return Measures(
            run=self.run,
            backup=self.backup,
            seconds=round(spans[-1].ended - spans[0].begun, 3),
            migrations=made,
            together=together,
            total=total,
            wal=max(self.samples[-1].wal - self.samples[0].wal, 0),
            samples=len(self.samples),
            interval=round(statistics.median(gaps), 4) if gaps else 0,
            widest=round(max(gaps, default=0), 4),
        )

    def _attributed(self, spans: Sequence[Span]) -> list[Look]:
        """Return the looks. If Django's records differ from the output, attribute nothing to a single migration."""
        if self.recorded == [span.name for span in spans if span.state == "applied"]:
            return [*self.looks[:-1], replace(self.looks[-1], reach=len(spans))]
        return [replace(look, counted=0, whole=0, reach=len(spans)) for look in self.looks]

    def _nothing(self, why: str) -> Measures:
        return Measures(run=self.run, backup=self.backup, why_not=self.session.redact(why).strip())

    def _work(self) -> None:
        try:
            with self.session.connect(
                self.test,
                application_name="generalprobe measures",
                options=OPTIONS,
                connect_timeout=5,
                tcp_user_timeout=10000,
            ) as connection:
                self._sample_all(_Eyes(connection))
        except OpsError as error:
            self.why_not = self.why_not or error.message
        except Exception as fault:
            said = str(fault).strip().splitlines()
            self.why_not = self.why_not or (said[0] if said else type(fault).__name__)
        finally:
            self._ready.set()

    def _sample_all(self, eyes: _Eyes) -> None:
        self._look(eyes)
        self.samples.append(eyes.sample())
        self._ready.set()
        seen = 0
        while not self._stop.is_set():
            begun = time.monotonic()
            self.samples.append(eyes.sample())
            if len(self.lines.spans) > seen:
                seen = len(self.lines.spans)
                # If a migration locks the catalog, skip this look: the attribution is only less exact then.
                with contextlib.suppress(psycopg.errors.LockNotAvailable):
                    self._look(eyes)
            took = time.monotonic() - begun
            self._stop.wait(max(INTERVAL - took, took))
        eyes.wait_until_gone()
        self.samples.append(eyes.sample())
        self._look(eyes)

    def _look(self, eyes: _Eyes) -> None:
        look, self.recorded = eyes.look()
        self.looks.append(look)


@dataclass(frozen=True)
class _Progress:
    """Hold the migrations recorded since the first look, and whether no other transaction committed after them."""

    names: list[str]
    settled: bool

    @property
    def reach(self) -> int:
        return len(self.names) + (not self.settled)


class _Eyes:
    """Query the clone's server."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self._locks = _query("locks.sql")
        self._relations = _query("relations.sql")
        self._records = self._find_records()
        self._base: tuple[int, int, int] | None = None

    def sample(self) -> Sample:
        """Read the current locks."""
        at = time.monotonic()
        row = self.connection.execute(self._locks, prepare=True).fetchone()
        assert row is not None
        wal, relations, modes = row
        return Sample(at, int(wal), tuple(zip(relations, modes, strict=True)))

    def look(self) -> tuple[Look, list[str]]:
        """Read the catalog, the counters, and the names of the migrations recorded so far.

        The lower bound of the counters' progress is read before the counters, the upper bound after them.
        """
        if self._base is None:
            self._base = self._first()
        at, counted = time.monotonic(), self._counted()
        with self.connection.transaction():
            self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            whole = len(self._progress().names)
            rows = self.connection.execute(self._relations).fetchall()
            (size,) = self._one("SELECT pg_database_size(current_database())")
        after = self._progress()
        relations = {row[0]: Relation(*row) for row in rows}
        return Look(at, relations, int(size), min(counted, whole), whole, after.reach), after.names

    def wait_until_gone(self) -> None:
        """Wait for the application's sessions to end, so that the server has all their counts."""
        deadline = time.monotonic() + GONE
        while time.monotonic() < deadline:
            (left,) = self._one(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            if not left:
                break
            time.sleep(INTERVAL)
        if self.connection.info.server_version < 150000:
            # Before PostgreSQL 15, the statistics collector writes the counts twice a second.
            time.sleep(1.5)

    def _first(self) -> tuple[int, int, int]:
        """Read the last record, the counter of records and the last transaction before the migrations run."""
        if self._records is None:
            return 0, 0, 0
        (last,) = self._one(sql.SQL("SELECT coalesce(max(id), 0) FROM {}").format(self._records[1]))
        (counter,) = self._one("SELECT pg_stat_get_tuples_inserted(%s::oid)", [self._records[0]])
        (snapshot,) = self._one("SELECT pg_current_snapshot()::text")
        return int(last), int(counter), int(snapshot.split(":")[1]) - 1

    def _counted(self) -> int:
        if self._records is None or self._base is None or self.connection.info.server_version < 150000:
            return 0
        (counter,) = self._one("SELECT pg_stat_get_tuples_inserted(%s::oid)", [self._records[0]])
        return int(counter) - self._base[1]

    def _progress(self) -> _Progress:
        if self._records is None or self._base is None:
            return _Progress([], False)
        text = sql.SQL(
            "SELECT pg_current_snapshot()::text, coalesce(array_agg(app || '.' || name ORDER BY id), '{{}}'), "
            "(array_agg(xmin::text::bigint ORDER BY id DESC))[1] FROM {} WHERE id > %s"
        ).format(self._records[1])
        snapshot, names, xmin = self._one(text, [self._base[0]])
        return _Progress(list(names), settled(snapshot, xmin, self._base[2]))

    def _find_records(self) -> tuple[int, sql.Composable] | None:
        """Return the oid and name of Django's migration table, or None if there is not exactly one."""
        found = self.connection.execute(
            "SELECT c.oid::int8, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relname = 'django_migrations' AND c.relkind = 'r'"
        ).fetchall()
        return (found[0][0], sql.Identifier(found[0][1], found[0][2])) if len(found) == 1 else None

    def _one(self, text: Any, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
        row = self.connection.execute(text, parameters or None).fetchone()
        assert row is not None
        return tuple(row)


def settled(snapshot: str, last: int | None, base: int) -> bool:
    """Return True if no transaction committed since the transaction that wrote the last record.

    Args:
        snapshot: ``pg_current_snapshot()`` as text: ``xmin:xmax:xip,…``.
        last: the 32-bit transaction id of the last record, or None without a record since ``base``.
        base: the full id of the last transaction before the run.
    """
    _, upper, running = snapshot.split(":")
    limit = int(upper)
    newest = base
    if last is not None:
        newest = (limit & ~0xFFFFFFFF) | last
        newest -= (newest >= limit) << 32
    left = set(range(newest + 1, limit)) if limit - newest < 10_000 else {-1}
    return left <= {int(number) for number in running.split(",") if number}


def _query(name: str) -> bytes:
    return Path(SQL_FOLDER / name).read_bytes()
