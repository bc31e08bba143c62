# mypy: ignore-errors
"""Inside the application: run ``migrate`` with two changes.

Statements with CONCURRENTLY run without ``lock_timeout``: they block nobody, and would leave an invalid index if cut
off. Each transactional migration notifies ``generalprobe`` of its savepoints' transaction IDs before the commit."""

import contextlib
import re
import time

from django.core.management import execute_from_command_line
from django.db import connections

COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.S)
CONCURRENT = re.compile(
    r"\s*(CREATE\s+(UNIQUE\s+)?INDEX|DROP\s+INDEX|REINDEX\s+(\([^)]*\)\s*)?\w+|ALTER\s+TABLE\s.*\sDETACH\s+PARTITION\s+\S+)"
    r"\s+CONCURRENTLY\b",
    re.I | re.S,
)

RECORDED = re.compile(r'\s*INSERT INTO "django_migrations"', re.I)
RUNNING = """
SELECT x FROM generate_series(pg_current_xact_id()::text::bigint, %s) x
WHERE pg_xact_status(x::text::xid8) = 'in progress'"""
STILL = "SELECT x FROM unnest(%s::bigint[]) x WHERE pg_xact_status(x::text::xid8) = 'in progress'"
COUNTED = """
SELECT s.subxact_count, s.subxact_overflowed FROM pg_stat_get_backend_idset() id, pg_stat_get_backend_subxact(id) s
WHERE pg_stat_get_backend_pid(id) = pg_backend_pid()"""
ATTEMPTS, PAUSE, LONGEST, CHUNK = 20, 0.01, 0.5, 600


def tell_savepoints(connection):
    """Notify of the transaction IDs of this transaction's savepoints, including those of functions.

    The server reports these IDs as in progress until the commit. Omit an ID that may be a savepoint of another active
    session. The migration holds its locks during the queries. No view lists released savepoints, so the function
    queries every ID since the transaction began: about 0.3 s for a million transactions of all sessions. Repeated
    queries include only the IDs that are in progress. PostgreSQL 16 and newer count savepoints; if there are none,
    nothing is queried. The list must be complete: rows of a missing savepoint would be attributed to a user."""
    with connection.cursor() as cursor:
        if not savepoints(cursor):
            return
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        (own,) = cursor.fetchone()
        # The ID of a new savepoint is greater than all earlier IDs.
        cursor.execute("SAVEPOINT generalprobe")
        cursor.execute("SELECT FROM django_migrations ORDER BY id DESC LIMIT 1 FOR UPDATE")
        last = max(number for number, mine in locked(cursor, own) if mine)
        cursor.execute("ROLLBACK TO SAVEPOINT generalprobe")
        cursor.execute("RELEASE SAVEPOINT generalprobe")
        until, asked = time.monotonic() + LONGEST, (RUNNING, last)
        for _ in range(ATTEMPTS):
            others = [number for number, mine in locked(cursor, own) if not mine]
            cursor.execute(asked[0], [asked[1]])
            running = [number for (number,) in cursor.fetchall()]
            # A savepoint is never older than its transaction.
            sure = [number for number in running if number < min(others, default=last + 1)]
            if len(sure) == len(running) or time.monotonic() > until:
                break
            asked = STILL, running
            time.sleep(PAUSE)
        for start in range(0, len(sure), CHUNK):
            told = ",".join(str(number & 0xFFFFFFFF) for number in sure[start : start + CHUNK])
            cursor.execute("SELECT pg_notify('generalprobe', %s)", [told])


def savepoints(cursor):
    """Return False if the server reports that this transaction has no savepoint with a transaction ID."""
    cursor.execute("SELECT to_regproc('pg_catalog.pg_stat_get_backend_subxact') IS NOT NULL")
    if not cursor.fetchone()[0]:
        return True
    # Within a transaction, the server caches statistics of sessions at the first query.
    cursor.execute("SELECT pg_stat_clear_snapshot()")
    cursor.execute(COUNTED)
    found = cursor.fetchone()
    return found is None or found[0] > 0 or found[1]


def locked(cursor, own):
    """Return the active transactions as 64-bit IDs like ``own``, and whether each belongs to this session."""
    cursor.execute("SELECT transactionid::text::bigint, pid = pg_backend_pid() FROM pg_locks "
                   "WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock'")
    half = 1 << 31
    return [(own + (number - own + half) % (1 << 32) - half, mine) for number, mine in cursor.fetchall()]


def noted(execute, sql, params, many, context):
    """Run a statement; after the statement that records a migration, notify of the savepoints."""
    found = execute(sql, params, many, context)
    if context["connection"].in_atomic_block and RECORDED.match(str(sql)):
        tell_savepoints(context["connection"])
    return found


def patient(execute, sql, params, many, context):
    """Run a statement; run a statement with CONCURRENTLY without lock_timeout."""
    connection = context["connection"]
    if connection.in_atomic_block or not CONCURRENT.match(COMMENT.sub(" ", str(sql))):
        return execute(sql, params, many, context)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        (former,) = cursor.fetchone()
        cursor.execute("SELECT set_config('lock_timeout', '0', false)")
        try:
            return execute(sql, params, many, context)
        finally:
            with contextlib.suppress(Exception):
                cursor.execute("SELECT set_config('lock_timeout', %s, false)", [former])


for alias in connections:
    connections[alias].execute_wrappers += [patient, noted]
execute_from_command_line(["manage.py", "migrate", "--noinput"])
