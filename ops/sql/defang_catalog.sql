-- Lists the tables of a database with the properties of each column that a mask needs, one JSON object a line; changes
-- nothing. `base` is the type below all domains, `limit` its maximum number of characters; `single`: a unique index or
-- an exclusion constraint contains the column.
BEGIN READ ONLY;
SET LOCAL client_encoding = 'UTF8';
SET LOCAL search_path = pg_catalog;
SET LOCAL quote_all_identifiers = off;
WITH RECURSIVE types (asked, oid, modifier) AS (
    SELECT DISTINCT a.atttypid, a.atttypid, a.atttypmod FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT s.asked, t.typbasetype, CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE s.modifier END
    FROM types s JOIN pg_type t ON t.oid = s.oid WHERE t.typtype = 'd'
), bases AS (
    SELECT DISTINCT s.asked, t.oid, t.typname, t.typcategory, t.typtype FROM types s JOIN pg_type t ON t.oid = s.oid
    WHERE t.typtype <> 'd'
), limits AS (
    SELECT asked, min(modifier) FILTER (WHERE modifier >= 0) AS modifier FROM types WHERE oid IN (1042, 1043) GROUP BY asked
), relations AS (
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relispartition FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), single AS (
    SELECT i.indrelid, unnest(i.indkey) AS attnum FROM pg_index i WHERE i.indisunique OR i.indisexclusion
    UNION
    SELECT i.indrelid, d.refobjsubid FROM pg_index i JOIN pg_depend d ON d.classid = 'pg_class'::regclass
    AND d.objid = i.indexrelid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid
    WHERE i.indisunique OR i.indisexclusion
), linked AS (
    SELECT conrelid, unnest(conkey) AS attnum FROM pg_constraint WHERE contype = 'f'
)
SELECT json_build_object(
    'schema', r.nspname, 'name', r.relname, 'part', r.relispartition,
    'referenced', (SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_array(n.nspname, f.relname)), '[]') FROM pg_constraint k
                   JOIN pg_class f ON f.oid = k.conrelid JOIN pg_namespace n ON n.oid = f.relnamespace
                   WHERE k.contype = 'f' AND k.confrelid = r.oid),
    'columns', (SELECT coalesce(json_agg(json_build_object(
        'name', a.attname, 'base', CASE WHEN b.typcategory = 'A' THEN 'array' WHEN b.typtype = 'b' THEN b.typname ELSE 'other' END,
        'limit', CASE WHEN b.oid IN (1042, 1043) AND coalesce(nullif(a.atttypmod, -1), l.modifier, -1) > 4
                 THEN coalesce(nullif(a.atttypmod, -1), l.modifier) - 4 END,
        'required', a.attnotnull OR EXISTS (SELECT FROM types s JOIN pg_type t ON t.oid = s.oid WHERE s.asked = a.atttypid AND t.typnotnull),
        'made', a.attgenerated <> '' OR a.attidentity = 'a', 'inherited', a.attinhcount > 0,
        'single', EXISTS (SELECT FROM single s WHERE s.indrelid = r.oid AND s.attnum = a.attnum),
        'linked', EXISTS (SELECT FROM linked s WHERE s.conrelid = r.oid AND s.attnum = a.attnum)) ORDER BY a.attnum), '[]')
        FROM pg_attribute a JOIN bases b ON b.asked = a.atttypid LEFT JOIN limits l ON l.asked = a.atttypid
        WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped))
FROM relations r ORDER BY r.nspname COLLATE "C", r.relname COLLATE "C";
COMMIT;
