"""Remove the indexes that an interrupted migration left unfinished."""

from __future__ import annotations

import json

from psycopg import sql

from ops.application.probe import probe
from ops.core.errors import Refused
from ops.core.files import write_whole
from ops.engine.registry import tool
from ops.infra.session.session import Session
from ops.release.concurrent_indexes import built, only_indexes, statements

# Indexes of the application's tables: schema, name, valid, and whether an index is being built on the table now.
_INDEXES = """
SELECT n.nspname, c.relname, i.indisvalid,
       EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid = i.indrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' ORDER BY 1, 2
"""


@tool
def check_only_indexes(session: Session, *, target: str, database_of: str) -> str:
    """Check that the first pending migration only builds and drops indexes concurrently."""
    for name, texts in statements(probe(session, target, database_of)):
        if only_indexes(texts):
            return f"{name} only builds and drops indexes; unfinished indexes are dropped before it runs again"
        raise Refused(f"{name} does more than build and drop indexes", f"inv status --target={target}")
    return "no migration is pending"


@tool
def clear_unfinished_indexes(session: Session, *, target: str, report: str) -> str:
    """Drop the unfinished indexes that an earlier attempt of this run left.

    The first call records the existing indexes. Later calls drop the indexes that are new since then and that a pending
    migration builds concurrently. An invalid index that existed before the run is never dropped.

    Raises:
        Refused: an invalid index with such a name existed before the run, or is being built now.
    """
    path = session.inventory.path(report)
    wanted = set().union(*(built(texts) for _, texts in statements(probe(session, target, target))), set())
    with session.connect(target) as connection:
        rows = connection.execute(_INDEXES.encode()).fetchall()
        first = not path.exists()
        if first:
            write_whole(path, json.dumps([[schema, name] for schema, name, *_ in rows]))
        known = {tuple(one) for one in json.loads(path.read_bytes())}
        mine = [row for row in rows if row[1] in wanted]
        for schema, name, valid, busy in mine:
            words = sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(schema, name))
            if (schema, name) in known and not valid:
                raise Refused(
                    f"{target}: the migrations build the index {name}, but an invalid index of that name existed "
                    f"before this run{', and an index is being built on its table now' if busy else ''}",
                    f"if nobody is building the index: {words.as_string(connection)};   then   "
                    f"inv resume --target={target}",
                )
        left = [row for row in mine if (row[0], row[1]) not in known]
        if left:
            connection.execute("SET lock_timeout = 0")
        for schema, name, *_ in left:
            connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(schema, name)))
    return f"dropped the unfinished {', '.join(row[1] for row in left)}" if left else "there is no unfinished index"
