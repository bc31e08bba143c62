"""The SQL that defangs a clone, as one script for psql: one transaction, with the operator's files in it. Pure.

The operator's files come first, and what rules and masks say holds after them. No trigger of the application's fires
meanwhile: one that keeps a history would write down what is being masked.
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

_HEAD = r"""-- Made by `inv tool.defang`: what the inventory's `defang` does to this clone, in one transaction.
\set ON_ERROR_STOP on
\set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on
\encoding UTF8
BEGIN;
SET LOCAL standard_conforming_strings = on;
SET LOCAL client_min_messages = error;
-- A policy would hide rows: rather an error than some that are left.
SET LOCAL row_security = off;
SET LOCAL statement_timeout = 0;
SET LOCAL synchronous_commit = off;
-- The operator's files name tables as the application does: by what role and database have set.
SELECT set_config('search_path', coalesce((
    SELECT substr(setting, 13) FROM pg_db_role_setting s, unnest(s.setconfig) setting
    WHERE starts_with(setting, 'search_path=') AND s.setrole IN (0, to_regrole(quote_ident(session_user))::oid)
      AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1), '"$user", public'), true) \g /dev/null
DO $do$
BEGIN
    IF current_database() <> {database} OR split_part(coalesce((SELECT shobj_description(oid, 'pg_database')
       FROM pg_database WHERE datname = current_database()), ''), E'\n', 1) <> {marker} THEN
        RAISE EXCEPTION '% is not the clone that is to be defanged', current_database();
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
-- Links are checked now: triggers can't be let again while checks are waiting.
SET CONSTRAINTS ALL IMMEDIATE;
-- What is done to a partitioned table's is done to its partitions', so theirs come after it.
SELECT format('ALTER TABLE %I.%I %s TRIGGER %I', nspname, relname, CASE tgenabled WHEN 'A' THEN 'ENABLE ALWAYS'
              WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'D' THEN 'DISABLE' ELSE 'ENABLE' END, tgname)
FROM pg_temp.generalprobe_triggers ORDER BY depth \gexec
-- What was computed from the rows still tells of them: materialized views, and what the planner noted of the values.
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
    """The script; it prints how many rows and values there were, numbered as they stand in ``work``.

    Args:
        work: what it does.
        database: the clone's name now.
        marker: its mark, which gets a second line.
        files: the operator's files, as psql reads them from the inventory's folder.
    """
    head = _HEAD.replace("{database}", literal(database)).replace("{marker}", literal(marker))
    parts = [head, *map(_file, files), _SALT, *_empties(work), *_changes(work), _TAIL]
    mark = literal(f"{marker}\n{DEFANGED}")
    return "\n".join([*parts, f"COMMENT ON DATABASE {sql((database,))} IS {mark};", "COMMIT;\n"])


def _file(path: str) -> str:
    path = os.path.expanduser(path)
    path = f"./{path}" if path.startswith("-") else path
    quoted = "'" + path.replace("\\", "\\\\").replace("'", "''") + "'"
    said = f"{path} ended the transaction in which all of it happens, or went to another database"
    return _FILE.replace("{path}", quoted).replace("{said}", literal(said))


def _empties(work: Worklist) -> Iterable[str]:
    """At once where no other table leads there; else row by row, as links allow it."""
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
    """One pass over a table, whatever number of its columns is masked."""
    sets = ",\n    ".join(f"{column} = {value}" for column, value, _ in changes)
    wheres = "\n   OR ".join(f"({where})" for _, _, where in changes)
    return f"UPDATE {sql(table.name)} SET\n    {sets}\nWHERE {wheres};"
