-- Succeeds if this session is in the planned clone: this server, this database, and the mark of a clone. Run it on the
-- database of the test target's own address. Variables: system (the test server's identifier; empty if unknown),
-- database, marker (the mark's beginning).
SELECT set_config('generalprobe.system', :'system', false), set_config('generalprobe.database', :'database', false),
       set_config('generalprobe.marker', :'marker', false) \g /dev/null
DO $$
DECLARE
    here text := (SELECT system_identifier::text FROM pg_control_system());
    mark text := (SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database());
BEGIN
    IF current_setting('generalprobe.system') NOT IN ('', here) THEN
        RAISE EXCEPTION 'this server (%) is not the planned test server (%)',
            here, current_setting('generalprobe.system');
    END IF;
    IF current_database() <> current_setting('generalprobe.database') THEN
        RAISE EXCEPTION 'this is the database %, not %', current_database(), current_setting('generalprobe.database');
    END IF;
    IF NOT coalesce(starts_with(mark, current_setting('generalprobe.marker')), false) THEN
        RAISE EXCEPTION '% does not have the mark "%…", but %', current_database(), current_setting('generalprobe.marker'),
            coalesce('"' || mark || '"', 'not at all');
    END IF;
END $$;
