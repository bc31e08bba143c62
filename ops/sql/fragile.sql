-- Lists functions that a restore calls and that may fail then: pg_restore sets no search_path, and loads tables in its
-- own order. The search is textual: in functions without their own search_path, names that are used without a schema. A
-- function with a parsed body (BEGIN ATOMIC) is safe. Changes nothing.
BEGIN READ ONLY;
\ir settings.sql
WITH schemas AS MATERIALIZED (
    SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), used AS (
    SELECT d.refobjid AS function, 'index ' || d.objid::regclass AS by, false AS checks FROM pg_depend d
    JOIN pg_index i ON d.classid = 'pg_class'::regclass AND i.indexrelid = d.objid WHERE d.refclassid = 'pg_proc'::regclass
    UNION SELECT d.refobjid, format('generated column %s.%I', a.attrelid::regclass, a.attname), false FROM pg_depend d
    JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
    JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND a.attgenerated <> '' WHERE d.refclassid = 'pg_proc'::regclass
    UNION SELECT d.refobjid, format('check %I of %s', k.conname, coalesce(nullif(k.conrelid, 0)::regclass::text, k.contypid::regtype::text)), true
    FROM pg_depend d JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid AND k.contype = 'c'
    WHERE d.refclassid = 'pg_proc'::regclass
    UNION SELECT d.refobjid, 'materialized view ' || c.oid::regclass, false FROM pg_depend d
    JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid JOIN pg_class c ON c.oid = r.ev_class AND c.relkind = 'm'
    WHERE d.refclassid = 'pg_proc'::regclass
), bodies AS (
    SELECT u.*, p.oid::regprocedure::text AS name, coalesce(p.proconfig::text ~ 'search_path=', false) AS pinned,
           -- Without comments and quoted strings.
           lower(regexp_replace(regexp_replace(p.prosrc, '--[^\n]*|/\*.*?\*/', ' ', 'g'), '''(?:[^'']|'''')*''', ' ', 'g')) AS body
    FROM used u JOIN pg_proc p ON p.oid = u.function JOIN pg_language l ON l.oid = p.prolang AND l.lanname IN ('sql', 'plpgsql')
    WHERE p.pronamespace IN (SELECT oid FROM schemas)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
), found AS (
    SELECT b.name, b.by, 'function ' || m[1] AS what, false AS other FROM bodies b, regexp_matches(b.body, '(?<![.\w])([a-z_]\w*)\s*\(', 'g') m
    WHERE NOT b.pinned AND EXISTS (SELECT FROM pg_proc q WHERE q.proname = m[1] AND q.pronamespace IN (SELECT oid FROM schemas))
      AND NOT EXISTS (SELECT FROM pg_proc q WHERE q.proname = m[1] AND q.pronamespace = 'pg_catalog'::regnamespace)
    UNION
    SELECT b.name, b.by, 'table ' || m[2], b.checks AND (m[1] IS NOT NULL OR b.pinned)
    FROM bodies b, regexp_matches(b.body, '\m(?:from|join|into|update)\s+(?:only\s+)?([a-z_]\w*\.)?([a-z_]\w*)(?![\w.(])', 'g') m
    WHERE EXISTS (SELECT FROM pg_class c WHERE c.relname = m[2] AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relnamespace IN (SELECT oid FROM schemas))
      AND (b.checks OR NOT b.pinned AND m[1] IS NULL)
)
SELECT json_build_object('function', name, 'by', by, 'what', string_agg(DISTINCT what, ', '), 'other', other)
FROM found GROUP BY name, by, other ORDER BY by, name;
COMMIT;
