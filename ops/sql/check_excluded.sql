-- Returns the tables whose rows a backup excludes, and conflicts; changes nothing. `broken` are foreign keys of
-- included tables that refer to excluded ones. Variable: exclude (see excluded.sql).
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
\ir settings.sql
\ir excluded.sql
WITH RECURSIVE within (root, oid) AS (
    SELECT oid, oid FROM pg_class WHERE relkind IN ('r', 'p')
    UNION
    SELECT w.root, i.inhrelid FROM within w JOIN pg_inherits i ON i.inhparent = w.oid
    JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
), named AS (
    SELECT c.oid, c.relname, format('%I.%I', n.nspname, c.relname) AS name,
           format('%I.%I', n.nspname, c.relname) = ANY (:'excluded'::text[]) AS excluded
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'
), sides AS (
    SELECT w.root, bool_or(n.excluded) AS lacks, bool_or(NOT n.excluded) AS stays
    FROM within w JOIN named n ON n.oid = w.oid GROUP BY w.root
)
SELECT json_build_object(
    'unmatched', :'unmatched'::json,
    'django', (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM named
               WHERE excluded AND relname = ANY (:'kept'::text[])),
    'names', (SELECT coalesce(json_agg(format('%I.%I', n.nspname, c.relname) ORDER BY c.relname), '[]')
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'),
    'tables', (SELECT coalesce(json_object_agg(name, (CASE WHEN c.reltuples > 0 THEN c.reltuples ELSE pg_stat_get_live_tuples(c.oid) END)::int8
                                               ORDER BY name), '{}')
               FROM named n JOIN pg_class c ON c.oid = n.oid WHERE excluded),
    'bytes', (SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::int8 FROM named WHERE excluded),
    'broken', (SELECT coalesce(json_agg(json_build_array(k.conname, f.relname_, t.relname_) ORDER BY k.conname), '[]')
               FROM pg_constraint k
               JOIN sides a ON a.root = k.conrelid AND a.stays
               JOIN sides b ON b.root = k.confrelid AND b.lacks
               JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS relname_ FROM pg_class c
                             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = k.conrelid) f ON true
               JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS relname_ FROM pg_class c
                             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = k.confrelid) t ON true
               WHERE k.contype = 'f' AND k.conparentid = 0));
COMMIT;
