-- Holds when this is the database that was planned for. Variables: system (its server's identifier), database.
SELECT set_config('generalprobe.system', :'system', false), set_config('generalprobe.database', :'database', false)
    \g /dev/null
DO $$
BEGIN
    IF (SELECT system_identifier::text FROM pg_control_system()) <> current_setting('generalprobe.system') THEN
        RAISE EXCEPTION 'this is another server (%) than the one planned for (%)',
            (SELECT system_identifier FROM pg_control_system()), current_setting('generalprobe.system');
    END IF;
    IF current_database() <> current_setting('generalprobe.database') THEN
        RAISE EXCEPTION 'this is the database %, not %', current_database(), current_setting('generalprobe.database');
    END IF;
END $$;
