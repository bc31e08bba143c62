"""The SQL that defangs a clone: one script for psql, one transaction, including the operator's files. Pure.

The operator's files run first, so that rules and masks also apply to their results. The application's triggers are
disabled, since a trigger that records a history would copy the values that are being masked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from ops.core.sql_names import Name, literal, sql
from ops.defang.catalog import Table
from ops.defang.masks import SALT
from ops.defang.worklist import TableToEmpty, Worklist

# The second line of a clone's mark.
DEFANGED = "defanged"

_HEAD = r"""-- Written by `inv tool.defang`: apply the inventory's `defang` to this clone in one transaction.
\set ON_ERROR_STOP on
\set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on
\encoding UTF8
BEGIN;
SET LOCAL standard_conforming_strings = on;
SET LOCAL client_min_messages = error;
-- A row-level security policy would hide rows: raise an error instead of leaving rows unmasked.
SET LOCAL row_security = off;
SET LOCAL statement_timeout = 0;
SET LOCAL synchronous_commit = off;
-- Use the search_path of role and database, since the operator's files name tables as the application does.
SELECT set_config('search_path', coalesce((
    SELECT substr(setting, 13) FROM pg_db_role_setting s, unnest(s.setconfig) setting
    WHERE starts_with(setting, 'search_path=') AND s.setrole IN (0, to_regrole(quote_ident(session_user))::oid)
      AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1), '"$user", public'), true) \g /dev/null
DO $do$
BEGIN
    IF current_database() <> {database} OR split_part(coalesce((SELECT shobj_description(oid, 'pg_database')
       FROM pg_database WHERE datname = current_database()), ''), E'\n', 1) <> {marker} THEN
        RAISE EXCEPTION '% is not the clone to defang', current_database();
    END IF;
    PERFORM set_config('generalprobe.transaction', pg_current_xact_id()::text, true);
END $do$;
CREATE TEMPORARY TABLE generalprobe_triggers ON COMMIT DROP AS
SELECT n.nspname, c.relname, t.tgname, t.tgenabled, cardinality(ARRAY(SELECT pg_partition_ancestors(c.oid))) AS depth
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND n.nspname !~ '^pg_';
SELECT format('ALTER TABLE %I.%I DISABLE TRIGGER %I', nspname, relname, tgname) FROM generalprobe_triggers
WHERE tgenabled <> 'D' \gexec
"""

_FILE = r"""
\i {path}
\set ON_ERROR_STOP on
\o
\pset format unaligned
\pset tuples_only on
DO $do$
BEGIN
    IF current_setting('generalprobe.transaction', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
        RAISE EXCEPTION '%', {said};
    END IF;
END $do$;
"""

_SALT = f"""
DO $do$
BEGIN
    PERFORM set_config('{SALT}', gen_random_uuid()::text || gen_random_uuid()::text, true);
END $do$;
"""

_TAIL = r"""
-- Check foreign keys now: triggers cannot be enabled while checks are pending.
SET CONSTRAINTS ALL IMMEDIATE;
-- A change of a partitioned table's trigger also changes its partitions' triggers, so partitions come later.
SELECT format('ALTER TABLE %I.%I %s TRIGGER %I', nspname, relname, CASE tgenabled WHEN 'A' THEN 'ENABLE ALWAYS'
              WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'D' THEN 'DISABLE' ELSE 'ENABLE' END, tgname)
FROM pg_temp.generalprobe_triggers ORDER BY depth \gexec
-- Materialized views and planner statistics still contain the old values: refresh them.
WITH RECURSIVE reads AS (
    SELECT DISTINCT r.ev_class AS view, d.refobjid AS of FROM pg_rewrite r JOIN pg_depend d
    ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
    WHERE d.refobjid <> r.ev_class
), depths AS (
    SELECT oid AS view, 0 AS depth FROM pg_class WHERE relkind IN ('m', 'v')
    UNION
    SELECT reads.view, depth + 1 FROM depths JOIN reads ON reads.of = depths.view WHERE depth < 100
)
SELECT format('REFRESH MATERIALIZED VIEW %I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND c.relispopulated AND NOT EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY (SELECT max(depth) FROM depths WHERE view = c.oid) \gexec
ANALYZE;
"""


def script(work: Worklist, database: str, marker: str, files: Sequence[str]) -> str:
    """Return the script; it prints the numbers of rows and values in the order of ``work``.

    Args:
        work: the tables to empty and the columns to mask.
        database: the clone's current name.
        marker: the clone's mark; the script adds a second line to it.
        files: the operator's SQL files, relative to the inventory's folder.
    """
    head = _HEAD.replace("{database}", literal(database)).replace("{marker}", literal(marker))
    parts = [head, *map(_file, files), _SALT, *_empties(work), *_changes(work), _TAIL]
    mark = literal(f"{marker}\n{DEFANGED}")
    return "\n".join([*parts, f"COMMENT ON DATABASE {sql((database,))} IS {mark};", "COMMIT;\n"])


def _file(path: str) -> str:
    path = os.path.expanduser(path)
    path = f"./{path}" if path.startswith("-") else path
    quoted = "'" + path.replace("\\", "\\\\").replace("'", "''") + "'"
    said = f"{path} ended the transaction of the defang, or connected to another database"
    return _FILE.replace("{path}", quoted).replace("{said}", literal(said))


def _empties(work: Worklist) -> Iterable[str]:
    """Yield TRUNCATE for tables that only emptied tables reference, and DELETE for the others."""
    for number, one in enumerate(work.emptied.values()):
        yield _count([f"json_build_array({number}, count(*))"], one.table)
    whole = [one for one in work.emptied.values() if _alone(one, set(work.emptied))]
    if whole:
        yield f"TRUNCATE {', '.join(map(_of, whole))};"
    yield from (f"DELETE FROM {_of(one)};" for one in work.emptied.values() if one not in whole)


def _of(one: TableToEmpty) -> str:
    return sql(one.table.name)


def _alone(one: TableToEmpty, emptied: set[Name]) -> bool:
    return set(one.table.referenced) <= emptied | {one.table.name}


def _changes(work: Worklist) -> Iterable[str]:
    number = len(work.emptied)
    for table, ones in work.columns():
        counts = [f"json_build_array({number + i}, count(*) FILTER (WHERE {c.counted}))" for i, c in enumerate(ones)]
        number += len(ones)
        yield _count(counts, table)
        yield _update(table, [(sql(c.name[2:]), c.value, c.counted) for c in ones])


def _count(counts: list[str], table: Table) -> str:
    return f"SELECT json_build_object('defang', json_build_array({', '.join(counts)})) FROM {sql(table.name)};"


def _update(table: Table, changes: list[tuple[str, str, str]]) -> str:
    """Return one UPDATE for all masked columns of a table."""
    sets = ",\n    ".join(f"{column} = {value}" for column, value, _ in changes)
    wheres = "\n   OR ".join(f"({where})" for _, _, where in changes)
    return f"UPDATE {sql(table.name)} SET\n    {sets}\nWHERE {wheres};"
