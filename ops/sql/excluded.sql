-- Determines the tables whose rows a backup excludes, in the caller's transaction. Sets `excluded`, an array of names,
-- and `excluded_options`, options of pg_dump separated by tabs. A partitioned table includes its partitions. Variable:
-- exclude, patterns separated by blanks: [SCHEMA.]TABLE with * and ?; the default schema is public.
WITH RECURSIVE patterns AS (
    SELECT pattern, CASE WHEN pattern LIKE '%.%' THEN split_part(pattern, '.', 1) ELSE 'public' END AS schema,
           CASE WHEN pattern LIKE '%.%' THEN split_part(pattern, '.', 2) ELSE pattern END AS name
    FROM regexp_split_to_table(:'exclude', ' +') pattern WHERE pattern <> ''
), tables AS (
    SELECT c.oid, c.relname, n.nspname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND format('%s%s', n.nspname, c.relname) !~ '[[:cntrl:]]'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'e')
), like_regex (pattern, schema, name) AS (
    SELECT pattern, '^' || replace(replace(replace(schema, '$', '\$'), '*', '.*'), '?', '.') || '$',
           '^' || replace(replace(replace(name, '$', '\$'), '*', '.*'), '?', '.') || '$'
    FROM patterns
), met AS (
    SELECT p.pattern, t.oid FROM like_regex p LEFT JOIN tables t ON t.nspname ~ p.schema AND t.relname ~ p.name
), down (oid) AS (
    SELECT oid FROM met WHERE oid IS NOT NULL
    UNION
    SELECT i.inhrelid FROM down d JOIN pg_inherits i ON i.inhparent = d.oid JOIN pg_class c ON c.oid = i.inhrelid
    WHERE c.relispartition
), names AS (
    SELECT format('%I.%I', t.nspname, t.relname) AS name FROM tables t JOIN down d ON d.oid = t.oid WHERE t.relkind = 'r'
)
SELECT coalesce((SELECT array_agg(name ORDER BY name) FROM names), '{}') AS excluded,
       coalesce((SELECT string_agg('--exclude-table-data=' || name, E'\t' ORDER BY name) FROM names), '') AS excluded_options,
       coalesce((SELECT json_agg(pattern) FROM met WHERE oid IS NULL), '[]') AS unmatched \gset
