-- Holds when this is the test server that was planned for, and no database of the given names is production there.
-- Variables: planned (the test server's identifier; empty where it is not known), system and database (production's),
-- name and other (what is about to be replaced or written).
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
        RAISE EXCEPTION 'this is another server (%) than the test server planned for (%)',
            here, current_setting('generalprobe.planned');
    END IF;
END $$;
