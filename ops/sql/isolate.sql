-- Disconnects a copy from other servers: removes user mappings, disables subscriptions, and replaces dblink functions.
-- Run it on the copy. Objects that this role may not change stay, and check_isolated.sql reports them.
\set ON_ERROR_STOP off
SELECT format('DROP USER MAPPING FOR %s SERVER %I', CASE umuser WHEN 0 THEN 'PUBLIC' ELSE quote_ident(usename) END, srvname)
FROM pg_user_mappings \gexec
SELECT format('CREATE OR REPLACE FUNCTION %s(%s) RETURNS %s LANGUAGE plpgsql AS %L', p.oid::regproc,
              pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
              'BEGIN RAISE EXCEPTION ''a copy of production reaches no other server''; END')
FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'dblink'
WHERE p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'c')
  AND p.proname IN ('dblink_connect', 'dblink_connect_u', 'dblink', 'dblink_exec', 'dblink_open', 'dblink_send_query') \gexec
