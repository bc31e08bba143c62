-- Holds when no database of the given names on this server is production. Run it on the test server.
-- Variables: system and database (production's), name and other (what is about to be replaced or written).
SELECT set_config('generalprobe.system', :'system', false), set_config('generalprobe.database', :'database', false),
       set_config('generalprobe.names', :'name' || E'\n' || :'other', false) \g /dev/null
DO $$
BEGIN
    IF (SELECT system_identifier::text FROM pg_control_system()) = current_setting('generalprobe.system')
       AND current_setting('generalprobe.database') = ANY (string_to_array(current_setting('generalprobe.names'), E'\n'))
    THEN
        RAISE EXCEPTION '% on this server is production itself', current_setting('generalprobe.database');
    END IF;
END $$;
