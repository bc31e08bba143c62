-- Lists what the fingerprint does not include, and why, so that nobody takes it for proved. A restore computes
-- materialized views again, so only their populated state is included.
WITH relations AS (
    SELECT c.oid, c.relkind, c.relispopulated, format('%I.%I', n.nspname, c.relname) AS name, e.extname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    LEFT JOIN pg_extension e ON e.oid = d.refobjid
    WHERE c.relkind IN ('r', 'm', 'f', 'S') AND c.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
)
SELECT json_build_object('left_out', name, 'why', CASE
           WHEN extname IS NOT NULL THEN 'what an extension brought along is not compared'
           WHEN relkind = 'f' THEN 'the rows of a foreign table are no part of a dump'
           ELSE 'a materialized view is computed again by a restore' END)
FROM relations WHERE extname IS NOT NULL OR relkind IN ('f', 'm')
UNION ALL
SELECT json_build_object('materialized', name, 'filled', relispopulated)
FROM relations WHERE relkind = 'm' AND extname IS NULL;
