-- Drops a database that has the tool's mark; refuses any other. Variables: name, marker (the mark's beginning).
SELECT set_config('generalprobe.name', :'name', false), set_config('generalprobe.marker', :'marker', false) \g /dev/null
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_database WHERE datname = current_setting('generalprobe.name')
               AND NOT coalesce(starts_with(shobj_description(oid, 'pg_database'),
                                            current_setting('generalprobe.marker')), false)) THEN
        RAISE EXCEPTION '% does not have the mark "%…", so it is not dropped',
            current_setting('generalprobe.name'), current_setting('generalprobe.marker');
    END IF;
END $$;
SELECT format('ALTER DATABASE %I IS_TEMPLATE false', datname) FROM pg_database WHERE datname = :'name' AND datistemplate \gexec
\ir drop_subscriptions.sql
SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE datname = :'name' \gexec
-- Drop roles that were created for copies (create_roles.sql) with the last copy.
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT rolname FROM pg_roles r WHERE shobj_description(r.oid, 'pg_authid') = 'generalprobe role of copies'
                AND NOT EXISTS (SELECT FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = r.oid) LOOP
        BEGIN
            EXECUTE format('DROP ROLE %I', name);
        EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege OR undefined_object THEN
            NULL;
        END;
    END LOOP;
END $$;
