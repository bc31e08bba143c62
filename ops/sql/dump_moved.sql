-- Sets generalprobe.wrong if a table changed since the snapshot: a table that was truncated, rewritten or renamed would
-- be read in its present state. Excluded tables may change. Variable: excluded.
SELECT set_config('generalprobe.wrong', format('%s was truncated, rewritten or renamed', min(name)), true)
FROM (SELECT c.oid, c.relfilenode, format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema') t
WHERE current_setting('generalprobe.wrong') = ''
  AND name <> ALL (:'excluded'::text[])
  AND (pg_relation_filenode(oid) IS DISTINCT FROM relfilenode OR to_regclass(name) IS DISTINCT FROM oid)
HAVING count(*) > 0 \g /dev/null
