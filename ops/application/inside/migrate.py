# mypy: ignore-errors
"""Inside the application: its own ``migrate``, in which indexes are built and dropped concurrently without
``lock_timeout``: such a statement makes nobody wait, and one that is cut off leaves an invalid index. Each migration
that is one transaction notifies ``generalprobe`` of the transaction ids of its savepoints, right before it commits."""

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
    """Notify of the ids that this transaction's savepoints have, also those of functions: the server keeps them in
    progress until it commits. One that may be a savepoint of another session at work is left out.

    The migration holds its locks meanwhile. No view lists the savepoints that were released, so every id since the
    transaction began is asked once: about 0.3 s for a million transactions of all sessions. From PostgreSQL 16 on the
    server counts them first: where there is none, nothing is asked. After that only those in progress are asked again.
    Neither a part of the ids will do nor a limit of time: what a savepoint wrote would be taken for a user's."""
    with connection.cursor() as cursor:
        if not savepoints(cursor):
            return
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        (own,) = cursor.fetchone()
        # The id of a savepoint made now is above all that there were.
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
            # No transaction has a savepoint that is older than itself.
            sure = [number for number in running if number < min(others, default=last + 1)]
            if len(sure) == len(running) or time.monotonic() > until:
                break
            asked = STILL, running
            time.sleep(PAUSE)
        for start in range(0, len(sure), CHUNK):
            told = ",".join(str(number & 0xFFFFFFFF) for number in sure[start : start + CHUNK])
            cursor.execute("SELECT pg_notify('generalprobe', %s)", [told])


def savepoints(cursor):
    """Return False if the server says that this transaction has no savepoint with an id of its own."""
    cursor.execute("SELECT to_regproc('pg_catalog.pg_stat_get_backend_subxact') IS NOT NULL")
    if not cursor.fetchone()[0]:
        return True
    # Within a transaction the server shows sessions as they were when it was first asked.
    cursor.execute("SELECT pg_stat_clear_snapshot()")
    cursor.execute(COUNTED)
    found = cursor.fetchone()
    return found is None or found[0] > 0 or found[1]


def locked(cursor, own):
    """The transactions at work, and whether each is this session's; counted in 64 bits, as its own is."""
    cursor.execute("SELECT transactionid::text::bigint, pid = pg_backend_pid() FROM pg_locks "
                   "WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock'")
    half = 1 << 31
    return [(own + (number - own + half) % (1 << 32) - half, mine) for number, mine in cursor.fetchall()]


def noted(execute, sql, params, many, context):
    """Run a statement; behind the one that records a migration, tell of its savepoints."""
    found = execute(sql, params, many, context)
    if context["connection"].in_atomic_block and RECORDED.match(str(sql)):
        tell_savepoints(context["connection"])
    return found


def patient(execute, sql, params, many, context):
    """Run a statement; one that works concurrently waits for as long as it takes."""
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
