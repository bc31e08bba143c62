-- Succeeds if this is the planned test server, and none of the named databases on it is production. Variables: planned
-- (the test server's identifier; empty if unknown), system and database (production's), name and other (the databases
-- to replace or write).
SELECT set_config('generalprobe.system', :'system', false), set_config('generalprobe.database', :'database', false),
       set_config('generalprobe.planned', :'planned', false), set_config('generalprobe.name', :'name', false),
       set_config('generalprobe.other', :'other', false) \g /dev/null
DO $$
DECLARE
    here text := (SELECT system_identifier::text FROM pg_control_system());
BEGIN
    IF here = current_setting('generalprobe.system') AND current_setting('generalprobe.database')
       IN (current_setting('generalprobe.name'), current_setting('generalprobe.other')) THEN
        RAISE EXCEPTION '% on this server is production itself', current_setting('generalprobe.database');
    END IF;
    IF current_setting('generalprobe.planned') NOT IN ('', here) THEN
        RAISE EXCEPTION 'this server (%) is not the planned test server (%)',
            here, current_setting('generalprobe.planned');
    END IF;
END $$;
