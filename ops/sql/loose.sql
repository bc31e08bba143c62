-- Lists what depends on more than its own row; a part of objects.sql, also used to defer checks in a restore. A check
-- that calls a user's function, or a function whose result depends on the time or on settings, may fail during a
-- restore. The query of a materialized view may need search_path, which a restore does not set, or may fail for another
-- reason.
WITH own AS MATERIALIZED (
    SELECT 'pg_proc'::regclass::oid AS class, oid FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator WHERE oid >= 16384
    EXCEPT SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), checks AS (
    SELECT k.oid, k.conname, i.type, i.identity FROM pg_constraint k CROSS JOIN LATERAL pg_identify_object(
        CASE k.conrelid WHEN 0 THEN 'pg_type' ELSE 'pg_class' END::regclass, greatest(k.conrelid, k.contypid), 0) i
    WHERE k.contype = 'c' AND k.convalidated AND greatest(k.conrelid, k.contypid) >= 16384
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e' AND (d.classid, d.objid) IN (
                          ('pg_class'::regclass, k.conrelid), ('pg_type'::regclass, k.contypid), ('pg_constraint'::regclass, k.oid)))
      AND (EXISTS (SELECT FROM pg_depend d JOIN own ON own.class = d.refclassid AND own.oid = d.refobjid
                   WHERE d.classid = 'pg_constraint'::regclass AND d.objid = k.oid)
           OR k.conbin::text ~ '\{SQLVALUEFUNCTION '
           OR EXISTS (SELECT FROM regexp_matches(k.conbin::text, ':(?:funcid|opfuncid) (\d+)', 'g') m
                      JOIN pg_proc p ON p.oid = m[1]::oid WHERE p.provolatile <> 'i'))
)
SELECT json_build_object('object', 'loose', 'name', format('%I on %s %s', conname, type, identity), 'is', oid::text) FROM checks
UNION ALL
SELECT json_build_object('object', 'loose', 'name', format('materialized view %I.%I', nspname, relname), 'is', c.oid::text)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND c.relispopulated AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');
