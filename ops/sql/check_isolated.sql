-- Succeeds if this copy reaches no other server: it has no user mapping, no subscription, and no dblink function that
-- opens a connection.
DO $$
DECLARE
    said text;
BEGIN
    SELECT string_agg(what, '; ') INTO said FROM (
        SELECT format('DROP USER MAPPING FOR %s SERVER %I', CASE umuser WHEN 0 THEN 'PUBLIC' ELSE quote_ident(usename) END,
                      srvname) AS what FROM pg_user_mappings
        UNION ALL
        SELECT format('ALTER SUBSCRIPTION %I DISABLE', subname) FROM pg_subscription
        WHERE subenabled AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
        UNION ALL
        SELECT format('ALTER FUNCTION %s OWNER TO %I', p.oid::regprocedure, current_user)
        FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
        JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'dblink'
        WHERE p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'c') AND p.proname = 'dblink_connect') found;
    IF said IS NOT NULL THEN
        RAISE EXCEPTION 'this copy of production can reach other servers, and % may not change that; an administrator has '
            'to run, in it: %', current_user, said;
    END IF;
END $$;
