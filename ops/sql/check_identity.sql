-- Succeeds if this is the planned server, and the database exists. Run on another database of the server (postgres), it
-- also works while the database is closed. Variables: system (the server's identifier), database.
SELECT set_config('generalprobe.system', :'system', false), set_config('generalprobe.database', :'database', false)
    \g /dev/null
DO $$
BEGIN
    IF (SELECT system_identifier::text FROM pg_control_system()) <> current_setting('generalprobe.system') THEN
        RAISE EXCEPTION 'this server (%) is not the planned one (%)',
            (SELECT system_identifier FROM pg_control_system()), current_setting('generalprobe.system');
    END IF;
    IF current_database() NOT IN (current_setting('generalprobe.database'), 'postgres') THEN
        RAISE EXCEPTION 'this is the database %, not %', current_database(), current_setting('generalprobe.database');
    END IF;
    IF NOT EXISTS (SELECT FROM pg_database WHERE datname = current_setting('generalprobe.database')) THEN
        RAISE EXCEPTION 'this server has no database %', current_setting('generalprobe.database');
    END IF;
END $$;
